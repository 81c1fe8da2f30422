"""A process that holds GPU memory and keeps the GPU busy, by the driver alone.

`python cuda_load.py GIB` allocates on the first GPU, says so in a line, and writes to that memory
until its standard input is closed; `python cuda_load.py GIB idle` only holds it.
"""

from __future__ import annotations

import ctypes
import select
import sys

GIB = 2**30
WRITES_A_LOOK = 200


def main() -> None:
    """Hold and write."""
    size, is_idle = int(sys.argv[1]) * GIB, sys.argv[2:] == ["idle"]
    cuda = ctypes.CDLL("libcuda.so.1")
    device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_uint64()
    _check(cuda.cuInit(0))
    _check(cuda.cuDeviceGet(ctypes.byref(device), 0))
    _check(cuda.cuCtxCreate_v2(ctypes.byref(context), 0, device))
    _check(cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(size)))
    print("holding", flush=True)
    while not select.select([sys.stdin], [], [], 0.1 if is_idle else 0)[0]:
        for _ in range(0 if is_idle else WRITES_A_LOOK):
            _check(cuda.cuMemsetD8Async(memory, 1, ctypes.c_size_t(size), None))
        _check(cuda.cuCtxSynchronize())


def _check(code: int) -> None:
    if code:
        raise SystemExit(f"the driver answers {code}")


if __name__ == "__main__":
    main()
