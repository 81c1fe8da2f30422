"""The first decision of a leader on a KPA scaler sees what the Prometheus remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.api.sources import MetricsSource, SourceType
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator import warming
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.sources.base import PastTotal
from tests.conftest import NOON
from tests.evaluator.world import World, loop_s

pytestmark = pytest.mark.looptime


@dataclass(slots=True)
class FakePast:
    """Remembers a total of every five seconds before now, or nothing.

    Attributes:
        totals: oldest first, the last of them five seconds ago; or why there are none.
        takes_s: how long telling takes.
        asked: namespace, name and length of every request.
    """

    totals: Sequence[float] | NoData
    takes_s: float = 0.0
    asked: list[tuple[str, str, float]] = field(default_factory=list)

    async def past(
        self, namespace: str, source: MetricsSource, length_s: float, step_s: float
    ) -> tuple[PastTotal, ...] | NoData:
        self.asked.append((namespace, source.key, length_s))
        now_s = NOON.timestamp() + loop_s()
        await asyncio.sleep(self.takes_s)
        if isinstance(self.totals, NoData):
            return self.totals
        return tuple(
            PastTotal(now_s - step_s * (len(self.totals) - number), total)
            for number, total in enumerate(self.totals)
        )


def _evaluator(world: World, past: FakePast | None) -> Evaluator:
    evaluator = world.evaluator(strategy=Strategy.KPA)
    evaluator.past = past
    return evaluator


async def _decided(world: World, past: FakePast | None, after_s: float = 1.0) -> int:
    async with world.leading(_evaluator(world, past)):
        await asyncio.sleep(after_s)
        wanted: int = world.status("chat")["desiredScale"]
        return wanted


@pytest.mark.parametrize(
    ("past", "wanted"),
    [
        pytest.param(FakePast([9.0] * 35), 9, id="told"),
        pytest.param(FakePast([]), 1, id="nothing-to-tell"),
        pytest.param(FakePast(NoData(NoDataReason.HTTP_ERROR, "it refuses")), 1, id="refused"),
        pytest.param(FakePast([9.0] * 35, takes_s=3600), 1, id="never"),
        pytest.param(None, 1, id="nobody-to-ask"),
    ],
)
async def test_a_leader_that_begins_in_a_lull(
    world: World, past: FakePast | None, wanted: int
) -> None:
    """It keeps what the last minutes need if it is told of them, and decides anyway if not."""
    world.add("chat", replicas=1, says=1.0, scalingStrategy="KPA", maxReplicas=50)
    assert await _decided(world, past, after_s=warming.LIMIT_S + 1) == wanted


async def test_it_is_asked_once(world: World) -> None:
    """Only for the first decision, in the scaler's namespace, for as long as the window is."""
    world.add("chat", replicas=1, says=1.0, scalingStrategy="KPA", maxReplicas=50)
    past = FakePast([9.0] * 35)
    await _decided(world, past, after_s=60)
    assert past.asked == [("ml", "chat", 180.0)]


@pytest.mark.parametrize(
    ("away_s", "asked"),
    [pytest.param(0.0, 0, id="at-once"), pytest.param(600.0, 1, id="after-a-gap")],
)
async def test_the_next_leader_asks_after_a_gap(world: World, away_s: float, asked: int) -> None:
    """One that knows all that the leader before saw asks for nothing."""
    world.add("chat", replicas=4, says=4.0, scalingStrategy="KPA", maxReplicas=50)
    async with world.leading(_evaluator(world, None)):
        await asyncio.sleep(200)
        world.source.answers["chat"] = 50.0  # panic, which is written at once
        await asyncio.sleep(8)
    await asyncio.sleep(away_s)
    past = FakePast([9.0] * 35)
    async with world.leading(_evaluator(world, past)):
        await asyncio.sleep(1)
    assert len(past.asked) == asked


async def test_what_no_prometheus_gave_it_does_not_remember(world: World) -> None:
    """The total of pods that are asked one by one is nobody's to tell afterwards."""
    source = {
        "metricSourceType": "pod",
        "targetMetric": "chat",
        "targetValue": "1",
        "targetType": "AverageValue",
        "port": "8000",
    }
    world.sources[SourceType.POD] = world.source
    world.source.answers["chat"] = 1.0
    world.add_workload("chat", replicas=1)
    world.add_scaler("chat", source, scalingStrategy="KPA", maxReplicas=50)
    past = FakePast([9.0] * 35)

    assert await _decided(world, past) == 1
    assert past.asked == []
