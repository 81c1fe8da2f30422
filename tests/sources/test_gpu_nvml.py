"""GPUs from NVML, through a library that is pretended at the seam of the module."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest

from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.sources.gpu import nvml
from budaiscaler.sources.gpu.nvml import NvmlGpus, NvmlLibrary
from tests.sources.gpus import pod, refused, request

GIB = 2**30
H100 = "NVIDIA H100 80GB HBM3"


class FakeError(Exception):
    """As the library raises for everything."""


@dataclass(slots=True)
class Device:
    """A GPU, or an instance of one; what is None is not supported.

    Attributes:
        instances: None without MIG; a None among them is a place without an instance.
    """

    uuid: str
    used: int | None = 8 * GIB
    total: int = 16 * GIB
    busy: int | None = 60
    instances: list[Device | None] | None = None
    lost: bool = False


@dataclass(slots=True)
class FakeNvml:
    """The module `pynvml`, as far as it is called.

    Attributes:
        broken: what `nvmlInit` raises; None when a driver is there.
        hangs: while set, counting the GPUs does not return.
        opened: how often it was opened, and closed.
        threads: which ones called.
        counted: how often the GPUs were counted; `returned` once that came to an end.
    """

    devices: list[Device] = field(default_factory=list)
    broken: str | None = None
    gone: bool = False
    hangs: threading.Event = field(default_factory=threading.Event)
    opened: list[str] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    counted: int = 0
    returned: threading.Event = field(default_factory=threading.Event)
    NVMLError: type[Exception] = FakeError

    def nvmlInit(self) -> None:  # noqa: N802 - the library's
        self.threads.add(threading.current_thread().name)
        if self.broken is not None:
            raise FakeError(self.broken)
        self.opened.append("init")

    def nvmlShutdown(self) -> None:  # noqa: N802 - the library's
        self.threads.add(threading.current_thread().name)
        self.opened.append("shutdown")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - the library's
        self.counted += 1
        while self.hangs.is_set():
            threading.Event().wait(0.01)
        self.returned.set()
        if self.gone:
            raise FakeError("Driver/library version mismatch")
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802 - the library's
        if self.devices[index].lost:
            raise FakeError("GPU is lost")
        return self.devices[index]

    def nvmlDeviceGetUUID(self, handle: Device) -> str:  # noqa: N802 - the library's
        return handle.uuid

    def nvmlDeviceGetName(self, handle: Device) -> str:  # noqa: N802 - the library's
        return H100

    def nvmlDeviceGetMemoryInfo(self, handle: Device) -> Any:  # noqa: N802 - the library's
        if handle.used is None:
            raise FakeError("Not Supported")
        return SimpleNamespace(used=handle.used, total=handle.total)

    def nvmlDeviceGetUtilizationRates(self, handle: Device) -> Any:  # noqa: N802 - the library's
        if handle.busy is None or handle.instances is not None:
            raise FakeError("Not Supported")
        return SimpleNamespace(gpu=handle.busy, memory=1)

    def nvmlDeviceGetMigMode(self, handle: Device) -> Any:  # noqa: N802 - the library's
        if handle.instances is None:
            raise FakeError("Not Supported")
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Device) -> int:  # noqa: N802 - the library's
        return len(handle.instances or ())

    def nvmlDeviceGetMigDeviceHandleByIndex(  # noqa: N802 - the library's
        self, handle: Device, index: int
    ) -> Device:
        found = (handle.instances or [])[index]
        if found is None:
            raise FakeError("Not Found")
        return found


@dataclass(slots=True)
class Lab:
    """A reader on a pretended library.

    Attributes:
        installed: whether the library can be imported.
        loaded: how often that was tried.
    """

    library: FakeNvml = field(default_factory=FakeNvml)
    installed: bool = True
    loaded: int = 0
    now_s: float = 100.0
    gpus: NvmlGpus = field(init=False)

    def __post_init__(self) -> None:
        self.gpus = self.reader()

    def reader(self, **options: Any) -> NvmlGpus:
        """Make a reader."""
        return NvmlGpus(library=self.load, clock=lambda: self.now_s, **options)

    def load(self) -> NvmlLibrary:
        """Import the library."""
        self.loaded += 1
        if not self.installed:
            raise ImportError("No module named 'pynvml'")
        return self.library

    async def read(self, **asked: Any) -> GpuReading | NoData:
        """Read the GPUs of a target with a pod on this machine."""
        return await self.gpus.read(request(pod("a"), metricsSource="nvml", **asked))


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """One for the test."""
    made = Lab()
    yield made
    made.library.hangs.clear()
    await made.gpus.close()


async def test_the_gpus_of_the_machine(lab: Lab) -> None:
    """All that our process sees, whoever has them; nobody knows how many pods should answer."""
    lab.library.devices = [Device("GPU-1", 12 * GIB, busy=80), Device("GPU-2", 8 * GIB, busy=60)]
    assert await lab.read() == GpuReading(Reading(62.5), Reading(70.0), 2, H100)


async def test_instances_of_mig(lab: Lab) -> None:
    """Their memory is read from their own handles; they tell no utilisation."""
    instances = [Device("MIG-1", 2 * GIB, 4 * GIB), None, Device("MIG-2", 1 * GIB, 4 * GIB)]
    lab.library.devices = [Device("GPU-1", instances=instances)]
    found = await lab.read()
    assert isinstance(found, GpuReading)
    assert (found.gpus, found.memory) == (2, Reading(37.5))
    assert isinstance(found.compute, NoData)
    assert "use metricsSource dcgm" in found.compute.message


@pytest.mark.parametrize(
    ("device", "memory"),
    [
        pytest.param(Device("GPU-2", used=None), Reading(50.0), id="memory-is-not-supported"),
        pytest.param(Device("GPU-2", lost=True), Reading(50.0), id="lost"),
        pytest.param(Device("GPU-2", 16 * GIB), Reading(75.0), id="well"),
    ],
)
async def test_what_one_gpu_cannot_tell_the_others_still_do(
    lab: Lab, device: Device, memory: Reading
) -> None:
    """It is left out of the mean, and counts among the GPUs."""
    lab.library.devices = [Device("GPU-1"), device]
    found = await lab.read()
    assert isinstance(found, GpuReading)
    assert (found.gpus, found.memory) == (2, memory)


def _uninstall(lab: Lab) -> None:
    lab.installed = False


def _remove_driver(lab: Lab) -> None:
    lab.library.broken = "NVML Shared Library Not Found"


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        pytest.param(_uninstall, "install budaiscaler[gpu]", id="no-module"),
        pytest.param(_remove_driver, "NVML Shared Library Not Found", id="no-driver"),
    ],
)
async def test_what_is_missing_is_not_looked_for_each_time(
    lab: Lab, breaks: Callable[[Lab], None], words: str
) -> None:
    """It is no data at once, and tried again after ten minutes."""
    breaks(lab)
    for _ in range(4):
        refused(await lab.read(), NoDataReason.NVML_UNAVAILABLE, words)
        lab.now_s += 100
    assert lab.loaded == 1
    lab.installed, lab.library.broken = True, None
    lab.library.devices = [Device("GPU-1")]
    lab.now_s += 200
    assert isinstance(await lab.read(), GpuReading)
    assert lab.loaded == 2


async def test_the_library_is_opened_once_and_closed_at_the_end(lab: Lab) -> None:
    """All of it in one thread, which is not the one of the event loop."""
    lab.library.devices = [Device("GPU-1")]
    for _ in range(3):
        await lab.read()
        lab.now_s += 15
    await lab.gpus.close()
    assert lab.library.opened == ["init", "shutdown"]
    assert lab.library.threads == {"nvml"}


async def test_nothing_is_loaded_before_somebody_asks(lab: Lab) -> None:
    """Nor closed."""
    await lab.gpus.close()
    assert lab.loaded == 0
    assert lab.library.opened == []


async def test_a_driver_that_was_replaced_is_opened_anew(lab: Lab) -> None:
    """The open library is of the old one."""
    lab.library.devices = [Device("GPU-1")]
    await lab.read()
    lab.library.gone = True
    lab.now_s += 15
    refused(await lab.read(), NoDataReason.NVML_UNAVAILABLE, "version mismatch")
    lab.library.gone = False
    lab.now_s += nvml.RETRY_AFTER_S
    assert isinstance(await lab.read(), GpuReading)
    assert lab.library.opened == ["init", "shutdown", "init"]


async def test_a_driver_that_hangs(lab: Lab) -> None:
    """Nobody waits for it, no second call is made, and it is no reading of 0."""
    lab.gpus = lab.reader(deadline_s=0.05)
    lab.library.devices = [Device("GPU-1")]
    lab.library.hangs.set()
    for _ in range(3):
        refused(await lab.read(), NoDataReason.TIMEOUT, "the driver hangs")
        lab.now_s += 15
    assert lab.library.counted == 1
    lab.library.hangs.clear()
    await asyncio.to_thread(lab.library.returned.wait, 10)
    found: GpuReading | NoData = NoData(NoDataReason.TIMEOUT, "")
    for _ in range(100):  # the thread has a few lines to go before it is free
        lab.now_s += 15
        if isinstance(found := await lab.read(), GpuReading):
            break
        await asyncio.sleep(0.01)
    assert isinstance(found, GpuReading)
    assert lab.library.opened == ["init"]


async def test_a_hanging_driver_does_not_keep_us_from_ending(lab: Lab) -> None:
    """Closing does not wait for it either."""
    lab.gpus = lab.reader(deadline_s=0.05)
    lab.library.hangs.set()
    await lab.read()
    await lab.gpus.close()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "nvml")


async def test_one_look_is_shared(lab: Lab) -> None:
    """By all scalers, for as long as they say."""
    lab.library.devices = [Device("GPU-1")]
    await asyncio.gather(*(lab.read(max_age_s=7) for _ in range(5)))
    lab.library.devices = []
    lab.now_s += 5
    found = await lab.read(max_age_s=7)
    assert isinstance(found, GpuReading)
    assert found.memory == Reading(50.0, 5.0)


async def test_no_gpu_at_all(lab: Lab) -> None:
    """A driver without a GPU is no load of 0."""
    refused(await lab.read(), NoDataReason.NVML_UNAVAILABLE, "tells of no GPU")


async def test_pods_on_other_machines(lab: Lab) -> None:
    """Their GPUs are not those that we see, and ours are not theirs."""
    lab.library.devices = [Device("GPU-1")]
    spread = request(pod("a", "node-1"), pod("b", "node-2"), metricsSource="nvml")
    refused(await lab.gpus.read(spread), NoDataReason.NVML_UNAVAILABLE, "on other nodes")
    here, there = lab.reader(node="node-1"), lab.reader(node="node-2")
    asked = request(pod("a", "node-1"), metricsSource="nvml")
    assert isinstance(await here.read(asked), GpuReading)
    refused(await there.read(asked), NoDataReason.NVML_UNAVAILABLE, "on other nodes")
    await here.close()
    await there.close()


async def test_without_ready_pods_nothing_is_read(lab: Lab) -> None:
    """There is no GPU whose reading would count."""
    found = await lab.gpus.read(request(pod("a", ready=False), metricsSource="nvml"))
    refused(found, NoDataReason.NO_READY_PODS, "")
    assert lab.loaded == 0


@pytest.mark.skipif(find_spec("pynvml") is not None, reason="the extra gpu is installed")
async def test_where_it_is_not_installed() -> None:
    """The real import fails here, as in an image without the extra, and that is no data."""
    found = NvmlGpus()
    refused(
        await found.read(request(pod("a"), metricsSource="nvml")),
        NoDataReason.NVML_UNAVAILABLE,
        "use metricsSource dcgm",
    )
    await found.close()
