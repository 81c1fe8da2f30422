"""Schedule hints as they are evaluated: at their instant, until their instant, and told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.api.status import ScalerStatus
from tests import rules, samples
from tests.evaluator.reports import Reporter
from tests.evaluator.world import World

pytestmark = pytest.mark.looptime

HINT = rules.hint(cronExpression="1 12 * * *", duration="100s500ms", targetReplicas=6)
"""From a minute after the beginning of a world on."""


async def test_a_hint_acts_at_its_instant_and_ends_at_its_instant(world: World) -> None:
    """Nobody edits anything then, and the next evaluation may be a quarter of a minute off."""
    world.add("chat", replicas=4, says=4.0, scheduleHints=[HINT])
    async with world.leading():
        await asyncio.sleep(59.9)
        status = world.status("chat")
        assert (status["desiredScale"], status["desiredLoad"]) == (4, "4")
        assert status["next"]["time"] == "2026-01-05T12:01:00Z"
        assert status["predictionStatus"] == {"nextPredictedChange": "2026-01-05T12:01:00Z"}

        await asyncio.sleep(0.2)
        status = world.status("chat")
        assert (status["desiredScale"], status["boundBy"]) == (6, "schedule")
        assert status["predictionStatus"] == {
            "activeScheduleHint": "day",
            "nextPredictedChange": "2026-01-05T12:02:40Z",
        }
        await asyncio.sleep(100.3)
        assert world.status("chat")["desiredScale"] == 6
        await asyncio.sleep(0.2)
        status = world.status("chat")
        assert (status["desiredScale"], status["desiredLoad"]) == (4, "4")
        assert status["predictionStatus"] == {"nextPredictedChange": "2026-01-06T12:01:00Z"}


async def test_an_edit_of_a_hint_acts_at_once(world: World) -> None:
    """Case T38: seven instead of six while it holds; and taken away, it is over."""
    world.add("chat", replicas=4, says=4.0, scheduleHints=[HINT])
    async with world.leading():
        await asyncio.sleep(61)
        assert world.status("chat")["desiredScale"] == 6
        world.edit("chat", scheduleHints=[{**HINT, "targetReplicas": 7}])
        await asyncio.sleep(0.1)
        assert world.status("chat")["desiredScale"] == 7
        world.edit("chat", scheduleHints=[])
        await asyncio.sleep(0.1)
        status = world.status("chat")
        assert status["desiredScale"] == 4
        assert "predictionStatus" not in status


async def test_a_floor_is_published_while_no_source_ever_answered(world: World) -> None:
    """What a user wrote down needs no data; what is only held for lack of it is not published."""
    world.add("chat", replicas=4, says=float("nan"), scheduleHints=[HINT])
    async with world.leading():
        await asyncio.sleep(59)
        assert "desiredLoad" not in world.status("chat")
        await asyncio.sleep(2)
        status = world.status("chat")
        assert status["desiredLoad"] == "6"
        assert "holdingSince" not in status
        assert world.condition("chat", "ScalingActive")["status"] == "False"


def test_the_status_of_a_hint_fits_the_schema() -> None:
    """Every field that is written exists in the CRD, so no server prunes it."""
    fields: dict[str, Any] = {"scheduleHints": [{**HINT, "cronExpression": "* * * * *"}]}
    reporter = Reporter(samples.spec(**fields))
    reporter.decided({"queue": 4.0})
    assert reporter.status["predictionStatus"] == {"activeScheduleHint": "day"}
    parsed = ScalerStatus.model_validate(reporter.status)
    assert parsed.model_dump(by_alias=True, exclude_none=True, mode="json") == reporter.status
