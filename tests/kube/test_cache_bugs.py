"""An object that our own code cannot take in costs itself, and neither the others nor the process.

Whoever may write an object could otherwise end every copy of both servers at once, and again at
each start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json
from tests.fakes.kube import FakeKube, expired
from tests.kube.caching import COLLECTION, Listener, body, item, project, running, settle

pytestmark = pytest.mark.looptime


def fragile(raw: Json, old: str | None) -> str | None:
    """Project as ever, but choke on the value `poison`."""
    value = project(raw, old)
    if value == "poison":
        raise ZeroDivisionError
    return value


def make(kube: FakeKube) -> Cache[str]:
    clock = asyncio.get_running_loop().time
    return Cache(kube, COLLECTION, fragile, backoff=Backoff(), clock=clock)


def complaints(logs: list[Any]) -> list[tuple[str, str]]:
    """Which objects the log blames, and for what."""
    return [(entry["event"], entry["name"]) for entry in logs if entry["log_level"] == "error"]


async def test_in_a_list(kube: FakeKube) -> None:
    """The others of a list are there, and the log names the one that is not."""
    for name, value in (("a", "1"), ("bad", "poison"), ("c", "1")):
        kube.put(item(name), body(value))
    cache = make(kube)

    with capture_logs() as logs:
        async with running(cache):
            pass

    assert dict(cache) == {("ns", "a"): "1", ("ns", "c"): "1"}
    assert complaints(logs) == [("projection_failed", "bad")]


async def test_in_a_watch(kube: FakeKube) -> None:
    """A change that cannot be taken in leaves what was known, and the next good one counts."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    with capture_logs() as logs:
        async with running(cache):
            kube.put(item("a"), body("poison"))
            kube.put(item("new"), body("poison"))
            kube.put(item("b"), body("1"))
            await settle()
            assert dict(cache) == {("ns", "a"): "1", ("ns", "b"): "1"}
            kube.put(item("a"), body("2"))
            await settle()

    assert listener.told == [("a", None, "1"), ("b", None, "1"), ("a", "1", "2")]
    assert complaints(logs) == [("projection_failed", "a"), ("projection_failed", "new")]
    assert len(kube.made("get")) == 1


async def test_listed_again(kube: FakeKube) -> None:
    """A list does not take away what was known of an object that has gone bad, until it goes."""
    kube.put(item("a"), body("1"))
    cache = make(kube)

    async with running(cache):
        kube.put(item("a"), body("poison"))
        kube.end_watches(expired())
        kube.compact()
        await asyncio.sleep(1)
        assert len(kube.made("get")) == 2
        assert dict(cache) == {("ns", "a"): "1"}

        kube.remove(item("a"))
        await settle()
        assert not dict(cache)


async def test_a_listener_that_fails(kube: FakeKube) -> None:
    """A listener that chokes on one object is told of the next, and the other listeners of all."""

    def choke(key: Key, _: str | None, __: str | None) -> None:
        chosen.append(key[1])
        if key[1] == "bad":
            raise ZeroDivisionError

    chosen: list[str] = []
    cache, listener = make(kube), Listener()
    cache.subscribe(choke)
    cache.subscribe(listener)
    kube.put(item("bad"), body("1"))

    with capture_logs() as logs:
        async with running(cache):
            kube.put(item("b"), body("1"))
            await settle()
            cache.subscribe(choke)

    assert chosen == ["bad", "b", "bad", "b"]
    assert [name for name, _, _ in listener.told] == ["bad", "b"]
    assert complaints(logs) == [("listener_failed", "bad")] * 2


NONSENSE: list[Json] = [
    {"status": "please log in"},
    {"items": [{}]},
    {"items": ["x"]},
    {"items": [{"metadata": None}]},
    {"items": [{"metadata": {}}]},
]


@pytest.mark.parametrize("answer", NONSENSE, ids=repr)
async def test_what_is_no_list(answer: Json) -> None:
    """What is no list of objects is asked for again, and nothing that was known is taken away."""

    class Captive(FakeKube):
        is_captive = False

        async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
            found = await super().get(path, params)
            return answer if self.is_captive else found

    kube = Captive()
    kube.put(item("a"), body("1"))
    cache = make(kube)

    async with running(cache):
        kube.is_captive = True
        kube.end_watches(expired())
        await asyncio.sleep(30)
        kube.put(item("b"), body("1"))
        assert dict(cache) == {("ns", "a"): "1"}

        kube.is_captive = False
        await asyncio.sleep(60)
        assert dict(cache) == {("ns", "a"): "1", ("ns", "b"): "1"}
