"""What needs a device is collected where there is one: nothing here is skipped, or pretended."""

from __future__ import annotations

import ctypes


def _has_gpu() -> bool:
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return False
    count = ctypes.c_uint()
    return library.nvmlInit_v2() == 0 and not (
        library.nvmlDeviceGetCount_v2(ctypes.byref(count)) or not count.value
    )


collect_ignore = [] if _has_gpu() else ["test_nvml.py", "test_whole_chain.py"]
