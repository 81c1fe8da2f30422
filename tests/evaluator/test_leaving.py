"""Scalers that go: deleted, given to another strategy, or pointed at another workload."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain.errors import OverloadedError
from budaiscaler.evaluator.evaluator import CONCURRENT_WRITES, Evaluator
from budaiscaler.kube.port import Json, PatchType
from tests.evaluator.world import NAMESPACE, World, scaler_path
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

OVERLOADED = OverloadedError(503, "", "etcd is slow")


def _kept(evaluator: Evaluator) -> int:
    """How much is kept, of all scalers together."""
    return (
        len(evaluator.outcomes)
        + len(evaluator._memories)
        + len(evaluator._observer._good)
        + len(evaluator._schedule._due)
        + len(evaluator._evaluating)
        + len(evaluator.writer._refused)
    )


async def test_a_deleted_scaler_leaves_nothing_behind(world: World) -> None:
    """No memory, no place in the schedule, no series, and no fetch after it."""
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(40)
        assert _kept(evaluator) > 0
        world.delete("chat")
        await asyncio.sleep(0.1)
        asked = len(world.source.asked)
        assert _kept(evaluator) == 0
        await asyncio.sleep(60)
    assert len(world.source.asked) == asked


@pytest.mark.parametrize("refuses", [False, True], ids=["a-good-server", "a-refusing-server"])
async def test_a_scaler_deleted_while_it_is_evaluated_leaves_nothing_behind(
    world: World, *, refuses: bool
) -> None:
    """What the evaluation kept after the deletion goes with its end."""
    world.add("chat")
    world.source.takes_s["chat"] = 5
    async with world.leading() as evaluator:
        await asyncio.sleep(2)
        if refuses:
            world.kube.fail("patch", "/status", OVERLOADED)
        world.delete("chat")
        await asyncio.sleep(30)
        assert _kept(evaluator) == 0
        assert evaluator.vouches()
    assert len(world.source.times("chat")) == 1


async def test_a_scaler_whose_reports_were_refused_leaves_nothing_behind(world: World) -> None:
    """The refusals of what is gone are not held against what is left."""
    world.add("chat")
    world.kube.fail("patch", "/status", OVERLOADED)
    async with world.leading() as evaluator:
        await asyncio.sleep(20)
        assert not evaluator.vouches()
        world.delete("chat")
        await asyncio.sleep(0.1)
        assert _kept(evaluator) == 0
        assert evaluator.vouches()


async def test_a_scaler_that_goes_just_as_its_turn_comes_is_not_evaluated(world: World) -> None:
    """Taken from the schedule, deleted before the first step: nothing is fetched or kept."""
    async with world.leading() as evaluator:
        await evaluator._evaluate((NAMESPACE, "gone"), 0.0)
        assert _kept(evaluator) == 0
        assert evaluator.counters.evaluations == 0


async def test_a_scaler_made_again_under_its_name_starts_from_nothing(world: World) -> None:
    """The recommendation of the one before does not hold anything up for the new one."""
    world.add("chat", replicas=4, says=40.0)
    async with world.leading():
        await asyncio.sleep(20)
        world.delete("chat")
        world.set_ready("chat", 0, ready=False)
        world.source.answers["chat"] = 3.0
        world.add_scaler("chat")
        await asyncio.sleep(0.5)
        assert world.status("chat")["desiredScale"] == 4


async def test_a_scaler_made_again_while_its_name_is_evaluated_is_evaluated_next(
    world: World,
) -> None:
    """The evaluation of the one that is gone is not written to the new one."""
    world.add("chat", says=40.0)
    world.source.takes_s["chat"] = 5
    async with world.leading() as evaluator:
        await asyncio.sleep(2)
        world.delete("chat")
        world.add_scaler("chat", maxReplicas=7)
        await asyncio.sleep(3.5)
        assert world.writes() == 0
        await asyncio.sleep(5)
        assert world.status("chat")["desiredScale"] == 7
        assert len(evaluator._memories) == 1


async def test_a_scaler_given_to_another_strategy_loses_our_share(world: World) -> None:
    """What we reported does not stand beside another's report; what others wrote stays."""
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        raw = world.raw("chat")
        raw["status"]["lastScaleTime"] = "2026-01-05T11:00:00Z"
        world.kube.put(scaler_path("chat"), raw)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(0.1)
        left = {key: value for key, value in world.status("chat").items() if value}
        assert left == {"lastScaleTime": "2026-01-05T11:00:00Z"}
        assert _kept(evaluator) == 0
        writes = world.writes()
        await asyncio.sleep(120)
    assert world.writes() == writes


