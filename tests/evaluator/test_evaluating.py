"""The loop as stories: who is evaluated, when, and what stands in the status afterwards."""

from __future__ import annotations

import asyncio
import itertools
import traceback
from dataclasses import dataclass
from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.evaluator import CONCURRENT_WRITES
from budaiscaler.kube.port import Json, PatchType
from tests import samples
from tests.evaluator.world import NAMESPACE, World, scaler_path
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")


async def test_a_scaler_is_evaluated_and_its_status_written(world: World) -> None:
    """The decision, what it was made of, why, and that all is well stand in the object."""
    world.add("chat", replicas=4, says=6.5)
    async with world.leading():
        await asyncio.sleep(1)
    status = world.status("chat")
    assert (status["actualScale"], status["desiredScale"], status["desiredLoad"]) == (4, 7, "6500m")
    assert status["observedGeneration"] == 1
    assert status["boundBy"] == "combine"
    assert status["decisionTime"] == "2026-01-05T12:00:00Z"
    assert [rung["code"] for rung in status["reasons"]] == [
        "NeedFromTotal",
        "LargestNeed",
        "Result",
    ]
    assert status["sources"] == [{"name": "chat", "metric": "chat", "value": "6.5"}]
    assert "holdingSince" not in status
    truths = {c["type"]: c["status"] for c in status["conditions"]}
    assert truths == {
        "CapacityAvailable": "True",
        "Paused": "False",
        "Ready": "True",
        "ScalingActive": "True",
        "ScalingLimited": "False",
    }
    assert world.events() == []


