"""Pauses and contests as they are evaluated: at once, until their end, and told once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain import pausing
from budaiscaler.domain.errors import InvalidSpecError, OverloadedError
from budaiscaler.domain.pausing import Pausing
from tests.evaluator.reports import Reporter
from tests.evaluator.world import World

pytestmark = pytest.mark.looptime

PAUSED = Pausing(up=True, down=True, reason=pausing.BY_SPEC, message="paused")
UNCLEAR = Pausing(down=True, reason=pausing.NOT_UNDERSTOOD, message="write it otherwise")


async def test_an_annotation_acts_at_once_and_ends_by_itself(world: World) -> None:
    """No generation tells of it, and at its end nobody edits anything: both take effect then."""
    world.add("chat", replicas=4, says=8.0)
    async with world.leading():
        await asyncio.sleep(10)
        assert world.status("chat")["desiredScale"] == 8
        world.annotate("chat", paused="ScaleUp until 2026-01-05T12:05:00Z")
        await asyncio.sleep(0.1)
        status = world.status("chat")
        assert (status["desiredScale"], status["boundBy"]) == (4, "gate")
        assert status["next"]["time"] == "2026-01-05T12:05:00Z"
        assert world.condition("chat", "Paused")["status"] == "True"

        await asyncio.sleep(299.5 - 10.1)
        assert world.status("chat")["desiredScale"] == 4
        await asyncio.sleep(1)
        assert world.status("chat")["desiredScale"] == 8
        assert world.condition("chat", "Paused")["reason"] == "PauseExpired"
    assert world.events() == [
        ("chat", "Normal", "PausedByAnnotation"),
        ("chat", "Normal", "Resumed"),
    ]


async def test_an_end_that_moves_is_told_at_once(world: World) -> None:
    """Who prolongs a pause sees that it was understood."""
    world.add("chat")
    async with world.leading():
        world.annotate("chat", paused="Both until 2026-01-05T13:00:00Z")
        await asyncio.sleep(5)
        world.annotate("chat", paused="Both until 2026-01-05T14:00:00Z")
        await asyncio.sleep(0.1)
        assert "14:00:00Z" in world.condition("chat", "Paused")["message"]
    assert len(world.events()) == 1


async def test_an_annotation_that_comes_during_an_evaluation_is_not_lost(world: World) -> None:
    """The evaluation that is under way saw the scaler without it, so there is another."""
    world.add("chat", replicas=4, says=8.0)
    world.source.takes_s["chat"] = 5
    async with world.leading():
        await asyncio.sleep(1)
        world.annotate("chat", paused="Both")
        await asyncio.sleep(10)
        assert world.status("chat")["desiredScale"] == 4


async def test_the_annotations_of_others_are_no_reason_to_look(world: World) -> None:
    """A tool that stamps its mark on every object costs no evaluation."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(1)
        before = len(world.source.asked)
        raw = world.raw("chat")
        raw["metadata"]["annotations"] = {"example.com/seen": "today"}
        world.kube.put("/apis/scaler.bud.studio/v1alpha1/namespaces/ml/budaiscalers/chat", raw)
        await asyncio.sleep(0.1)
        assert len(world.source.asked) == before


async def test_a_pause_outlives_its_leader(world: World) -> None:
    """The next leader tells nobody what the one before has told."""
    world.add("chat", replicas=4, says=8.0, paused="Both")
    for _ in range(2):
        async with world.leading():
            await asyncio.sleep(5)
            assert world.status("chat")["desiredScale"] == 4
    assert world.events() == [("chat", "Normal", "PausedBySpec")]


@pytest.mark.parametrize(
    ("pauses", "events"),
    [
        pytest.param([None], [], id="never"),
        pytest.param([PAUSED, PAUSED], [("Normal", "PausedBySpec")], id="begins"),
        pytest.param(
            [PAUSED, None, None], [("Normal", "PausedBySpec"), ("Normal", "Resumed")], id="ends"
        ),
        pytest.param(
            [UNCLEAR, UNCLEAR, PAUSED],
            [("Warning", "PauseNotUnderstood"), ("Normal", "PausedBySpec")],
            id="is-mended",
        ),
        pytest.param(
            [PAUSED, UNCLEAR],
            [("Normal", "PausedBySpec"), ("Warning", "PauseNotUnderstood")],
            id="is-mistyped",
        ),
    ],
)
def test_a_pause_is_told_when_it_begins_and_ends(
    pauses: list[Pausing | None], events: list[tuple[str, str]]
) -> None:
    """One event each, and a warning for one that nobody understands."""
    reporter, told = Reporter(), list[tuple[str, str]]()
    for paused in pauses:
        told += reporter.decided({"queue": 6}, paused=paused or pausing.NOTHING)
    assert told == events


def test_a_failure_forgets_neither_pause_nor_contest() -> None:
    """They would be told anew after it; of a spec that cannot be read nothing is known."""
    reporter = Reporter()
    seen: dict[str, Any] = {"paused": PAUSED, "contested_by": "flux"}
    reporter.decided({"queue": 6}, **seen)
    away = OverloadedError(503, "", "etcd is slow")
    assert reporter.failed(away, paused=PAUSED) == [("Warning", "TargetNotReadable")]
    assert reporter.condition("Paused") == ("True", "PausedBySpec")
    assert reporter.condition("Contested") == ("True", "ReplicasWrittenByOthers")
    assert reporter.decided({"queue": 6}, **seen) == [("Normal", "Recovered")]
    reporter.failed(InvalidSpecError("spec.maxReplicas: raise it"))
    assert reporter.condition("Paused") is None


async def test_a_pause_is_told_while_the_target_is_missing(world: World) -> None:
    """It holds as soon as the workload is there, so nobody should think that it does not."""
    world.add_scaler("chat", paused="Both")
    async with world.leading():
        await asyncio.sleep(1)
        assert world.condition("chat", "Ready")["reason"] == "TargetNotFound"
        assert world.condition("chat", "Paused")["reason"] == "PausedBySpec"


async def test_a_contest_is_told_once_and_is_over_after_ten_minutes_of_calm(world: World) -> None:
    """A manifest with replicas in it fights us: its second write is named, and then peace."""
    world.add("chat", replicas=4)
    async with world.leading():
        world.rewrite("chat", 2, "argocd-controller")
        await asyncio.sleep(60)
        assert world.condition("chat", "Contested") == {}
        world.rewrite("chat", 3, "argocd-controller")
        await asyncio.sleep(30)
        told = world.condition("chat", "Contested")
        assert (told["status"], told["reason"]) == ("True", "ReplicasWrittenByOthers")
        assert "argocd-controller" in told["message"]
        await asyncio.sleep(550)
        assert world.condition("chat", "Contested") != {}
        await asyncio.sleep(60)
        assert world.condition("chat", "Contested") == {}
    assert [event for event in world.events() if event[2] == "Contested"] == [
        ("chat", "Warning", "Contested")
    ]
