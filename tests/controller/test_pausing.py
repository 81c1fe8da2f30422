"""A pause reaches the HPA at once, and leaves it when it ends, also by itself."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.api import naming
from tests.controller.world import World, settle

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """An empty cluster, at noon."""
    return World()


def policies(world: World) -> tuple[str, str]:
    """What the HPA may do: up and down."""
    behavior = world.hpas()["chat-hpa"]["spec"]["behavior"]
    return behavior["scaleUp"]["selectPolicy"], behavior["scaleDown"]["selectPolicy"]


async def test_a_pause_of_the_spec(world: World) -> None:
    """One write when it begins, and one when it ends."""
    world.add_scaler()
    async with world.controlled():
        world.edit(paused="ScaleDown")
        await settle()
        assert policies(world) == ("Max", "Disabled")
        world.edit(paused="None")
        await settle()
        assert policies(world) == ("Max", "Max")
        assert world.reconciler.keeper.applies == 3


async def test_an_annotation_acts_at_once_and_ends_by_itself(world: World) -> None:
    """At its end, though nobody edits anything and the next look would be later."""
    world.add_scaler()
    async with world.controlled():
        world.annotate(**{naming.PAUSED_ANNOTATION: "Both until 2026-01-05T12:00:20Z"})
        await settle()
        assert policies(world) == ("Disabled", "Disabled")
        await asyncio.sleep(19)
        assert policies(world) == ("Disabled", "Disabled")
        await asyncio.sleep(1.1)
        assert policies(world) == ("Max", "Max")
        await asyncio.sleep(600)
        assert world.reconciler.keeper.applies == 3


async def test_an_end_that_is_far_away_stops_no_look(world: World) -> None:
    """Until then the scaler is looked at as often as any other."""
    world.add_scaler(annotations={naming.PAUSED_ANNOTATION: "ScaleUp until 2027-01-01T00:00:00Z"})
    async with world.controlled():
        await asyncio.sleep(600)
        assert 8 <= len(world.looks.asked) <= 14


async def test_what_is_not_understood_keeps_the_hpa_from_shrinking(world: World) -> None:
    """As the decision has it: up is free."""
    world.add_scaler(annotations={naming.PAUSED_ANNOTATION: "yes"})
    async with world.controlled():
        assert policies(world) == ("Max", "Disabled")


async def test_an_invalid_spec_leaves_the_pause_as_it_is(world: World) -> None:
    """An edit that went wrong changes nothing of the HPA."""
    world.add_scaler(paused="Both")
    async with world.controlled():
        world.edit(maxReplicas=0)
        await settle()
        assert policies(world) == ("Disabled", "Disabled")
