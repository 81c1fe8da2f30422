"""What the controller says of a scaler: written on a change, and told once."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import OverloadedError
from tests.controller.world import (
    RESYNC_S,
    World,
    hpa_path,
    raw_hpa,
    scaler_path,
    settle,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


async def test_status_is_written_on_a_change_only(world: World) -> None:
    """Conditions and the time of the last scaling are applied when they differ, and not else."""
    world.add_scaler()
    async with world.controlled():

        def statuses() -> int:
            return len(world.kube.made("patch", "/status"))

        assert statuses() == 1
        raw = world.kube.objects[hpa_path("chat-hpa")]
        for status, written in (
            ({"lastScaleTime": "2026-01-05T12:00:00Z"}, 2),
            ({"lastScaleTime": "2026-01-05T12:00:00Z", "currentReplicas": 3}, 2),
            ({"lastScaleTime": "2026-01-05T12:01:00Z"}, 3),
            ({}, 3),
        ):
            world.kube.put(hpa_path("chat-hpa"), {**raw, "status": status})
            await settle()
            assert statuses() == written, status

        # It is remembered, also where the HPA that knew it is gone.
        assert world.scaler()["status"]["lastScaleTime"] == "2026-01-05T12:01:00Z"


async def test_minimum_of_zero_is_told_while_it_is_so(world: World) -> None:
    """The condition comes with minReplicas 0 and goes with it; only its coming is an event."""
    world.add_scaler(minReplicas=0)
    async with world.controlled():
        assert world.hpas()["chat-hpa"]["spec"]["minReplicas"] == 1
        assert world.condition("ScaleToZero") == ("False", "HPAMinimumIsOne")

        world.edit(minReplicas=2)
        await settle()
        assert world.hpas()["chat-hpa"]["spec"]["minReplicas"] == 2
        assert world.condition("ScaleToZero") is None
        reasons = [reason for _, _, reason in world.events()]
        assert reasons.count("HPAMinimumIsOne") == 1


async def test_a_watch_that_lags_tells_nothing_twice(world: World) -> None:
    """Looked at again before the watch has told of our own write, it is written, but not told."""
    world.add_scaler()
    async with world.controlled():
        world.kube.end_watches(OverloadedError(503, "ServiceUnavailable", "no watch for now"))
        world.kube.fail("watch", "", OverloadedError(503, "ServiceUnavailable", "still none"))
        await settle()
        world.reconciler.hpas.objects.clear()
        for _ in range(3):
            await world.reconciler.reconcile(("ml", "chat"))
        await settle()

        assert world.events() == [("chat", "Normal", "HPACreated")]


async def test_a_status_that_was_not_taken_is_written_again(world: World) -> None:
    """What the server refuses to note is not taken for noted."""
    world.add_scaler()
    world.kube.fail("patch", "/status", OverloadedError(503, "ServiceUnavailable", "later"))
    async with world.controlled():
        assert world.condition() is None
        world.kube.heal()
        await asyncio.sleep(2 * RESYNC_S)

        assert world.condition() == ("True", "HPAOwned")


async def test_the_latest_scaling_of_several_hpas_counts(world: World) -> None:
    """While one HPA gives way to another, the time of the last scaling is the later one's."""
    world.add_scaler(annotations={naming.ADOPT_ANNOTATION: "theirs"})
    for name, time in (("theirs", "2026-01-05T12:05:00Z"), ("chat-hpa", "2026-01-05T12:01:00Z")):
        raw = raw_hpa(name, owner="scaler-chat")
        world.kube.put(hpa_path(name), {**raw, "status": {"lastScaleTime": time}})
    async with world.controlled():
        assert list(world.hpas()) == ["theirs"]
        assert world.scaler()["status"]["lastScaleTime"] == "2026-01-05T12:05:00Z"


async def test_nothing_is_kept_of_a_scaler_that_is_gone(world: World) -> None:
    """A controller that runs for a year does not grow with the scalers there have been."""
    world.add_scaler()
    async with world.controlled():
        world.delete()
        await settle()

        assert world.reconciler.keeper._applied == {}
        assert world.reconciler.reporter._reported == {}


async def test_statuses_are_no_reason_to_look(world: World) -> None:
    """A status that the evaluator writes every few seconds costs no look at the scaler."""
    world.add_scaler()
    async with world.controlled():
        before = len(world.kube.made("get", "/scaledobjects"))
        await asyncio.sleep(40)
        raw = world.scaler()
        world.kube.put(scaler_path("chat"), {**raw, "status": {**raw["status"], "actualScale": 3}})
        await settle()

        assert len(world.kube.made("get", "/scaledobjects")) == before