async def test_a_share_that_could_not_be_taken_back_makes_no_ghost(world: World) -> None:
    """A server that refuses just then does not keep us from vouching for what is left: nothing."""
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        world.kube.fail("patch", "/status", OVERLOADED)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(300)
        assert _kept(evaluator) == 0
        assert evaluator.vouches()
        assert "desiredLoad" in world.status("chat")
        world.kube.heal()
        await asyncio.sleep(61)
        assert not any(world.status("chat").values())


async def test_a_share_is_not_taken_back_from_a_scaler_that_is_ours_again(world: World) -> None:
    """The strategy goes back while the server refuses: what is reported from then on stays."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(1)
        world.kube.fail("patch", "/status", OVERLOADED)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(10)
        world.edit("chat", scalingStrategy="HPA")
        world.kube.heal()
        await asyncio.sleep(120)
        assert "desiredLoad" in world.status("chat")


async def test_an_evaluation_under_way_does_not_write_to_what_is_no_longer_ours(
    world: World,
) -> None:
    """The strategy changes while a source is slow: the late decision is dropped."""
    world.add("chat")
    world.source.takes_s["chat"] = 5
    async with world.leading() as evaluator:
        await asyncio.sleep(2)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(10)
        assert "desiredLoad" not in world.status("chat")
        assert _kept(evaluator) == 0


@dataclass(slots=True)
class _SlowKube(FakeKube):
    """Gets the statuses that it is sent after a while, the first of them last."""

    arrives_after_s: list[float] = field(default_factory=list)

    async def patch(
        self, path: str, body: Json | list[Json], kind: PatchType, params: Any = None
    ) -> Json:
        await asyncio.sleep(self.arrives_after_s.pop(0) if self.arrives_after_s else 0)
        return await FakeKube.patch(self, path, body, kind, params)


async def test_a_report_on_its_way_does_not_outlive_the_scalers_strategy() -> None:
    """What we take back is all we said, also what had not arrived yet."""
    world = World(_SlowKube(arrives_after_s=[5, 0]))
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(2)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(120)
        assert not any(world.status("chat").values())
        assert _kept(evaluator) == 0


async def test_a_report_that_waits_for_its_turn_is_not_sent_for_what_is_no_longer_ours() -> None:
    """Sixty-four others are being written; meanwhile the strategy changes."""
    world = World(_SlowKube(arrives_after_s=[5] * CONCURRENT_WRITES))
    for i in range(CONCURRENT_WRITES):
        world.add(f"s{i}", replicas=0, minReplicas=0)
    async with world.leading():
        world.add("chat")
        await asyncio.sleep(2)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(60)
        assert not any(world.status("chat").values())


async def test_a_scaler_that_comes_back_to_us_is_evaluated_at_once(world: World) -> None:
    """KPA was a try; HPA again, it is ours again."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(1)
        world.edit("chat", scalingStrategy="KPA")
        await asyncio.sleep(20)
        world.edit("chat", scalingStrategy="HPA")
        await asyncio.sleep(0.5)
        assert world.status("chat")["desiredScale"] == 4


async def test_a_scaler_that_is_being_deleted_is_no_longer_evaluated(world: World) -> None:
    """While a finalizer holds it, its figures would grow old: they are taken back, once."""
    world.add("chat")
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        raw = world.raw("chat")
        raw["metadata"]["deletionTimestamp"] = "2026-01-05T12:00:01Z"
        world.kube.put(scaler_path("chat"), raw)
        await asyncio.sleep(60)
        assert "desiredLoad" not in world.status("chat")
        assert _kept(evaluator) == 0
    assert len(world.source.times("chat")) == 1
    assert world.writes() == 2


async def test_another_target_does_not_inherit_what_the_first_one_needed(world: World) -> None:
    """Forty replicas were held for the old workload; the new one, with a pod missing, gets four."""
    world.add("chat", says=40.0)
    world.add_workload("other", replicas=4)
    world.set_ready("other", 0, ready=False)
    async with world.leading():
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 40
        world.source.answers["chat"] = 3.0
        world.edit("chat", scaleTargetRef={"name": "other"})
        await asyncio.sleep(0.5)
        assert world.status("chat")["desiredScale"] == 4


async def test_an_edit_of_anything_else_keeps_what_was_needed(world: World) -> None:
    """During a loss of pods, raising the maximum does not drop the recommendation."""
    world.add("chat", says=40.0)
    async with world.leading() as evaluator:
        await asyncio.sleep(20)
        world.set_ready("chat", 0, ready=False)
        world.source.answers["chat"] = 3.0
        world.edit("chat", maxReplicas=60)
        await asyncio.sleep(0.5)
        assert world.status("chat")["desiredScale"] == 40
        assert (NAMESPACE, "chat") in evaluator.outcomes
