"""A story can be made of the lines that an evaluator really logs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from budaiscaler.cli.children import child
from budaiscaler.domain.stories import reading, recording, runner, verdicts
from budaiscaler.sources.engines import unit_factor
from tests.evaluator.world import World
from tests.stories.telling import no_files

pytestmark = pytest.mark.looptime


async def test_decisions_of_an_evaluator_become_a_story(
    world: World, logs: list[MutableMapping[str, Any]]
) -> None:
    """Told again, every decision of the log comes out at its time."""
    world.add("chat", replicas=7, says=5.0, hpa={"manage": "Never"})
    async with world.leading():
        for value in (5.0, 12.0, 3.0):
            world.source.answers["chat"] = value
            await asyncio.sleep(60)
    lines = [json.loads(json.dumps(line, default=str)) for line in logs]
    decisions = [line for line in lines if line["event"] == "decision"]
    written = {"stories": [recording.story("chat", decisions, unit_factor)]}
    (story,) = reading.read(json.loads(json.dumps(written)), no_files)
    steps = runner.run(story, child, unit_factor)
    assert [one.desired for one in story.given.expect] == ["5", "12", "3"]
    assert list(verdicts.failures(story, steps)) == []
