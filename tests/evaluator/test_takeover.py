"""A new leader over the same cluster: it continues, and nobody who reads can tell."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from budaiscaler.domain.api import quantity
from budaiscaler.domain.readings import NoData, NoDataReason
from tests import samples
from tests.conftest import NOON
from tests.evaluator.world import World, scaler_path, wall

pytestmark = pytest.mark.looptime

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")


async def _first_leader(world: World, seconds: float = 40) -> datetime:
    """Lead for a while; gives when that leader last vouched."""
    async with world.leading():
        await asyncio.sleep(seconds)
        return wall()


def _load(world: World) -> float:
    return quantity.parse(world.status("chat")["desiredLoad"])


async def test_a_restart_in_a_quiet_cluster_writes_nothing_and_tells_nothing(
    world: World,
) -> None:
    """Statuses, conditions and events stay as the leader before left them."""
    world.add("chat", says=5.0)
    world.add("dead", says=DEAD)
    world.add("invalid", minReplicas=200)
    guessed = samples.total(name="guessed", targetType=None)
    world.add("guessed", metricsSources=[guessed], minReplicas=2)
    as_of = await _first_leader(world)
    before = (world.writes(), world.events())
    async with world.leading(as_of=as_of) as evaluator:
        await asyncio.sleep(120)
        assert evaluator.vouches()
    assert (world.writes(), world.events()) == before
    assert ("guessed", "Warning", "UnitAssumed") in world.events()


async def test_pods_lost_during_a_restart_do_not_lower_the_published_load(world: World) -> None:
    """A third of the pods goes with the leader's node, and their share of the total with them."""
    world.add("chat", replicas=10, says=10.0)
    as_of = await _first_leader(world)
    for i in range(3):
        world.set_ready("chat", i, ready=False)
    world.source.answers["chat"] = 7.0
    async with world.leading(as_of=as_of):
        for _ in range(20):
            await asyncio.sleep(20)
            assert _load(world) == 10.0


async def test_a_higher_recommendation_than_what_stands_is_taken_over(world: World) -> None:
    """Twelve were asked for, ten stand, three of them start: still twelve."""
    world.add("chat", replicas=10, says=12.0)
    as_of = await _first_leader(world)
    world.set_ready("chat", 0, ready=False)
    world.source.answers["chat"] = 9.0
    async with world.leading(as_of=as_of):
        await asyncio.sleep(60)
        assert _load(world) == 12.0


async def test_a_load_that_another_spec_asked_for_is_not_taken_over(world: World) -> None:
    """Pointed at another workload while nobody led, it does not get the needs of the old one."""
    world.add("chat", says=40.0)
    world.add_workload("other", replicas=4)
    world.set_ready("other", 0, ready=False)
    as_of = await _first_leader(world)
    world.edit("chat", scaleTargetRef={"name": "other"})
    world.source.answers["chat"] = 3.0
    async with world.leading(as_of=as_of):
        await asyncio.sleep(1)
        assert _load(world) == 4.0


async def test_a_source_that_dies_with_the_leader_has_its_minute(world: World) -> None:
    """What was read before stands for a minute after the old leader's word, then it is no data."""
    world.add("chat", says=6.0)
    as_of = await _first_leader(world)
    world.source.answers["chat"] = DEAD
    async with world.leading(as_of=as_of):
        await asyncio.sleep(44)
        assert "noDataSince" not in world.status("chat")["sources"][0]
        assert world.status("chat")["desiredScale"] == 6
        await asyncio.sleep(40)
        status = world.status("chat")
    assert status["sources"][0]["reason"] == "Unreachable"
    assert status["desiredScale"] == 4  # as many as stand
    held_since = datetime.fromisoformat(status["holdingSince"])
    assert timedelta(0) <= held_since - as_of <= timedelta(seconds=61)


async def test_after_a_long_time_without_a_leader_nothing_old_is_taken_for_new(
    world: World,
) -> None:
    """The sources died meanwhile: it is held since the last word, an hour ago."""
    world.add("chat", says=6.0)
    as_of = await _first_leader(world)
    world.source.answers["chat"] = DEAD
    await asyncio.sleep(3600)
    async with world.leading(as_of=as_of):
        await asyncio.sleep(1)
    assert world.status("chat")["holdingSince"] == "2026-01-05T12:00:40Z"
    assert world.status("chat")["sources"][0]["reason"] == "Unreachable"


async def test_a_hold_goes_on_with_its_time(world: World) -> None:
    """A source that was dead before the restart is dead since then, and no event repeats it."""
    world.add("chat", says=6.0)
    async with world.leading():
        await asyncio.sleep(40)
        world.source.answers["chat"] = DEAD
        await asyncio.sleep(100)
        as_of = wall()
    before = world.status("chat")
    assert "holdingSince" in before
    async with world.leading(as_of=as_of):
        await asyncio.sleep(300)
    after = world.status("chat")
    assert after["holdingSince"] == before["holdingSince"]
    assert after["sources"] == before["sources"]
    assert world.events() == [("chat", "Warning", "NoData")]


async def test_without_any_word_of_a_leader_before_a_dead_source_publishes_nothing(
    world: World,
) -> None:
    """The Lease was deleted: how old the load in the status is, nobody knows."""
    world.add("chat", says=6.0)
    await _first_leader(world)
    world.source.answers["chat"] = DEAD
    async with world.leading(as_of=None):
        await asyncio.sleep(1)
    assert "desiredLoad" not in world.status("chat")


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({"desiredLoad": "many"}, id="a-load-that-is-none"),
        pytest.param({"desiredLoad": "-5"}, id="a-negative-load"),
        pytest.param({"holdingSince": "yesterday", "desiredLoad": "5"}, id="a-time-that-is-none"),
        pytest.param(
            {"desiredLoad": "5", "sources": [{"name": "chat", "metric": "chat", "value": "NaN"}]},
            id="a-value-that-is-none",
        ),
        pytest.param(
            {"desiredLoad": "5", "sources": [{"name": "chat", "metric": "chat", "value": "x"}]},
            id="a-value-that-is-no-number",
        ),
    ],
)
async def test_a_status_that_somebody_edited_stops_no_leader(
    world: World, status: dict[str, object]
) -> None:
    """Whatever stands there, the scaler is evaluated and the status is ours again."""
    world.add("chat", says=6.0)
    raw = world.raw("chat")
    raw["status"] = {"observedGeneration": 1, **status}
    world.kube.put(scaler_path("chat"), raw)
    world.source.answers["chat"] = DEAD
    async with world.leading(as_of=NOON):
        await asyncio.sleep(20)
        world.source.answers["chat"] = 6.0
        await asyncio.sleep(20)
    assert world.status("chat")["desiredScale"] == 6
    assert ("chat", "Warning", "InternalError") not in world.events()
