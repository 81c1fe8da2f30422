"""A controller of a large cluster: what happens to one scaler costs the others nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.controller.world import RESYNC_S, World, settle
from tests.evaluator.world import running

pytestmark = pytest.mark.looptime

MANY = 200


@pytest.fixture
def world() -> World:
    """A cluster with a scaler on each of many workloads."""
    world = World()
    for i in range(MANY):
        world.add_scaler(f"s{i}", scaleTargetRef={"name": f"d{i}"})
    return world


async def test_an_event_is_looked_at_by_whom_it_concerns(world: World) -> None:
    """What comes, changes or goes on one workload makes nobody look at another."""
    world.add_scaler("rival", created="2026-02-01T00:00:00Z", scaleTargetRef={"name": "d7"})
    async with world.controlled():
        assert len(world.hpas()) == MANY
        events: list[Callable[[], None]] = [
            lambda: world.add_hpa("theirs", target="d7"),
            lambda: world.remove_hpa("theirs"),
            lambda: world.edit("s7", maxReplicas=7),
            lambda: world.delete("rival"),
        ]
        for happens in events:
            world.looks.asked.clear()
            happens()
            await settle()
            assert set(world.looks.asked) == {"d7"}
            assert len(world.looks.asked) < 10


async def test_the_loop_goes_on_while_a_term_begins(world: World) -> None:
    """A leader renews its Lease on the same loop: each look lets the others have their turn."""
    async with world.listening() as work, running(work.lead()):
        turns = 0
        while len(world.hpas()) < MANY:
            await asyncio.sleep(0)
            turns += 1

    assert turns >= MANY / work.workers


async def test_a_term_looks_at_each_scaler_once(world: World) -> None:
    """That each is new to the leader is no event of all the others on its workload."""
    for i in range(MANY):
        world.edit(f"s{i}", scaleTargetRef={"name": "shared"})
    async with world.controlled():
        pass
    async with world.controlled():
        assert len(world.looks.asked) < 3 * MANY
        world.looks.asked.clear()
        await asyncio.sleep(RESYNC_S * 1.2)
        assert len(world.looks.asked) < 3 * MANY
