"""Stories of one scaler and its HPA: made, kept, given up, and never written without a reason."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import InvalidObjectError, OverloadedError
from controller.keeping import AGAIN_AFTER
from controller.reporting import OWNED_CONDITIONS
from tests.controller.world import (
    RESYNC_S,
    Server,
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


async def test_a_dropped_tolerance_that_makes_no_difference() -> None:
    """An HPA that reads cpu itself has the scaler's dead band, which is also that of any HPA."""
    world = World(Server(knows_tolerance=False))
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    world.add_scaler(metricsSources=[cpu])
    async with world.controlled():
        assert world.condition() == ("True", "HPAOwned")
        assert world.condition("ExactScaling") is None


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


async def test_a_deleted_child_is_made_again(world: World) -> None:
    """Somebody deletes our HPA: another one is there at once."""
    world.add_scaler()
    async with world.controlled():
        before = world.hpas()["chat-hpa"]["metadata"]["uid"]
        world.remove_hpa()
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"]["uid"] != before
        assert [reason for _, _, reason in world.events()] == ["HPACreated", "HPACreated"]


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        pytest.param(
            {"scalingStrategy": "KPA"}, "Ready", ("False", "StrategyNotSupported"), id="strategy"
        ),
        pytest.param(
            {"hpa": {"manage": "Never"}}, "AbleToScale", ("True", "PublishOnly"), id="never"
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

        world.edit(scalingStrategy="HPA", hpa={"manage": "Auto"})
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


async def test_a_refused_child_is_told(world: World) -> None:
    """A 422 of the server becomes a condition with its words, one event, and passes."""
    world.add_scaler()
    refusal = InvalidObjectError(422, "Invalid", "spec.maxReplicas: must be less than 10")
    world.kube.fail("patch", "/horizontalpodautoscalers/", refusal)
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


async def test_another_hpa_of_that_name_is_not_deleted(world: World) -> None:
    """A deletion names the object: one that took its place before the watch told of it stays."""
    world.add_scaler()
    async with world.controlled():
        world.kube.objects[hpa_path("chat-hpa")]["metadata"]["uid"] = "somebody-elses"
        world.edit(hpa={"manage": "Never"})
        await settle()

        assert world.hpas()["chat-hpa"]["metadata"]["uid"] == "somebody-elses"


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
