"""GPUs as NVML tells them: those that our own process sees.

NVML knows nothing of pods, so the GPUs of the machine stand for those of the target. That is for a
machine of one's own, with one workload on it; a pod of ours in a cluster sees no GPU.

Its calls block, and one into a driver that hangs never returns. So they are made in one thread,
which does not keep the process from ending, and nobody waits for it longer than a moment. The
library is optional: it is loaded there, when somebody asks for it, and not looked for again for ten
minutes when it, or a driver, is missing.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

from budaiscaler.domain import gpu
from budaiscaler.domain.gpu import Advice, GpuObserved, GpuSample
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.gpu.base import GpuRequest, Page, without_pods
from budaiscaler.sources.gpu.threads import OneThread
from budaiscaler.sources.measuring import Flights

DEADLINE_S = 5.0
RETRY_AFTER_S = 600.0

ADVICE = Advice(
    memory="the driver tells no GPU's memory: use metricsSource dcgm",
    compute="the driver tells no GPU's utilisation, as under MIG: use metricsSource dcgm, or leave "
    "gpuComputeThreshold out",
)

Handle = Any
"""A pointer of the library's."""


class NvmlLibrary(Protocol):
    """What we call of the module `pynvml`."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:
        """Load the driver's library and open it."""

    def nvmlShutdown(self) -> None:
        """Close it."""

    def nvmlDeviceGetCount(self) -> int:
        """Count the GPUs."""

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Handle:
        """Open a GPU."""

    def nvmlDeviceGetUUID(self, handle: Handle) -> str:
        """Give the UUID of a GPU, or of an instance."""

    def nvmlDeviceGetName(self, handle: Handle) -> str:
        """Give the model."""

    def nvmlDeviceGetMemoryInfo(self, handle: Handle) -> Any:
        """Give `used` and `total` in bytes."""

    def nvmlDeviceGetUtilizationRates(self, handle: Handle) -> Any:
        """Give `gpu` in percent."""

    def nvmlDeviceGetMigMode(self, handle: Handle) -> Any:
        """Give the current and the pending mode; 1 is on."""

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Handle) -> int:
        """Count the places for instances."""

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Handle, index: int) -> Handle:
        """Open an instance."""


def load() -> NvmlLibrary:
    """Import the module.

    Raises:
        ImportError: it is not installed.
    """
    return cast("NvmlLibrary", importlib.import_module("pynvml"))


@dataclass(slots=True)
class _Session:
    """The library in its thread; only that one calls this."""

    load: Callable[[], NvmlLibrary]
    library: NvmlLibrary | None = None

    def look(self) -> tuple[GpuSample, ...] | NoData:
        """Read every GPU, opening the library first if need be."""
        try:
            library = self.library or self.load()
        except ImportError:
            message = (
                "the package nvidia-ml-py is not installed where we run: install budaiscaler[gpu], "
                "or use metricsSource dcgm"
            )
            return NoData(NoDataReason.NVML_UNAVAILABLE, message)
        try:
            if self.library is None:
                library.nvmlInit()
                self.library = library
            return tuple(_gpus(library))
        except library.NVMLError as error:
            self.close()  # a driver that was replaced is met by opening it anew
            message = f"NVML cannot be used where we run ({error}): use metricsSource dcgm"
            return NoData(NoDataReason.NVML_UNAVAILABLE, message)

    def close(self) -> None:
        """Close the library."""
        library, self.library = self.library, None
        if library is not None:
            with suppress(library.NVMLError):
                library.nvmlShutdown()


