"""GPUs from NVML on a machine that has some; its own command line tool is the witness."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from budaiscaler.domain.decision import Code, Stage
from budaiscaler.domain.gpu import GpuObserved, GpuReading
from budaiscaler.domain.readings import Reading
from budaiscaler.sources.gpu.nvml import NvmlGpus
from tests import samples
from tests.domain.deciding import Story
from tests.hardware.loads import load
from tests.sources.gpus import pod, request

MOVES_WITHIN_S = 15.0
"""NVML averages utilisation over up to a second, and a context takes some to open."""

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def gpus() -> AsyncIterator[NvmlGpus]:
    """The reader with the real library."""
    reader = NvmlGpus()
    yield reader
    await reader.close()


async def read(gpus: NvmlGpus) -> GpuReading:
    """Look anew."""
    found = await gpus.read(request(pod("chat-1"), metricsSource="nvml"))
    assert isinstance(found, GpuReading), found
    return found


def percent(observed: object) -> float:
    """The number of a reading that there must be."""
    assert isinstance(observed, Reading), observed
    return observed.value


async def until(
    look: Callable[[], Awaitable[GpuReading]], holds: Callable[[GpuReading], bool]
) -> GpuReading:
    """Look until something holds."""
    ends = time.monotonic() + MOVES_WITHIN_S
    while not holds(found := await look()):
        assert time.monotonic() < ends, f"still {found}"
        await asyncio.sleep(0.2)
    return found


def witness() -> Iterator[tuple[str, float, float]]:
    """Model, used and total MiB of each GPU, as the driver's own tool tells."""
    fields = "name,memory.used,memory.total"
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for line in told.splitlines():
        model, used, total = line.split(", ")
        yield model, float(used), float(total)


async def test_it_tells_of_the_gpus_that_the_drivers_tool_tells_of(gpus: NvmlGpus) -> None:
    """As many GPUs, of that model, as full to two percent."""
    found, told = await read(gpus), list(witness())
    assert found.gpus == len(told)
    assert found.gpu_type == ", ".join(sorted({model for model, _, _ in told}))
    full = sum(100 * used / total for _, used, total in told) / len(told)
    assert percent(found.memory) == pytest.approx(full, abs=2)


async def test_memory_rises_by_what_a_process_takes_and_falls_when_it_ends(gpus: NvmlGpus) -> None:
    """16 GiB of the first GPU are seen to come and to go, while it stays idle."""
    before = await read(gpus)
    (_, _, total_mib), *others = witness()
    share = 100 * 16 * 1024 / total_mib / (1 + len(others))
    async with load(16, "idle"):
        held = await until(
            lambda: read(gpus),
            lambda found: percent(found.memory) > percent(before.memory) + 0.9 * share,
        )
        assert percent(held.memory) < percent(before.memory) + 1.5 * share
    await until(
        lambda: read(gpus), lambda found: percent(found.memory) < percent(before.memory) + 1
    )


async def test_a_busy_gpu_is_seen_to_be_busy_and_then_idle(gpus: NvmlGpus) -> None:
    """Writing to memory without a pause is over 80 percent of utilisation; its end is none."""
    async with load(4):
        await until(lambda: read(gpus), lambda found: percent(found.compute) > 80)
    await until(lambda: read(gpus), lambda found: percent(found.compute) < 5)


async def test_a_full_gpu_asks_for_more_replicas_and_an_idle_one_for_no_fewer(
    gpus: NvmlGpus,
) -> None:
    """Above its threshold the real reading scales 2 replicas up; below, GPUs lower nothing."""
    spec = samples.spec(
        gpuConfig={"enabled": True, "gpuMemoryThreshold": 10, "metricsSource": "nvml"}
    )
    async with load(24, "idle"):
        full: GpuObserved = await until(
            lambda: read(gpus), lambda found: percent(found.memory) > 25
        )
        up = Story(spec).step(2, {"queue": 2.0}, gpu=full)
    assert up.desired_replicas >= 6
    assert up.bound_by is Stage.GPU
    assert Code.NEED_FROM_LEVEL in {rung.code for rung in up.rungs}

    idle = await until(lambda: read(gpus), lambda found: percent(found.memory) < 10)
    same = Story(spec).step(2, {"queue": 2.0}, gpu=idle)
    assert same.desired_replicas == 2


async def test_many_who_ask_at_once_cost_one_look_and_a_closed_reader_opens_again(
    gpus: NvmlGpus,
) -> None:
    """A hundred requests that take an answer of a moment ago get the very same one."""
    asked = request(pod("chat-1"), metricsSource="nvml", max_age_s=5)
    answers = await asyncio.gather(*(gpus.read(asked) for _ in range(100)))
    assert all(isinstance(answer, GpuReading) for answer in answers)
    assert len({(answer.memory.value, answer.compute.value) for answer in answers}) == 1  # type: ignore[union-attr]  # they are readings, by the line above
    await gpus.close()

    another = NvmlGpus()
    assert (await read(another)).gpus == answers[0].gpus  # type: ignore[union-attr]  # likewise
    await another.close()