async def test_a_scaler_is_evaluated_once_an_interval(world: World) -> None:
    """Forty times in ten minutes, give or take the jitter, and never much sooner or later."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(600)
    at_s = world.source.times("chat")
    assert 38 <= len(at_s) <= 43
    gaps = [after - before for before, after in itertools.pairwise(at_s[1:])]
    assert all(13.5 <= gap <= 16.5 for gap in gaps)


async def test_an_edit_is_evaluated_at_once(world: World) -> None:
    """Who lowers a maximum sees it in the status within the second."""
    world.add("chat", says=50.0)
    async with world.leading():
        await asyncio.sleep(3)
        world.edit("chat", maxReplicas=9)
        await asyncio.sleep(0.5)
    assert world.status("chat")["desiredScale"] == 9
    assert world.status("chat")["observedGeneration"] == 2


async def test_an_edit_during_an_evaluation_is_evaluated_right_after_it(world: World) -> None:
    """It is neither lost nor evaluated beside the one that is under way."""
    world.add("chat", says=50.0)
    world.source.takes_s["chat"] = 5
    async with world.leading():
        await asyncio.sleep(2)
        world.edit("chat", maxReplicas=9)
        await asyncio.sleep(8.5)
    assert world.status("chat")["desiredScale"] == 9
    assert len(world.source.times("chat")) == 2
    assert world.source.most_of_one == 1


async def test_a_new_scaler_is_evaluated_at_once(world: World) -> None:
    """It does not wait for its turn in an interval."""
    async with world.leading():
        await asyncio.sleep(60)
        world.add("chat")
        await asyncio.sleep(0.5)
        assert world.status("chat")["desiredScale"] == 4


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param("KPA", id="kpa"),
        pytest.param("BudScaler", id="budscaler"),
        pytest.param("Unheard", id="of-a-newer-server"),
    ],
)
async def test_the_scalers_of_others_are_left_alone(world: World, strategy: str) -> None:
    """Neither fetched for nor written to."""
    world.add("chat", scalingStrategy=strategy)
    async with world.leading() as evaluator:
        await asyncio.sleep(30)
        assert evaluator.vouches()
    assert (world.source.asked, world.writes()) == ([], 0)


@pytest.mark.parametrize(
    ("trouble", "takes_s", "reason"),
    [
        pytest.param(RuntimeError("a bug"), 0, "InternalError", id="a-bug"),
        pytest.param(DEAD, 0, "NoData", id="a-dead-source"),
        pytest.param(1.0, 3600, "NoData", id="a-source-that-hangs"),
    ],
)
async def test_one_broken_scaler_does_not_disturb_another(
    world: World, trouble: float | NoData | Exception, takes_s: float, reason: str
) -> None:
    """The other is evaluated as often as ever, and the broken one says what is wrong."""
    world.add("well", says=4.0)
    world.add("ill", says=trouble)
    world.source.takes_s["ill"] = takes_s
    async with world.leading():
        await asyncio.sleep(600)
    assert 38 <= len(world.source.times("well")) <= 43
    assert world.condition("well", "Ready")["status"] == "True"
    assert world.condition("ill", "Ready")["reason"] == reason
    assert [event for event in world.events() if event[0] == "well"] == []


async def test_a_bug_that_is_gone_leaves_no_trace(world: World) -> None:
    """The scaler recovers by itself, and one event tells of each, not one an evaluation."""
    world.add("chat", says=RuntimeError("a bug"))
    async with world.leading() as evaluator:
        await asyncio.sleep(60)
        assert evaluator.counters.failures == evaluator.counters.evaluations > 3
        world.source.answers["chat"] = 6.0
        await asyncio.sleep(20)
    assert world.status("chat")["desiredScale"] == 6
    assert world.events() == [("chat", "Warning", "InternalError"), ("chat", "Normal", "Recovered")]


async def test_an_invalid_spec_says_what_to_change_and_recovers_when_it_is(world: World) -> None:
    """Nothing is fetched or published for it until it is mended."""
    world.add("chat", minReplicas=200)
    async with world.leading() as evaluator:
        await asyncio.sleep(300)
        assert evaluator.counters.evaluations > 15
        assert world.source.asked == []
        assert "desiredLoad" not in world.status("chat")
        assert "lower minReplicas" in world.condition("chat", "Ready")["message"]
        world.edit("chat", minReplicas=2)
        await asyncio.sleep(0.5)
    assert world.status("chat")["desiredScale"] == 4
    assert world.events() == [("chat", "Warning", "InvalidSpec"), ("chat", "Normal", "Recovered")]


async def test_an_error_that_is_kept_does_not_grow(world: World) -> None:
    """An invalid scaler is looked at for months: what is kept of it stays as small as it was."""
    world.add("chat", minReplicas=200)
    async with world.leading() as evaluator:
        kept = evaluator.scalers.objects[NAMESPACE, "chat"].spec
        assert isinstance(kept, InvalidSpecError)
        before = len(traceback.extract_tb(kept.__traceback__))
        await asyncio.sleep(300)
        assert len(traceback.extract_tb(kept.__traceback__)) == before


async def test_sources_that_hang_hold_nobody_else_up(world: World) -> None:
    """Two hundred of one tenant: each waits for its own, and a good scaler is as quick as ever."""
    for i in range(200):
        world.add(f"s{i}", replicas=0, minReplicas=0)
        world.source.takes_s[f"s{i}"] = 20
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(10)
        for i in range(150, 200):
            world.edit(f"s{i}", maxReplicas=9)  # while they wait
        world.source.answers["chat"] = 7.0
        await asyncio.sleep(16.6)
        assert world.status("chat")["desiredScale"] == 7
        await asyncio.sleep(20)
        assert evaluator.is_round_complete
    assert world.source.most_of_one == 1


@dataclass(slots=True)
class _SlowKube(FakeKube):
    """Takes its time for every status, and counts how many it is given at once."""

    under_way: int = 0
    most_at_once: int = 0

    async def patch(
        self, path: str, body: Json | list[Json], kind: PatchType, params: Any = None
    ) -> Json:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await asyncio.sleep(2)
        self.under_way -= 1
        return await FakeKube.patch(self, path, body, kind, params)


async def test_no_more_than_a_bounded_number_of_statuses_is_written_at_once() -> None:
    """A start with hundreds of scalers leaves the API server room for others, the Lease first."""
    kube = _SlowKube()
    world = World(kube)
    for i in range(200):
        world.add(f"s{i}", replicas=0, minReplicas=0)
    async with world.leading(world.evaluator(interval_s=300)) as evaluator:
        await asyncio.sleep(30)
        assert evaluator.is_round_complete
    assert kube.most_at_once == CONCURRENT_WRITES


async def test_a_failing_source_beside_a_good_one_shows_in_the_status(world: World) -> None:
    """The good one decides upwards; the dead one is named, with the time it went silent."""
    world.add("chat", says=9.0)
    world.source.answers["dead"] = DEAD
    world.edit("chat", metricsSources=[samples.total(name="chat"), samples.level(name="dead")])
    async with world.leading():
        await asyncio.sleep(1)
    assert world.status("chat")["desiredScale"] == 9
    good, dead = world.status("chat")["sources"]
    assert good["value"] == "9.0"
    assert dead == {
        "name": "dead",
        "metric": "dead",
        "noDataSince": "2026-01-05T12:00:00Z",
        "reason": "Unreachable",
    }
    assert world.condition("chat", "ScalingActive")["status"] == "True"


async def test_an_hpa_without_exact_steps_is_led_past_its_dead_band(world: World) -> None:
    """From the next evaluation on after the controller has told so, and until it takes it back."""
    world.add("chat", replicas=10, says=10.5, behavior=samples.tolerance("0"))
    async with world.leading():
        await asyncio.sleep(1)
        assert world.status("chat")["desiredLoad"] == "10500m"
        for status, load in (("False", "12"), ("True", "10500m")):
            raw = world.raw("chat")
            others = [c for c in raw["status"]["conditions"] if c["type"] != "ExactScaling"]
            told = {"type": "ExactScaling", "status": status, "reason": "x", "message": "x"}
            raw["status"]["conditions"] = [*others, told]
            world.kube.put(scaler_path("chat"), raw)
            await asyncio.sleep(80)
            assert world.status("chat")["desiredLoad"] == load
            assert world.condition("chat", "ExactScaling") == told
