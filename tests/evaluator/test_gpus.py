"""GPUs of an evaluation: when they are read, how long a good reading stands, what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.gpu import GpuObserved, GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.evaluator import cadence, observing, restoring, significance
from budaiscaler.evaluator.observing import Observer
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.evaluator.telemetry import EvaluatorCollector
from budaiscaler.kube.workloads import Workloads
from tests.evaluator.world import FakeGpus, World, loop_s, running

pytestmark = pytest.mark.looptime

CONFIG = {"enabled": True, "gpuMemoryThreshold": 70}
DEAD = NoData(NoDataReason.UNREACHABLE, "the exporter is down")
BLANK = NoData(NoDataReason.METRIC_NOT_FOUND, "not collected")


def gpus(memory: float | Observed = 50.0, compute: float | Observed = 40.0) -> GpuReading:
    """Four GPUs, one a pod."""

    def made(told: float | Observed) -> Observed:
        return told if isinstance(told, Reading | NoData) else Reading(told, 0.0, 4, 4)

    return GpuReading(made(memory), made(compute), 4, "H100")


@dataclass(slots=True)
class Lens:
    """An observer with one scaler with GPU thresholds in front of it."""

    world: World
    gpus: FakeGpus
    observer: Observer
    scaler: Scaler = field(init=False)

    def __post_init__(self) -> None:
        self.scaler = project_scaler(self.world.raw("chat"), None)

    async def look(self, says: GpuObserved, *, after_s: float = 0) -> GpuObserved | None:
        """Observe later, with the GPUs telling so."""
        await asyncio.sleep(after_s)
        self.gpus.answer = says
        assert isinstance(self.scaler.spec, ScalerSpec)
        return (await self.observer.observe(self.scaler, self.scaler.spec)).gpu

    def edit(self, **config: Any) -> None:
        """Edit the configuration and see the scaler anew."""
        self.world.edit("chat", gpuConfig=CONFIG | config)
        self.scaler = project_scaler(self.world.raw("chat"), self.scaler)


@pytest.fixture
async def lens(world: World) -> AsyncIterator[Lens]:
    """A scaler of four ready replicas, observed every 15 s."""
    world.add("chat", replicas=4, gpuConfig=CONFIG)
    workloads, told = Workloads(world.kube), FakeGpus()
    sources = {SourceType.PROMETHEUS: world.source}
    async with running(workloads.run()):
        await workloads.synced()
        yield Lens(
            world, told, Observer(workloads, sources, lambda _: cadence.steady(15), loop_s, told)
        )


async def test_gpus_are_read_while_the_sources_are(lens: Lens) -> None:
    """The slowest of them all is what an evaluation takes, and the pods are told."""
    lens.gpus.takes_s, lens.world.source.takes_s["chat"] = 3.0, 4.0
    started_s = loop_s()
    assert await lens.look(gpus()) == gpus()
    assert loop_s() - started_s == pytest.approx(4.0)
    (asked,) = lens.gpus.asked
    assert (asked.namespace, asked.max_age_s) == ("ml", 7.5)
    assert sorted(pod.name for pod in asked.ready) == [f"chat-{index}" for index in range(4)]


@pytest.mark.parametrize(
    "config", [pytest.param(None, id="none"), pytest.param({"enabled": False}, id="not-enabled")]
)
async def test_gpus_that_nobody_asks_for_are_not_read(
    lens: Lens, config: dict[str, Any] | None
) -> None:
    """A scaler without GPUs costs nothing."""
    lens.world.edit("chat", gpuConfig=config)
    lens.scaler = project_scaler(lens.world.raw("chat"), lens.scaler)
    assert await lens.look(gpus()) is None
    assert lens.gpus.asked == []


async def test_a_lost_page_is_no_outage(lens: Lens) -> None:
    """The last good reading stands, with its age, for a minute and not a second longer."""
    await lens.look(gpus())
    later = Reading(50.0, 15.0, 4, 4)
    found = await lens.look(DEAD, after_s=15)
    assert isinstance(found, GpuReading)
    assert (found.memory, found.gpus, found.gpu_type) == (later, 4, "H100")
    assert isinstance(await lens.look(DEAD, after_s=45), GpuReading)
    assert await lens.look(DEAD, after_s=0.1) == DEAD
    assert await lens.look(gpus(60.0), after_s=1) == gpus(60.0)


async def test_a_lost_quantity_is_no_outage_either(lens: Lens) -> None:
    """Each stands for itself, and as long."""
    await lens.look(gpus(50.0, 40.0))
    found = await lens.look(gpus(55.0, BLANK), after_s=60)
    assert found == gpus(55.0, Reading(40.0, 60.0, 4, 4))
    assert await lens.look(gpus(55.0, BLANK), after_s=1) == gpus(55.0, BLANK)
    assert await lens.look(DEAD, after_s=30) == gpus(Reading(55.0, 30.0, 4, 4), DEAD)


async def test_an_edited_configuration_has_no_old_reading(lens: Lens) -> None:
    """Another exporter may tell of other GPUs."""
    await lens.look(gpus())
    lens.edit(dcgmEndpoint="http://other:9400/metrics")
    assert await lens.look(DEAD, after_s=1) == DEAD


async def test_what_is_forgotten_does_not_stand_in(lens: Lens) -> None:
    """A scaler made again under its name starts without readings."""
    await lens.look(gpus())
    lens.observer.forget(lens.scaler.uid)
    assert await lens.look(DEAD, after_s=1) == DEAD


async def test_reading_that_never_ends_is_ended(lens: Lens) -> None:
    """A bug in a reader does not stop an evaluation for ever."""
    lens.gpus.takes_s = 3600.0
    found = await lens.look(gpus())
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert loop_s() == pytest.approx(observing.FETCH_LIMIT_S, abs=1)


@pytest.fixture
def told(world: World) -> FakeGpus:
    """What the GPUs of a world tell, of a scaler whose queue wants two of four replicas."""
    world.add("chat", replicas=4, says=2.0, gpuConfig=CONFIG)
    made = FakeGpus()
    world.gpu = made
    return made


async def test_the_status_tells_of_gpus(world: World, told: FakeGpus) -> None:
    """In whole percent, with their number and model."""
    told.answer = gpus(90.4, 39.6)
    async with world.leading():
        await asyncio.sleep(1)
    assert world.status("chat")["gpuStatus"] == {
        "averageMemoryUtilization": 90,
        "averageComputeUtilization": 40,
        "totalGPUs": 4,
        "gpuType": "H100",
    }
    assert world.status("chat")["desiredScale"] == 6


async def test_what_is_not_told_is_left_out_of_the_status(world: World, told: FakeGpus) -> None:
    """No 0 stands for it; GPUs that are gone altogether leave nothing, and hold the replicas."""
    told.answer = GpuReading(Reading(20.0, 0.0, 4, 4), BLANK, 4)
    async with world.leading():
        await asyncio.sleep(1)
        assert world.status("chat")["gpuStatus"] == {
            "averageMemoryUtilization": 20,
            "totalGPUs": 4,
        }
        assert world.status("chat")["desiredScale"] == 2
        told.answer = DEAD
        await asyncio.sleep(120)
    assert "gpuStatus" not in world.status("chat")
    assert world.status("chat")["desiredScale"] == 4
    active = world.condition("chat", "ScalingActive")
    assert active["status"] == "True"
    assert "GPU memory (Unreachable): the exporter is down" in active["message"]


async def test_gpus_have_figures(world: World, told: FakeGpus) -> None:
    """As ratios; what is not told has no figure but says why."""
    told.answer = gpus(90.0, BLANK)
    chat = {"namespace": "ml", "name": "chat"}
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        registry = CollectorRegistry()
        registry.register(EvaluatorCollector(evaluator, lambda: True, lambda: 0))
        figures = {
            name: registry.get_sample_value(f"budaiscaler_{name}", chat)
            for name in ("gpus", "gpu_memory_ratio", "gpu_utilization_ratio")
        }
        blank = {
            name: registry.get_sample_value(
                "budaiscaler_gpu_no_data", chat | {"reading": name, "reason": "MetricNotFound"}
            )
            for name in ("memory", "utilization")
        }
        told.answer = DEAD
        await asyncio.sleep(120)
        dead = [
            registry.get_sample_value(
                "budaiscaler_gpu_no_data", chat | {"reading": name, "reason": "Unreachable"}
            )
            for name in ("memory", "utilization")
        ]
        gone = registry.get_sample_value("budaiscaler_gpu_memory_ratio", chat)
    assert figures == {"gpus": 4, "gpu_memory_ratio": 0.9, "gpu_utilization_ratio": None}
    assert blank == {"memory": None, "utilization": 1}
    assert (dead, gone) == ([1, 1], None)


async def test_an_endpoint_that_only_an_edit_mends_makes_the_scaler_unready(
    world: World, told: FakeGpus
) -> None:
    """As with the endpoint of a source."""
    told.answer = NoData(NoDataReason.DENIED_ADDRESS, "http://169.254.169.254 leads to metadata")
    async with world.leading():
        await asyncio.sleep(1)
    ready = world.condition("chat", "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "DeniedAddress")
    assert ready["message"].startswith("gpuConfig: http://169.254.169.254")


async def test_gpus_that_jitter_are_not_written_each_time(world: World, told: FakeGpus) -> None:
    """Within five percent it waits for minutes; ten evaluations are at most one write more."""
    told.answer = gpus(20.0, 50.0)
    async with world.leading():
        await asyncio.sleep(90)
        before = world.writes("chat")
        for step in range(10):
            told.answer = gpus(20.0 + step % 3, 50.0 - step % 4)
            await asyncio.sleep(15)
    assert world.writes("chat") - before <= 1


@pytest.mark.parametrize(
    ("change", "jitters"),
    [
        pytest.param({"averageMemoryUtilization": 55}, True, id="five-percent"),
        pytest.param({"averageMemoryUtilization": 56}, False, id="more"),
        pytest.param({"averageComputeUtilization": 34}, False, id="less"),
        pytest.param({"totalGPUs": 5}, False, id="a-gpu-more"),
        pytest.param({"gpuType": "H200"}, False, id="another-model"),
        pytest.param({"averageComputeUtilization": None}, False, id="not-told-any-more"),
    ],
)
def test_what_of_gpus_is_jitter(change: dict[str, Any], *, jitters: bool) -> None:
    """None of it is a reason to write at once."""
    whole = {"averageMemoryUtilization": 50, "averageComputeUtilization": 40, "totalGPUs": 4}
    whole |= {"gpuType": "H100"}  # type: ignore[dict-item]  # numbers and a text
    changed = {key: told for key, told in (whole | change).items() if told is not None}
    before, after = {"gpuStatus": whole}, {"gpuStatus": changed}
    assert significance.is_jitter(before, after) is jitters
    assert not significance.is_significant(before, after, lambda _: True)


def test_gpus_that_fall_silent_or_speak_again_cannot_wait() -> None:
    """As with a source."""
    silent: dict[str, Any] = {}
    speaking = {"gpuStatus": {"totalGPUs": 4}}
    assert significance.is_significant(speaking, silent, lambda _: False)
    assert significance.is_significant(silent, speaking, lambda _: False)


def test_the_status_of_gpus_is_the_evaluators() -> None:
    """It is compared with what stands there, and mended when somebody edited it."""
    assert restoring.own_part({"gpuStatus": {"totalGPUs": 4}}, acts=False)["gpuStatus"] == {
        "totalGPUs": 4
    }
