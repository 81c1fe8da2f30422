"""An evaluator whose clock runs fast: what is real stays real."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.pages import Address, Look, Pages
from tests.evaluator.world import NAMESPACE, World, loop_s

pytestmark = pytest.mark.looptime

SPEED = 600.0


def story_s() -> float:
    return SPEED * loop_s()


class SlowSource:
    """Has its number at once, and tells it a tenth of a real second later."""

    async def fetch(self, request: SourceRequest) -> Sample:
        at_s = story_s()
        await asyncio.sleep(0.1)
        return Sample((4.0,), at_s)


async def test_the_time_that_asking_takes_makes_no_sample_old(world: World) -> None:
    """A tenth of a second is a minute of the story, and the sample is a tenth of a second old."""
    world.add("chat", says=4.0)
    world.sources[SourceType.PROMETHEUS] = SlowSource()
    evaluator = dataclasses.replace(
        world.evaluator(), clock=story_s, speed=SPEED, least_interval_s=30
    )
    async with world.leading(evaluator):
        await asyncio.sleep(1)
        observation = evaluator.outcomes[NAMESPACE, "chat"].observation
        assert observation is not None
        (reading,) = observation.readings.values()

    assert isinstance(reading, Reading)
    assert reading.age_s == pytest.approx(0.1, abs=0.01)


async def test_a_fast_story_takes_no_word_away(world: World) -> None:
    """A source that takes a second is no slower at 600 times the speed: ten minutes of the story.

    Nor is it asked more often than can be kept up, however short the interval in the story.
    """
    world.add("chat", says=4.0)
    world.source.takes_s["chat"] = 1
    evaluator = dataclasses.replace(
        world.evaluator(), clock=story_s, speed=SPEED, least_interval_s=30
    )
    async with world.leading(evaluator):
        await asyncio.sleep(1.5)
        for _ in range(50):
            assert evaluator.vouches()
            await asyncio.sleep(0.1)
    assert len(world.source.times("chat")) <= 7


class SlowPages:
    """Answers the same page, after so many real seconds as its URL says."""

    async def get(
        self, endpoint: str, params: object, headers: object, *, options: object = None
    ) -> bytes:
        await asyncio.sleep(float(endpoint))
        return b"vllm:num_requests_running 3\n"


async def test_a_name_that_is_on_its_way_is_not_forgotten() -> None:
    """However many minutes of the story its page takes: nobody stopped asking for it."""
    names = frozenset({"vllm:num_requests_running"})
    pages = Pages(SlowPages(), 10.0, story_s, SPEED)
    slow = asyncio.create_task(pages.look(Address("slow", "0.9"), names, 0.0))
    await asyncio.sleep(0.6)
    await pages.look(Address("quick", "0.1"), names, 0.0)
    look = await slow

    assert isinstance(look, Look)
    (found,) = look.now.found.values()
    assert not isinstance(found, NoData)
    assert [one.value for one in found] == [3]
