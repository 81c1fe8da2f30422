"""A story can be made of the lines that an evaluator really logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from budaiscaler.cli.children import child
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.stories import reading, recording, runner, verdicts
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.steps import Step
from budaiscaler.sources.engines import unit_factor
from tests.evaluator.world import World
from tests.stories.telling import no_files

pytestmark = pytest.mark.looptime


def _told_again(logs: list[MutableMapping[str, Any]]) -> tuple[Story, tuple[Step, ...]]:
    """The story of what is in the log, and what comes of it."""
    lines = [json.loads(json.dumps(line, default=str)) for line in logs]
    decisions = [line for line in lines if line["event"] == "decision"]
    written = {"stories": [recording.story("chat", decisions, unit_factor)]}
    (story,) = reading.read(json.loads(json.dumps(written)), no_files)
    return story, runner.run(story, child, unit_factor)


async def test_decisions_of_an_evaluator_become_a_story(
    world: World, logs: list[MutableMapping[str, Any]]
) -> None:
    """Told again, every decision of the log comes out at its time."""
    world.add("chat", replicas=7, says=5.0, hpa={"manage": "Never"})
    async with world.leading():
        for value in (5.0, 12.0, 3.0):
            world.source.answers["chat"] = value
            await asyncio.sleep(60)
    story, steps = _told_again(logs)
    assert [one.desired for one in story.given.expect] == ["5", "12", "3"]
    assert list(verdicts.failures(story, steps)) == []


@pytest.mark.parametrize("window_s", [30, 300])
async def test_a_window_is_counted_from_the_fall_of_the_load(
    world: World, logs: list[MutableMapping[str, Any]], window_s: int
) -> None:
    """Replicas follow a window after it, which the story can tell only if the log has the fall."""
    world.add(
        "chat",
        replicas=10,
        says=10.0,
        scalingStrategy="BudScaler",
        behavior={"scaleDown": {"stabilizationWindowSeconds": window_s}},
    )
    async with world.leading(world.evaluator(strategy=Strategy.BUD_SCALER)):
        await asyncio.sleep(400)
        world.source.answers["chat"] = 4.0
        await asyncio.sleep(window_s + 40)
    story, steps = _told_again(logs)
    assert [one.desired for one in story.given.expect] == ["10", "10", "7"]
    assert list(verdicts.failures(story, steps)) == []
