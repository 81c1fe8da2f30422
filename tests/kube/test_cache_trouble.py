"""Watches end, expire and break off; readers never see more of it than a delay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from budaiscaler.domain.errors import KubeError, KubeUnreachableError, OverloadedError
from budaiscaler.kube.port import WatchEvent
from tests.fakes.kube import Call, FakeKube, expired
from tests.kube.caching import COLLECTION, Listener, body, item, make, running, settle

pytestmark = pytest.mark.looptime

UNREACHABLE = KubeUnreachableError("connection refused")


def versions(kube: FakeKube) -> list[str]:
    """From which version each watch so far was asked for."""
    return [(call.params or {})["resourceVersion"] for call in kube.made("watch")]


async def test_continues_from_the_newest_version(kube: FakeKube) -> None:
    """When the server ends a watch, the next one starts from the last event, without a list."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        await asyncio.sleep(200)
        kube.put(item("a"), body("2"))
        newest = kube.objects[item("a")]["metadata"]["resourceVersion"]
        kube.end_watches()
        await settle()

        assert versions(kube)[1:] == [newest]
        assert len(kube.made("get")) == 1
        kube.put(item("a"), body("3"))
        await settle()

    assert listener.told == [("a", None, "1"), ("a", "1", "2"), ("a", "2", "3")]


async def test_continues_from_a_bookmark(kube: FakeKube) -> None:
    """A bookmark moves the version on, so a quiet watch outlives a compaction."""
    cache = make(kube)

    async with running(cache):
        kube.put("/api/v1/namespaces/ns/pods/elsewhere", {})
        kube.bookmark()
        kube.compact()
        kube.end_watches()
        await asyncio.sleep(60)
        kube.put(item("a"), body("1"))
        await settle()

    assert dict(cache) == {("ns", "a"): "1"}
    assert len(kube.made("get")) == 1


async def test_bookmarks_are_asked_for(kube: FakeKube) -> None:
    """Every watch asks for bookmarks."""
    async with running(make(kube)):
        pass

    assert (kube.made("watch")[0].params or {})["allowWatchBookmarks"] == "true"


