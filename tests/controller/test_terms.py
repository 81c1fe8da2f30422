"""Stories of leaders that come and go: what stands counts, not what somebody once wrote."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.errors import OverloadedError
from tests.controller.world import RESYNC_S, World, settle
from tests.evaluator.world import running

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """A cluster with one scaler."""
    world = World()
    world.add_scaler()
    return world


async def test_a_leader_that_comes_back_sees_what_is_new(world: World) -> None:
    """What it reported in an earlier term says nothing of what another has reported since."""
    async with world.listening() as first:
        async with running(first.lead()):
            await settle()
            assert world.condition() == ("True", "HPAOwned")

        async with world.listening() as second, running(second.lead()):
            world.add_hpa("theirs")
            await settle()
            assert world.condition() == ("False", "ForeignAutoscaler")
            assert list(world.hpas()) == ["theirs"]

        world.remove_hpa("theirs")
        await settle()
        async with running(first.lead()):
            await settle()
            assert world.condition() == ("True", "HPAOwned")
            assert list(world.hpas()) == ["chat-hpa"]


async def test_a_copy_that_waits_writes_nothing(world: World) -> None:
    """It follows what happens, and does nothing about it."""
    async with world.listening():
        world.add_hpa("theirs")
        world.add_scaler("code")
        world.delete()
        await asyncio.sleep(2 * RESYNC_S)

        assert world.writes() == []


async def test_a_copy_that_lost_the_lead_stops(world: World) -> None:
    """Nothing that it was to do later is done after its term."""
    async with world.listening() as work:
        async with running(work.lead()):
            await settle()
        before = world.writes()
        world.edit(maxReplicas=7)
        await asyncio.sleep(3 * RESYNC_S)

        assert world.writes() == before


async def test_nothing_is_kept_of_a_scaler_that_went_between_terms(world: World) -> None:
    """A copy that led once does not remember for ever what it wrote then."""
    async with world.listening() as work:
        async with running(work.lead()):
            await settle()
        world.delete()
        await settle()
        async with running(work.lead()):
            await settle()

            assert world.reconciler.keeper._applied == {}
            assert world.reconciler.reporter._reported == {}


async def test_a_status_that_somebody_changes_is_put_back(world: World) -> None:
    """A report that is undone is written again at the next look, and is no news."""
    async with world.controlled():
        told, events = world.scaler()["status"], world.events()
        raw = world.scaler()
        raw["status"]["conditions"] = [
            {**told["conditions"][0], "status": "Unknown", "reason": "Mine", "message": "hm"}
        ]
        world.add_scaler_as(raw)
        await asyncio.sleep(2 * RESYNC_S)

        assert world.scaler()["status"] == told
        assert world.events() == events


async def test_a_report_that_is_on_its_way_is_not_written_again(world: World) -> None:
    """While the watch has not told of our own write, another look is no reason for a second."""
    world.kube.fail("watch", "/budaiscalers", OverloadedError(503, "ServiceUnavailable", "later"))
    async with world.controlled():
        await asyncio.sleep(3 * RESYNC_S)

        assert len(world.looks.asked) > 2
        assert len(world.kube.made("patch", "/status")) == 1
