"""The history of scalings: ten at most, with those that failed, and none of them twice."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.kube.port import Json
from controller import history
from controller.hpas import project_hpa
from tests.controller.world import World, hpa_path, raw_hpa, scaler_path, settle

pytestmark = pytest.mark.looptime

WHY: Json = {
    "boundBy": "combine",
    "desiredScale": 9,
    "reasons": [
        {"stage": "source", "message": "queue: total 9 / 1 a replica = 9 replicas"},
        {"stage": "combine", "message": "the largest need wins: queue"},
        {"stage": "final", "message": "4 -> 9 replicas"},
    ],
}


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


def at(minute: int) -> str:
    """A time."""
    return f"2026-01-05T12:{minute:02}:00Z"


def scaled(minute: int, before: int, after: int) -> Json:
    """What the HPA controller writes when it has scaled."""
    return {"lastScaleTime": at(minute), "currentReplicas": before, "desiredReplicas": after}


def failed(minute: int, error: str = "denied", current: int = 4) -> Json:
    """What it writes when it could not."""
    told = {
        "type": "AbleToScale",
        "status": "False",
        "reason": "FailedUpdateScale",
        "lastTransitionTime": at(minute),
        "message": error,
    }
    return {"currentReplicas": current, "desiredReplicas": current, "conditions": [told]}


async def tell(world: World, **status: Any) -> None:
    """Have the HPA controller write a status."""
    raw = world.kube.objects[hpa_path("chat-hpa")]
    world.kube.put(hpa_path("chat-hpa"), {**raw, "status": status})
    await settle()


def entries(world: World) -> list[tuple[str, int, int, bool]]:
    """Time, replicas before and after, and success of the entries."""
    return [
        (e["timestamp"], e["previousScale"], e["newScale"], e["success"])
        for e in world.scaler()["status"].get("scalingHistory", ())
    ]


async def test_a_scaling_is_kept_with_its_reason(world: World) -> None:
    """What stood, what came, when, and what the decision said of it then."""
    world.add_scaler()
    async with world.controlled():
        raw = world.scaler()
        world.kube.put(scaler_path("chat"), {**raw, "status": {**raw["status"], **WHY}})
        await tell(world, **scaled(1, 4, 9))
        assert world.scaler()["status"]["scalingHistory"] == [
            {
                "timestamp": at(1),
                "previousScale": 4,
                "newScale": 9,
                "reason": "combine: the largest need wins: queue",
                "algorithm": "HPA",
                "success": True,
            }
        ]
        assert world.scaler()["status"]["lastScaleTime"] == at(1)
        # It moves on, and the scaling stays the one that it was.
        await tell(world, **scaled(1, 9, 9))
        await tell(world, **scaled(1, 9, 9), observedGeneration=2)
        assert entries(world) == [(at(1), 4, 9, True)]
    assert [reason for _, _, reason in world.events()] == ["HPACreated"], "the HPA tells of it"


async def test_a_pass_that_comes_late_knows_what_stood_before(world: World) -> None:
    """The HPA has moved on when we get to look: what it told first counts."""
    world.add_scaler()
    async with world.controlled():
        raw = world.kube.objects[hpa_path("chat-hpa")]
        for status in (scaled(1, 4, 9), scaled(1, 9, 9)):
            world.kube.put(hpa_path("chat-hpa"), {**raw, "status": status})
        await settle()
        assert entries(world) == [(at(1), 4, 9, True)]


async def test_the_last_ten_are_kept_over_restarts(world: World) -> None:
    """Oldest first; a new leader goes on where the one before ended, and adds nothing twice."""
    world.add_scaler()
    async with world.controlled():
        for minute in range(11):
            await tell(world, **scaled(minute, minute, minute + 1))
    async with world.controlled():
        assert [entry[1] for entry in entries(world)] == list(range(1, 11))
        await tell(world, **scaled(30, 11, 2))
        assert [entry[1] for entry in entries(world)] == [*range(2, 11), 11]


async def test_failures_are_kept_once(world: World) -> None:
    """The HPA controller tells a failure anew at each try; only another one is an entry more."""
    world.add_scaler()
    async with world.controlled():
        for minute in range(5):
            await tell(world, **failed(minute))
        assert entries(world) == [(at(0), 4, 4, False)]
        assert world.scaler()["status"]["scalingHistory"][0]["error"] == "denied"
        await tell(world, **failed(5, "quota", current=5))
        await tell(world, **scaled(6, 5, 6))
        await tell(world, **failed(7, "quota", current=6))
        assert [entry[0] for entry in entries(world)] == [at(0), at(5), at(6), at(7)]


def test_a_failure_names_what_was_wanted() -> None:
    """The HPA does not tell what it tried to write; the decision does."""
    hpa = project_hpa({**raw_hpa(), "status": failed(3)}, None)
    (entry,) = history.follow((), None, [hpa], WHY)
    assert (entry["previousScale"], entry["newScale"], entry["success"]) == (4, 9, False)


async def test_a_scaling_that_nobody_saw_is_not_made_up(world: World) -> None:
    """Found when the HPA has moved on, its time is known, and what stood before is not."""
    world.add_scaler()
    world.add_hpa(owner="scaler-chat")
    raw = world.kube.objects[hpa_path("chat-hpa")]
    world.kube.put(hpa_path("chat-hpa"), {**raw, "status": scaled(1, 9, 9)})
    async with world.controlled():
        assert world.scaler()["status"]["lastScaleTime"] == at(1)
        assert entries(world) == []
        # Nor is it when somebody scales by hand while the metrics are away.
        await tell(world, **scaled(1, 12, 9))
        assert entries(world) == []


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"reason": "FailedGetScale"}, id="another-failure"),
        pytest.param({"status": "True", "reason": "SucceededRescale"}, id="no-failure"),
    ],
)
async def test_only_a_write_that_failed_is_a_failed_scaling(
    world: World, told: dict[str, str]
) -> None:
    """An HPA that cannot read its target has not tried to scale it."""
    world.add_scaler()
    async with world.controlled():
        status = failed(1)
        status["conditions"][0] |= told
        await tell(world, **status)
        assert entries(world) == []


async def test_the_history_outlives_the_hpa(world: World) -> None:
    """It is the scaler's: switched to Recommend, it still shows what was."""
    world.add_scaler()
    async with world.controlled():
        await tell(world, **scaled(1, 4, 9))
        world.edit(mode="Recommend")
        await settle()
        assert world.hpas() == {}
        assert entries(world) == [(at(1), 4, 9, True)]