async def test_expired_at_once(kube: FakeKube) -> None:
    """After a 410 what came, changed and vanished is told once, and of the rest nothing."""
    for name in ("same", "changes", "vanishes"):
        kube.put(item(name), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        listener.take()
        kube.fail("watch", COLLECTION, UNREACHABLE)
        kube.end_watches(UNREACHABLE)
        await settle()
        kube.put(item("changes"), body("2"))
        kube.put(item("comes"), body("1"))
        kube.remove(item("vanishes"))
        kube.compact()
        kube.heal()
        await asyncio.sleep(60)

    assert len(kube.made("get")) == 2
    assert sorted(listener.told) == [
        ("changes", "1", "2"),
        ("comes", None, "1"),
        ("vanishes", "1", None),
    ]


async def test_expired_on_the_way(kube: FakeKube) -> None:
    """A 410 in the middle of a watch does the same, and changes go on being seen."""
    for name in ("same", "vanishes"):
        kube.put(item(name), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        listener.take()
        kube.end_watches(expired())
        kube.remove(item("vanishes"))
        await asyncio.sleep(1)
        assert listener.take() == [("vanishes", "1", None)]
        kube.put(item("same"), body("2"))
        await settle()

    assert listener.told == [("same", "1", "2")]


async def test_broken_off_midway(kube: FakeKube) -> None:
    """A watch that breaks off is taken up where it broke: no event is replayed, none is lost."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        kube.put(item("a"), body("2"))
        kube.put(item("a"), body("3"))
        newest = kube.objects[item("a")]["metadata"]["resourceVersion"]
        kube.end_watches(UNREACHABLE)
        await settle()
        kube.put(item("a"), body("4"))
        await asyncio.sleep(60)

    assert versions(kube)[1] == newest
    assert listener.told == [("a", None, "1"), ("a", "1", "2"), ("a", "2", "3"), ("a", "3", "4")]


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        pytest.param("get", UNREACHABLE, id="list-unreachable"),
        pytest.param("get", OverloadedError(503, "ServiceUnavailable", "busy"), id="list-busy"),
        pytest.param("watch", UNREACHABLE, id="watch-unreachable"),
        pytest.param("watch", OverloadedError(429, "TooManyRequests", "busy"), id="watch-busy"),
        pytest.param("watch", expired(), id="watch-always-too-old"),
    ],
)
async def test_backs_off_and_recovers(kube: FakeKube, verb: str, error: KubeError) -> None:
    """A failing server is asked ever less often, and seen again within the longest delay."""
    kube.put(item("a"), body("1"))
    cache = make(kube)
    task = asyncio.ensure_future(cache.run())
    kube.fail(verb, COLLECTION, error)

    await asyncio.sleep(600)
    assert 20 <= len(kube.made(verb)) <= 60
    assert cache.restarts >= 20
    kube.put(item("b"), body("1"))
    kube.heal()
    await asyncio.sleep(31)

    assert {name for (_, name), _ in cache} == {"a", "b"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_back_off_is_forgotten(kube: FakeKube) -> None:
    """After a watch that lasted, the next failure is retried as fast as the first."""
    cache = make(kube)

    async with running(cache):
        kube.fail("watch", COLLECTION, UNREACHABLE)
        kube.end_watches(UNREACHABLE)
        await asyncio.sleep(300)
        kube.heal()
        await asyncio.sleep(100)
        before = len(kube.made("watch"))
        kube.end_watches(UNREACHABLE)
        await asyncio.sleep(0.5)
        assert len(kube.made("watch")) > before


async def test_readers_keep_the_last_state(kube: FakeKube) -> None:
    """While the server is away readers see what was last known."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        kube.fail("watch", COLLECTION, UNREACHABLE)
        kube.fail("get", COLLECTION, UNREACHABLE)
        kube.end_watches(UNREACHABLE)
        kube.compact()
        await asyncio.sleep(120)

        assert dict(cache) == {("ns", "a"): "1"}
    assert listener.told == [("a", None, "1")]


async def test_behind(kube: FakeKube) -> None:
    """Objects may be as old as the last word of the server, once that is unusually long ago."""
    cache = make(kube)

    async with running(cache):
        kube.end_watches(UNREACHABLE)
        await asyncio.sleep(1)
        kube.fail("watch", COLLECTION, UNREACHABLE)
        kube.end_watches(UNREACHABLE)
        await asyncio.sleep(179)
        assert cache.behind_s == 0
        await asyncio.sleep(21)
        assert cache.behind_s == pytest.approx(200, abs=1)
        kube.heal()
        await asyncio.sleep(31)
        assert cache.behind_s == 0


@pytest.mark.parametrize("word", ["event", "bookmark", "a-new-watch"])
async def test_any_word_counts(kube: FakeKube, word: str) -> None:
    """An event, a bookmark and an accepted watch each say that nothing else was missed."""
    cache = make(kube)

    async with running(cache):
        await asyncio.sleep(500)
        assert cache.behind_s == pytest.approx(500)
        if word == "event":
            kube.put(item("a"), body("1"))
        elif word == "bookmark":
            kube.bookmark()
        else:
            kube.end_watches()
        await settle()
        assert cache.behind_s == 0


class EndingKube(FakeKube):
    """Ends every watch at once, after an event if it has one to tell."""

    tells = False

    async def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        self.calls.append(Call("watch", path, params=params))
        if self.tells:
            yield WatchEvent("MODIFIED", self.objects[item("a")])


@pytest.mark.parametrize("tells", [False, True])
async def test_watches_that_end_at_once(tells: bool) -> None:  # noqa: FBT001 - a row
    """A server that ends its watches at once, even after an event, is not asked in a tight loop."""
    kube = EndingKube()
    kube.tells = tells
    kube.put(item("a"), body("1"))

    async with running(make(kube)):
        await asyncio.sleep(600)

    assert len(kube.made("watch")) <= 60
    assert len(kube.made("get")) == 1


async def test_length_of_watches_differs(kube: FakeKube) -> None:
    """Watches are asked for four to five minutes, so that none is held open for ever."""
    lengths: list[float] = []

    class Recording(FakeKube):
        async def watch(
            self, path: str, params: Mapping[str, str], timeout_s: float
        ) -> AsyncIterator[WatchEvent]:
            lengths.append(timeout_s)
            await asyncio.sleep(timeout_s)
            for event in list[WatchEvent]():
                yield event

    async with running(make(Recording())):
        await asyncio.sleep(3000)

    assert all(240 <= length <= 300 for length in lengths)
    assert len(set(lengths)) == len(lengths) >= 10
