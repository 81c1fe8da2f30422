"""Stories of one scaler and its HPA: made, given up, and never written without a reason."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import (
    ForbiddenError,
    InvalidObjectError,
    KubeError,
    KubeStatusError,
    OverloadedError,
)
from controller.reporting import OWNED_CONDITIONS
from tests.controller.world import (
    RESYNC_S,
    Server,
    World,
    hpa_path,
    settle,
)

pytestmark = pytest.mark.looptime

TOO_MANY = "spec.maxReplicas: must be less than 10"


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


async def test_a_child_is_made_once(world: World) -> None:
    """A new scaler gets its HPA in one write, a condition in another, and an event."""
    world.add_scaler()
    async with world.controlled():
        assert world.writes() == [
            ("patch", "horizontalpodautoscalers/chat-hpa"),
            ("patch", "budaiscalers/chat/status"),
        ]
        assert world.hpas()["chat-hpa"]["metadata"]["ownerReferences"][0]["uid"] == "scaler-chat"
        assert world.condition() == ("True", "HPAOwned")
        assert world.events() == [("chat", "Normal", "HPACreated")]


async def test_nothing_is_written_while_nothing_changes(world: World) -> None:
    """An hour of looks, and of statuses that others write, cost no write at all."""
    world.add_scaler()
    async with world.controlled():
        before = world.writes()
        for minute in range(60):
            raw = world.kube.objects[hpa_path("chat-hpa")]
            world.kube.put(hpa_path("chat-hpa"), {**raw, "status": {"currentReplicas": minute}})
            await asyncio.sleep(RESYNC_S)

        assert world.writes() == before
        assert world.reconciler.keeper.applies == 1


async def test_an_edit_reaches_the_child(world: World) -> None:
    """A new bound is applied at once, in one write, and told."""
    world.add_scaler()
    async with world.controlled():
        world.edit(maxReplicas=7)
        await settle()

        assert world.hpas()["chat-hpa"]["spec"]["maxReplicas"] == 7
        assert world.reconciler.keeper.applies == 2
        assert world.events()[1:] == [("chat", "Normal", "HPAUpdated")]


async def test_after_a_restart_a_child_is_written_once(world: World) -> None:
    """A new leader applies what it cannot know to be its own, and tells nobody of it."""
    world.add_scaler()
    async with world.controlled():
        pass
    told, written = world.events(), len(world.writes())
    async with world.controlled():
        await asyncio.sleep(3 * RESYNC_S)

        assert world.reconciler.keeper.applies == 1
        assert world.writes()[written:] == [("patch", "horizontalpodautoscalers/chat-hpa")]
        assert world.events() == told


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        pytest.param(
            {"hpa": {"manage": "Never"}}, "AbleToScale", ("True", "PublishOnly"), id="never"
        ),
        pytest.param(
            {"mode": "Recommend"}, "AbleToScale", ("True", "RecommendOnly"), id="recommend"
        ),
    ],
)
async def test_a_child_that_is_not_wanted_goes(
    world: World, change: dict[str, Any], kind: str, told: tuple[str, str]
) -> None:
    """It is deleted, by its uid, and told; nothing is scaled; and it can come back."""
    world.add_scaler()
    async with world.controlled():
        world.edit(**change)
        await settle()
        assert world.hpas() == {}
        assert world.condition(kind) == told
        assert ("chat", "Normal", "HPADeleted") in world.events()

        world.edit(scalingStrategy="HPA", hpa={"manage": "Auto"}, mode="Auto")
        await settle()
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition() == ("True", "HPAOwned")
        assert world.condition("Ready") is None, "that one is the evaluator's again"


async def test_an_invalid_spec_takes_nothing_away() -> None:
    """A spec that is broken past admission leaves the HPA that there is, and what is told of it."""
    world = World(Server(knows_tolerance=False))
    world.add_scaler(minReplicas=0)
    async with world.controlled():
        before, events = world.hpas(), world.events()
        told = {kind: world.condition(kind) for kind in OWNED_CONDITIONS}
        assert None not in told.values()
        world.edit(maxReplicas=0)
        await settle()
        assert world.hpas() == before
        assert {kind: world.condition(kind) for kind in OWNED_CONDITIONS} == told
    async with world.controlled():
        assert {kind: world.condition(kind) for kind in OWNED_CONDITIONS} == told
        assert world.events() == events

        # And what becomes of the HPA meanwhile is still told.
        away = {"type": "AbleToScale", "status": "False", "reason": "FailedGetScale"}
        raw = world.hpas()["chat-hpa"]
        world.kube.put(hpa_path("chat-hpa"), {**raw, "status": {"conditions": [away]}})
        await settle()
        assert world.condition() == ("False", "FailedGetScale")


async def test_a_deleted_scaler_is_left_to_the_cluster(world: World) -> None:
    """Its HPA carries the owner reference that has it collected: we delete nothing."""
    world.add_scaler()
    async with world.controlled():
        before = world.writes()
        world.delete()
        assert world.hpas() == {}
        await asyncio.sleep(2 * RESYNC_S)

        assert world.writes() == before


async def test_a_scaler_that_is_being_deleted_gets_no_child(world: World) -> None:
    """While a finalizer holds it, nothing is made for it any more."""
    world.add_scaler(deleting=True)
    async with world.controlled():
        assert world.writes() == []


@pytest.mark.parametrize(
    "refused",
    [
        pytest.param(InvalidObjectError(422, "Invalid", TOO_MANY), id="invalid"),
        pytest.param(ForbiddenError(403, "Forbidden", TOO_MANY), id="by-a-policy-or-a-quota"),
        pytest.param(KubeStatusError(400, "BadRequest", TOO_MANY), id="by-another-webhook"),
    ],
)
async def test_a_refused_child_is_told(world: World, refused: KubeError) -> None:
    """That of the server becomes a condition with its words, one event, and passes."""
    world.add_scaler()
    world.kube.fail("patch", "/horizontalpodautoscalers/", refused)
    async with world.controlled():
        assert world.condition() == ("False", "HPARefused")
        assert "must be less than 10" in world.message()
        await asyncio.sleep(2 * RESYNC_S)
        assert world.events() == [("chat", "Warning", "HPARefused")]

        world.kube.heal()
        await asyncio.sleep(2 * RESYNC_S)
        assert world.condition() == ("True", "HPAOwned")
        assert world.events()[1:] == [
            ("chat", "Normal", "HPACreated"),
            ("chat", "Normal", "HPAOwned"),
        ]


async def test_a_refused_child_takes_nothing_away(world: World) -> None:
    """The HPA that is to be replaced by one of another name goes once that is there."""
    world.add_scaler()
    refusal = InvalidObjectError(422, "Invalid", "metadata.name: must begin with a team")
    world.kube.fail("patch", "/horizontalpodautoscalers/other", refusal)
    async with world.controlled():
        world.annotate(**{naming.ADOPT_ANNOTATION: "other"})
        await settle()
        assert world.condition() == ("False", "HPARefused")
        assert list(world.hpas()) == ["chat-hpa"]

        world.kube.heal()
        await asyncio.sleep(2 * RESYNC_S)
        assert list(world.hpas()) == ["other"]


async def test_a_server_that_is_away_is_tried_again(world: World) -> None:
    """A 503 changes no condition; the write comes when the server does."""
    world.add_scaler()
    world.kube.fail("patch", "", OverloadedError(503, "ServiceUnavailable", "come back later"))
    async with world.controlled():
        await asyncio.sleep(5)
        assert world.hpas() == {}
        assert world.condition() is None

        world.kube.heal()
        await asyncio.sleep(RESYNC_S)
        assert list(world.hpas()) == ["chat-hpa"]
        assert world.condition() == ("True", "HPAOwned")
