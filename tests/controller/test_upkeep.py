"""The HPA stays as the scaler says, whoever edits it, and no server is fought over it."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from controller.keeping import AGAIN_AFTER
from tests.controller.world import (
    RESYNC_S,
    Server,
    World,
    hpa_path,
    settle,
)

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"maxReplicas": 3}, id="bound"),
        pytest.param({"metrics": []}, id="metrics"),
        pytest.param({"behavior": {"scaleUp": {"tolerance": "0.5"}}}, id="tolerance"),
        pytest.param({"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}, id="switched-off"),
        pytest.param({"behavior": {"scaleDown": {"stabilizationWindowSeconds": 9}}}, id="window"),
        pytest.param({"behavior": {"scaleUp": {"policies": []}}}, id="policies"),
    ],
)
async def test_what_somebody_else_changes_is_put_back(world: World, change: dict[str, Any]) -> None:
    """The child is as the scaler says, whoever edits it; it is told, and written once."""
    world.add_scaler()
    async with world.controlled():
        asked = world.hpas()["chat-hpa"]["spec"]
        world.change_hpa(**change)
        await settle()

        assert world.hpas()["chat-hpa"]["spec"] == asked
        assert world.reconciler.keeper.applies == 2
        assert world.events()[1:] == [("chat", "Normal", "HPAUpdated")]


@pytest.mark.parametrize("part", ["labels", "ownerReferences"])
async def test_lost_marks_are_put_back(world: World, part: str) -> None:
    """Our labels and our owner reference come back when somebody takes either away."""
    world.add_scaler()
    async with world.controlled():
        raw = world.kube.objects[hpa_path("chat-hpa")]
        before = dict(raw["metadata"])
        world.kube.put(
            hpa_path("chat-hpa"),
            {**raw, "metadata": {**before, part: {} if part == "labels" else []}},
        )
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"][part] == before[part]


async def test_additions_of_others_stay(world: World) -> None:
    """What others add beside our fields is theirs: defaults, annotations, labels, owners."""
    world.add_scaler()
    async with world.controlled():
        raw = world.kube.objects[hpa_path("chat-hpa")]
        metadata = {
            **raw["metadata"],
            "labels": {**raw["metadata"]["labels"], "team": "a"},
            "ownerReferences": [
                {"kind": "Application", "apiVersion": "x/v1", "name": "a", "uid": "a"},
                *raw["metadata"]["ownerReferences"],
            ],
        }
        spec = {**raw["spec"], "somethingNew": True}
        world.kube.put(hpa_path("chat-hpa"), {**raw, "metadata": metadata, "spec": spec})
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"]["labels"]["team"] == "a"
        assert world.reconciler.keeper.applies == 1


async def test_a_narrower_selector_is_put_back(world: World) -> None:
    """A metric with one selector more is another metric, though all that we ask for is in it."""
    world.add_scaler()
    async with world.controlled():
        asked = world.hpas()["chat-hpa"]["spec"]
        (metric,) = copy.deepcopy(asked["metrics"])
        metric["external"]["metric"]["selector"]["matchExpressions"] = [
            {"key": "strategy", "operator": "DoesNotExist"}
        ]
        world.change_hpa(metrics=[metric])
        await settle()

        assert world.hpas()["chat-hpa"]["spec"] == asked


async def test_a_server_that_drops_a_field_is_not_fought() -> None:
    """Where the server knows no tolerance it is written once, and an edit is still put back."""
    world = World(Server(knows_tolerance=False))
    world.add_scaler()
    async with world.controlled():
        await asyncio.sleep(3 * RESYNC_S)
        assert "tolerance" not in world.hpas()["chat-hpa"]["spec"]["behavior"]["scaleUp"]
        assert world.reconciler.keeper.applies == 1

        world.change_hpa(maxReplicas=3)
        await settle()
        assert world.hpas()["chat-hpa"]["spec"]["maxReplicas"] == 100
        await asyncio.sleep(3 * RESYNC_S)
        assert world.reconciler.keeper.applies == 2


async def test_a_server_that_drops_the_tolerance_is_told() -> None:
    """Steps are inexact there: it is said once, also after a restart, until the server keeps it."""
    world = World(Server(knows_tolerance=False))
    world.add_scaler()
    async with world.controlled():
        assert world.condition("ExactScaling") == ("False", "ToleranceNotSupported")
        assert "older than 1.35" in world.message("ExactScaling")
    async with world.controlled():
        await asyncio.sleep(3 * RESYNC_S)
        assert world.condition() == ("True", "HPAOwned")
        assert world.condition("ExactScaling") == ("False", "ToleranceNotSupported")

        world.kube.knows_tolerance = True  # the server was upgraded, and nothing else happens
        await asyncio.sleep(AGAIN_AFTER.total_seconds() + 2 * RESYNC_S)
        assert world.condition("ExactScaling") is None
        assert world.reconciler.keeper.applies == 2

    reasons = [reason for _, _, reason in world.events()]
    assert reasons.count("ToleranceNotSupported") == 1


async def test_a_server_that_was_upgraded_between_terms() -> None:
    """A leader that never said that steps are inexact takes it back when they are exact now."""
    world = World(Server(knows_tolerance=False))
    world.add_scaler()
    async with world.controlled():
        assert world.condition("ExactScaling") == ("False", "ToleranceNotSupported")
    world.kube.knows_tolerance = True
    async with world.controlled():
        assert world.condition("ExactScaling") is None


async def test_a_server_that_keeps_the_tolerance_is_not_spoken_of(world: World) -> None:
    """Exact steps are what everybody expects; also an edit that takes the field away is no news."""
    world.add_scaler()
    async with world.controlled():
        raw = world.hpas()["chat-hpa"]
        del raw["spec"]["behavior"]["scaleUp"]["tolerance"]
        world.kube.put(hpa_path("chat-hpa"), raw)
        await settle()

        assert world.hpas()["chat-hpa"]["spec"]["behavior"]["scaleUp"]["tolerance"] == "0"
        assert world.condition("ExactScaling") is None
        assert "ToleranceNotSupported" not in [reason for _, _, reason in world.events()]


async def test_a_deleted_child_is_made_again(world: World) -> None:
    """Somebody deletes our HPA: another one is there at once."""
    world.add_scaler()
    async with world.controlled():
        before = world.hpas()["chat-hpa"]["metadata"]["uid"]
        world.remove_hpa()
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"]["uid"] != before
        assert [reason for _, _, reason in world.events()] == ["HPACreated", "HPACreated"]


async def test_another_hpa_of_that_name_is_not_deleted(world: World) -> None:
    """A deletion names the object: one that took its place before the watch told of it stays."""
    world.add_scaler()
    async with world.controlled():
        world.kube.objects[hpa_path("chat-hpa")]["metadata"]["uid"] = "somebody-elses"
        world.edit(hpa={"manage": "Never"})
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"]["uid"] == "somebody-elses"
