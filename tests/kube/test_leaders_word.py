"""The word of a leader of another role, read from its Lease."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from budaiscaler.domain import times
from budaiscaler.domain.errors import OverloadedError
from budaiscaler.kube.leaders_word import AS_OF_ANNOTATION, LeadersWord, follow
from budaiscaler.kube.resources import LEASES
from tests.conftest import NOON
from tests.evaluator.world import loop_s, running, wall
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

PATH = LEASES.item("system", "controller")


def _say(kube: FakeKube, at: datetime) -> None:
    annotations = {AS_OF_ANNOTATION: times.rfc3339(at)}
    kube.put(PATH, {"metadata": {"annotations": annotations}, "spec": {}})


async def test_the_last_word_is_known(kube: FakeKube) -> None:
    """Before there is a Lease nobody has spoken; then each word is heard within a look."""
    word = LeadersWord(wall, loop_s)
    async with running(follow(kube, "system", "controller", word, every_s=2)):
        await asyncio.sleep(10)
        assert word.as_of is None
        _say(kube, NOON + timedelta(seconds=10))
        await asyncio.sleep(3)
        assert word.as_of == NOON + timedelta(seconds=10)


async def test_a_word_of_the_future_is_of_when_it_was_read(kube: FakeKube) -> None:
    """A leader whose clock is ahead makes nothing fresh for longer."""
    _say(kube, NOON + timedelta(hours=1))
    word = LeadersWord(wall, loop_s)
    async with running(follow(kube, "system", "controller", word, every_s=2)):
        await asyncio.sleep(60)
        assert word.as_of == NOON


async def test_who_cannot_be_heard_falls_silent(kube: FakeKube) -> None:
    """While the Lease cannot be read its last word grows old, and the look goes on."""
    _say(kube, NOON)
    word = LeadersWord(wall, loop_s)
    async with running(follow(kube, "system", "controller", word, every_s=2)):
        await asyncio.sleep(1)
        kube.fail("get", "/leases/", OverloadedError(503, "", "not now"))
        _say(kube, NOON + timedelta(seconds=30))
        await asyncio.sleep(60)
        assert word.as_of == NOON
        kube.heal()
        await asyncio.sleep(3)
        assert word.as_of == NOON + timedelta(seconds=30)
