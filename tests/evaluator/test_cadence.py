"""KPA decides more often than it asks its sources; everybody else asks for each decision."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.evaluator.cadence import Cadence
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.kube.resources import DEPLOYMENTS
from tests import rules, samples
from tests.evaluator.world import NAMESPACE, FakeGpus, World

pytestmark = pytest.mark.looptime

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")


def _evaluator(world: World, strategy: Strategy = Strategy.KPA) -> Evaluator:
    return world.evaluator(strategy=strategy)


def _gaps(world: World, name: str = "chat") -> list[float]:
    """Seconds between two queries, without the first ones, which are spread."""
    return [after - before for before, after in itertools.pairwise(world.source.times(name))][1:]


async def test_kpa_decides_each_two_seconds_on_samples_each_five(world: World) -> None:
    """In ten minutes 300 decisions, give or take, and no query sooner than it should be."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    async with world.leading(_evaluator(world)) as evaluator:
        await asyncio.sleep(600)
        assert 290 <= evaluator.counters.evaluations <= 450
    assert min(_gaps(world)) >= 4.99
    assert max(_gaps(world)) <= 5.01


@pytest.mark.parametrize("strategy", [Strategy.HPA, Strategy.BUD_SCALER])
async def test_others_ask_for_each_decision(world: World, strategy: Strategy) -> None:
    """What they decide by is never of the decision before."""
    world.add("chat", says=4.0, scalingStrategy=str(strategy))
    async with world.leading(_evaluator(world, strategy)) as evaluator:
        await asyncio.sleep(600)
        assert len(world.source.times("chat")) == evaluator.counters.evaluations


async def test_both_intervals_can_be_set(world: World) -> None:
    """Each ten and each thirty seconds, say, where Prometheus scrapes as seldom."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    evaluator = _evaluator(world)
    evaluator.kpa = Cadence(10, 30)
    async with world.leading(evaluator):
        await asyncio.sleep(600)
        assert 60 <= evaluator.counters.evaluations <= 90
    assert min(_gaps(world)) >= 29.99


async def test_a_decision_between_two_samples_has_the_last_readings(world: World) -> None:
    """It tells how old they are, and a source that gave none has none until it is asked again."""
    sources = [samples.total(name=name) for name in ("chat", "dead")]
    world.add("chat", says=4.0, scalingStrategy="KPA", metricsSources=sources)
    world.source.answers["dead"] = DEAD
    seen = []
    async with world.leading(_evaluator(world)) as evaluator:
        await asyncio.sleep(20)
        for _ in range(50):
            await asyncio.sleep(0.5)
            observation = evaluator.outcomes[NAMESPACE, "chat"].observation
            assert observation is not None
            seen.append(observation.readings)
    ages = [one["chat"].age_s for one in seen if isinstance(one["chat"], Reading)]
    assert len(ages) == 50
    assert max(ages) < 5
    assert max(ages) > 3
    assert all(one["dead"] == DEAD for one in seen)


async def test_an_edited_source_is_asked_at_once(world: World) -> None:
    """What the old query told is no reading of the new one."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    world.source.answers["other"] = 9.0
    async with world.leading(_evaluator(world)) as evaluator:
        await asyncio.sleep(30)
        world.edit("chat", metricsSources=[samples.total(name="other")])
        await asyncio.sleep(0.1)
        observation = evaluator.outcomes[NAMESPACE, "chat"].observation
        assert observation is not None
        assert observation.readings == {"other": Reading(9.0)}


async def test_gpus_are_read_as_often_as_sources(world: World) -> None:
    """They are a source as any other."""
    gpus = world.gpu = FakeGpus(GpuReading(Reading(50.0), Reading(50.0), 4))
    world.add(
        "chat",
        says=4.0,
        scalingStrategy="KPA",
        gpuConfig={"enabled": True, "gpuMemoryThreshold": 70},
    )
    async with world.leading(_evaluator(world)):
        await asyncio.sleep(100)
    assert len(gpus.asked) == len(world.source.times("chat"))


async def test_scalers_that_began_at_once_do_not_ask_at_once_for_ever(world: World) -> None:
    """Ten that a new leader finds: a minute later their queries are spread over the interval."""
    for i in range(10):
        world.add(f"s{i}", scalingStrategy="KPA")
    async with world.leading(_evaluator(world)):
        await asyncio.sleep(60)
    phases = {round(world.source.times(f"s{i}")[-1] % 5, 1) for i in range(10)}
    assert len(phases) > 5


async def test_a_spec_that_becomes_invalid_is_evaluated_no_more_often(world: World) -> None:
    """What was asked for the one before is due, and nobody can ask for this one."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    async with world.leading(_evaluator(world)) as evaluator:
        await asyncio.sleep(60)
        world.edit("chat", scheduleHints=[rules.hint(timeZone="Mars")])
        before = evaluator.counters.evaluations
        await asyncio.sleep(60)
        assert world.condition("chat", "Ready")["reason"] == "InvalidSpec"
        assert 28 <= evaluator.counters.evaluations - before <= 46


@pytest.mark.parametrize(
    "strategy", [pytest.param("BudScaler", id="to-budscaler"), pytest.param("HPA", id="to-hpa")]
)
async def test_a_change_of_the_strategy_changes_the_cadence(world: World, strategy: str) -> None:
    """What KPA was told is due no more: the others decide each 15 s, and ask for that."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    evaluator = _evaluator(world)
    evaluator.owns = lambda _: True
    async with world.leading(evaluator):
        await asyncio.sleep(60)
        world.edit("chat", scalingStrategy=strategy)
        before = evaluator.counters.evaluations
        await asyncio.sleep(600)
        assert 38 <= evaluator.counters.evaluations - before <= 46
        assert len(world.source.times("chat")) <= 60 / 5 + 46 + 2


async def test_a_target_that_goes_is_looked_for_no_more_often(world: World) -> None:
    """Its sources are due and cannot be asked, which must not have it evaluated on and on."""
    world.add("chat", says=4.0, scalingStrategy="KPA")
    async with world.leading(_evaluator(world)) as evaluator:
        await asyncio.sleep(60)
        world.kube.remove(DEPLOYMENTS.item(NAMESPACE, "chat"))
        before = evaluator.counters.evaluations
        await asyncio.sleep(60)
        assert world.condition("chat", "Ready")["reason"] == "TargetNotFound"
        assert 28 <= evaluator.counters.evaluations - before <= 46