class NvmlGpus:
    """Reads the machine's GPUs.

    Args:
        library: loads the library.
        node: name of the node that we run on; None where nobody told us.
        deadline_s: longest time for one look.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        *,
        library: Callable[[], NvmlLibrary] = load,
        node: str | None = None,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = _Session(library)
        self._node = node
        self._deadline_s = deadline_s
        self._clock = clock
        self._thread = OneThread("nvml")
        self._pages: Shared[str, Page | NoData] = Shared(clock)
        self._unavailable: tuple[float, NoData] | None = None

    @property
    def flights(self) -> Flights:
        """Figures of the looks, for telemetry."""
        return self._pages.flights

    async def read(self, request: GpuRequest) -> GpuObserved:
        """Read the machine's GPUs; see `GpuReader.read`."""
        if (nothing := without_pods(request) or self._elsewhere(request)) is not None:
            return nothing
        page = await self._pages.get("", request.max_age_s, self._look)
        if isinstance(page, NoData):
            return page
        age_s = max(0.0, self._clock() - page.at_s)
        found = gpu.of_machine(page.samples, ADVICE, age_s=age_s)
        if found is not None:
            return found
        message = "NVML tells of no GPU where we run: use metricsSource dcgm"
        return NoData(NoDataReason.NVML_UNAVAILABLE, message)

    async def close(self) -> None:
        """Close the library, unless it hangs."""
        await self._pages.close()
        if self._session.library is not None:
            await self._thread.call(self._session.close, self._deadline_s)
        self._thread.end()

    def _elsewhere(self, request: GpuRequest) -> NoData | None:
        """Say that the target's GPUs are surely not those that we see."""
        nodes = {pod.node for pod in request.ready if pod.node}
        if len(nodes) <= 1 and not (self._node and nodes - {self._node}):
            return None
        message = (
            "the target's pods run on other nodes than we do, and NVML tells of the GPUs of one "
            "machine only: use metricsSource dcgm"
        )
        return NoData(NoDataReason.NVML_UNAVAILABLE, message)

    async def _look(self) -> Page | NoData:
        now_s = self._clock()
        if self._unavailable is not None and now_s - self._unavailable[0] < RETRY_AFTER_S:
            return self._unavailable[1]
        answer = await self._thread.call(self._session.look, self._deadline_s)
        if answer is None:
            message = "NVML does not answer: the driver hangs; see the kernel's log"
            return NoData(NoDataReason.TIMEOUT, message)
        if isinstance(answer, NoData):
            self._unavailable = (now_s, answer)
            return answer
        self._unavailable = None
        return Page(answer, self._clock())


def _gpus(library: NvmlLibrary) -> Iterator[GpuSample]:
    """Read GPUs one by one; what one of them cannot tell, the others still do."""
    for index in range(library.nvmlDeviceGetCount()):
        try:
            handle = library.nvmlDeviceGetHandleByIndex(index)
            model = library.nvmlDeviceGetName(handle)
            if _is_divided(library, handle):
                yield from _instances(library, handle, model)
            else:
                utilisation = _told(library, library.nvmlDeviceGetUtilizationRates, handle)
                percent = None if utilisation is None else float(utilisation.gpu)
                yield _sample(library, handle, model, percent)
        except library.NVMLError:
            # Lost, or fallen off the bus: it is there, and tells nothing.
            yield GpuSample(uuid=f"gpu-{index}")


def _instances(library: NvmlLibrary, handle: Handle, model: str) -> Iterator[GpuSample]:
    """Read the instances of a GPU under MIG, which tell no utilisation."""
    for index in range(library.nvmlDeviceGetMaxMigDeviceCount(handle)):
        instance = _told(library, library.nvmlDeviceGetMigDeviceHandleByIndex, handle, index)
        if instance is not None:
            yield _sample(library, instance, model, None)


def _sample(library: NvmlLibrary, handle: Handle, model: str, percent: float | None) -> GpuSample:
    memory = _told(library, library.nvmlDeviceGetMemoryInfo, handle)
    return GpuSample(
        uuid=library.nvmlDeviceGetUUID(handle),
        used_bytes=None if memory is None else float(memory.used),
        total_bytes=None if memory is None else float(memory.total),
        compute_percent=percent,
        model=model,
    )


def _is_divided(library: NvmlLibrary, handle: Handle) -> bool:
    mode = _told(library, library.nvmlDeviceGetMigMode, handle)
    return mode is not None and bool(mode[0])


def _told(library: NvmlLibrary, ask: Callable[..., Any], *of: Any) -> Any:
    """Ask for something that not every GPU supports; None where it does not."""
    try:
        return ask(*of)
    except library.NVMLError:
        return None
