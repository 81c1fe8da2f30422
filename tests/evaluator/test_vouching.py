"""The leader's word: everything that is reported is true as of now, or it is not given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from budaiscaler.domain.errors import ForbiddenError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.runtime.clock import SHORTEST_REAL_INTERVAL_S
from tests.evaluator.world import World, loop_s, scaler_path
from tests.fakes.link import Link

pytestmark = pytest.mark.looptime

REFUSED = ForbiddenError(403, "Forbidden", "a webhook says no")


def _evaluator(world: World, speed: float, clock: Callable[[], float]) -> Evaluator:
    """One whose story runs so many times as fast."""
    least_s = speed * SHORTEST_REAL_INTERVAL_S
    return replace(world.evaluator(), clock=clock, speed=speed, least_interval_s=least_s)


async def test_no_word_before_the_first_round_is_complete(world: World) -> None:
    """What stands in the status of the slowest scaler may be of yesterday."""
    world.add("quick")
    world.add("slow")
    world.source.takes_s["slow"] = 20
    async with world.leading() as evaluator:
        await asyncio.sleep(19)
        assert not evaluator.vouches()
        await asyncio.sleep(2)
        assert evaluator.vouches()


async def test_no_word_from_who_does_not_lead(world: World) -> None:
    """Neither before nor after, whatever was evaluated in between."""
    world.add("chat")
    evaluator = world.evaluator()
    assert not evaluator.vouches()
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        assert evaluator.vouches()
    assert not evaluator.vouches()
    assert not evaluator.is_round_complete
    assert evaluator.outcomes == {}


async def test_without_scalers_there_is_nothing_wrong(world: World) -> None:
    """An empty cluster has a leader whose word counts."""
    async with world.leading() as evaluator:
        assert evaluator.vouches()


async def test_a_scaler_that_is_broken_is_reported_and_takes_no_word_away(world: World) -> None:
    """That it has no data is true as of now."""
    world.add("dead", says=NoData(NoDataReason.UNREACHABLE, "it is down"))
    world.add("bug", says=RuntimeError("a bug"))
    world.add("invalid", minReplicas=200)
    world.add_scaler("lost")
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        assert evaluator.vouches()
    assert world.condition("lost", "Ready")["reason"] == "TargetNotFound"


async def test_a_scaler_that_is_being_deleted_does_not_hold_up_the_word(world: World) -> None:
    """A finalizer that nobody removes must not silence a new leader for all others."""
    world.add("chat")
    world.add("going")
    raw = world.raw("going")
    raw["metadata"]["deletionTimestamp"] = "2026-01-05T11:00:00Z"
    world.kube.put(scaler_path("going"), raw)
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        assert evaluator.vouches()


async def test_a_scaler_that_goes_during_the_first_round_does_not_hold_up_the_word(
    world: World,
) -> None:
    """Deleted or given away before its turn, it is not waited for."""
    world.add("chat")
    for name in ("deleted", "given"):
        world.add(name)
        world.source.takes_s[name] = 25
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        assert not evaluator.vouches()
        world.delete("deleted")
        world.edit("given", scalingStrategy="KPA")
        await asyncio.sleep(0.1)
        assert evaluator.vouches()


async def test_no_word_while_reports_queue_up(world: World) -> None:
    """An API server that takes very long for each: most of what stands there is minutes old."""
    link = Link(world.kube)
    for i in range(400):
        world.add(f"s{i}", replicas=0, minReplicas=0, says=0.0)
    evaluator = world.evaluator()
    evaluator.writer.kube = link
    async with world.leading(evaluator):
        await asyncio.sleep(20)
        assert evaluator.vouches()
        link.answer_after_s["patch"] = 25.0
        for i in range(400):
            world.edit(f"s{i}", maxReplicas=9)
        await asyncio.sleep(100)
        assert not evaluator.vouches()
        link.answer_after_s.clear()
        await asyncio.sleep(60)
        assert evaluator.vouches()


@pytest.mark.parametrize("speed", [1.0, 600.0])
async def test_no_word_while_one_report_takes_minutes(world: World, speed: float) -> None:
    """One and a half of them: real ones, since an API server is no faster in a fast story."""
    world.add("chat")
    link = Link(world.kube)
    evaluator = _evaluator(world, speed, lambda: speed * loop_s())
    evaluator.writer.kube = link
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        link.answer_after_s["patch"] = 100.0
        world.edit("chat", maxReplicas=9)
        await asyncio.sleep(89)
        assert evaluator.vouches()
        await asyncio.sleep(2)
        assert not evaluator.vouches()
        link.answer_after_s.clear()
        await asyncio.sleep(10)
        assert evaluator.vouches()


@pytest.mark.parametrize("speed", [1.0, 600.0])
async def test_no_word_from_a_loop_that_stood_still(world: World, speed: float) -> None:
    """A process that had no turn for more than a real minute reported what is old by now."""
    world.add("chat")
    still_s = 0.0
    evaluator = _evaluator(world, speed, lambda: speed * (loop_s() + still_s))
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        still_s = 59.0
        assert evaluator.vouches()
        still_s = 80.0
        assert not evaluator.vouches()
        await asyncio.sleep(20)
        assert evaluator.vouches()


async def test_sources_that_hang_take_no_word_away(world: World) -> None:
    """That they have no data is known as soon as they are given up; the others are as fresh."""
    for i in range(300):
        world.add(f"s{i}", replicas=0, minReplicas=0, says=0.0)
    async with world.leading() as evaluator:
        await asyncio.sleep(20)
        world.source.takes_s |= {f"s{i}": 1000.0 for i in range(299)}
        for _ in range(10):
            await asyncio.sleep(20)
            assert evaluator.vouches()


@pytest.mark.parametrize("kind", ["/pods", "/deployments", "/budaiscalers"])
async def test_no_word_while_it_decides_on_what_it_saw_long_ago(world: World, kind: str) -> None:
    """A right that was taken away stops one watch: pods and specs are then as they were."""
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(20)
        for verb in ("get", "watch"):
            world.kube.fail(verb, kind, REFUSED)
        world.kube.end_watches()
        await asyncio.sleep(100)
        assert evaluator.vouches()
        await asyncio.sleep(200)
        assert not evaluator.vouches()
        world.kube.heal()
        await asyncio.sleep(60)
        assert evaluator.vouches()


async def test_a_new_leader_whose_reports_are_refused_gives_no_word_at_all(world: World) -> None:
    """Its webhook comes up after it: until then, what stands there may be hours old."""
    world.add("chat")
    world.add("other")
    world.kube.fail("patch", "/status", REFUSED)
    async with world.leading() as evaluator:
        await asyncio.sleep(2)
        assert evaluator.is_round_complete
        assert not evaluator.vouches()
        world.kube.heal()
        await asyncio.sleep(20)
        assert evaluator.vouches()


async def test_a_leader_whose_reports_are_refused_from_now_on_has_a_minute(world: World) -> None:
    """What it reported was true a moment ago; after a minute it may not be."""
    world.add("chat")
    world.add("other")
    async with world.leading() as evaluator:
        await asyncio.sleep(20)
        world.kube.fail("patch", "/status", REFUSED)
        world.source.answers |= {"chat": 9.0, "other": 9.0}
        await asyncio.sleep(50)
        assert evaluator.vouches()
        await asyncio.sleep(40)
        assert not evaluator.vouches()
        world.kube.heal()
        await asyncio.sleep(20)
        assert evaluator.vouches()


async def test_one_scaler_that_a_policy_refuses_takes_no_word_away(world: World) -> None:
    """The figures of all others are true, and their reports get through."""
    world.add("refused")
    world.add("chat")
    world.kube.fail("patch", "refused/status", REFUSED)
    async with world.leading() as evaluator:
        for load in range(20):
            world.source.answers["chat"] = float(load)
            await asyncio.sleep(15)
            assert evaluator.vouches()
    assert world.status("refused") == {}


async def test_a_new_term_begins_without_the_refusals_of_the_last(world: World) -> None:
    """The same copy leads again, nothing needs to be written, and nothing is held against it."""
    world.add("chat")
    world.add("other")
    evaluator = world.evaluator()
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        world.kube.fail("patch", "/status", REFUSED)
        world.source.answers |= {"chat": 9.0, "other": 9.0}
        await asyncio.sleep(90)
        assert not evaluator.vouches()
    world.kube.heal()
    world.source.answers |= {"chat": 4.0, "other": 4.0}
    writes = world.writes()
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        assert evaluator.vouches()
    assert world.writes() == writes
