"""A cache shows what the server has: lists, changes, and what subscribers are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from budaiscaler.kube.cache import PAGE
from budaiscaler.kube.port import Json
from tests.fakes.kube import FakeKube, expired
from tests.kube.caching import Listener, body, item, make, running, settle

pytestmark = pytest.mark.looptime


async def test_lists_then_follows(kube: FakeKube) -> None:
    """What was there, and each object that comes, changes and goes, is seen in that order."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        kube.put(item("b"), body("1"))
        kube.put(item("a"), body("2"))
        kube.remove(item("b"))
        await settle()

    assert listener.told == [
        ("a", None, "1"),
        ("b", None, "1"),
        ("a", "1", "2"),
        ("b", "1", None),
    ]
    assert dict(cache) == {("ns", "a"): "2"}


async def test_lists_in_pages(kube: FakeKube) -> None:
    """A long list is read page by page, each page asked for with a limit, and none is missed."""
    names = [f"n{index}" for index in range(25)]
    for name in names:
        kube.put(item(name), body("1"))
    kube.page_size = 10
    cache = make(kube)

    async with running(cache):
        pass

    assert {name for (_, name), _ in cache} == set(names)
    lists = [call.params or {} for call in kube.made("get")]
    assert [params.get("continue") for params in lists] == [None, "10", "20"]
    assert {params["limit"] for params in lists} == {str(PAGE)}


async def test_not_synced_before_the_last_page() -> None:
    """Nobody is shown half a list: without its last page the cache is empty and not ready."""

    class LosingPages(FakeKube):
        is_losing = True

        async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
            if self.is_losing and "continue" in (params or {}):
                raise expired()
            return await super().get(path, params)

    kube = LosingPages(page_size=1)
    for name in ("a", "b"):
        kube.put(item(name), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)
    task = asyncio.ensure_future(cache.run())
    await asyncio.sleep(10)
    assert not cache.synced.is_set()
    assert listener.told == []

    kube.is_losing = False
    await cache.synced.wait()

    assert {name for (_, name), _ in cache} == {"a", "b"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_dropped_by_projection(kube: FakeKube) -> None:
    """An object that the projection drops is absent, and one that ceases to matter goes."""
    kube.put(item("never"), body(None))
    kube.put(item("once"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        kube.put(item("once"), body(None))
        kube.remove(item("never"))
        await settle()

    assert listener.told == [("once", None, "1"), ("once", "1", None)]
    assert not cache.objects


async def test_what_is_kept_did_not_change(kube: FakeKube) -> None:
    """A change of what nobody keeps of an object wakes nobody."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()
    cache.subscribe(listener)

    async with running(cache):
        listener.take()
        kube.put(item("a"), {**body("1"), "data": {"heartbeat": "now"}})
        await settle()

    assert listener.told == []


async def test_field_selector(kube: FakeKube) -> None:
    """A narrowed cache asks for, and sees, nothing but what it selects."""
    kube.put(item("other"), body("1"))
    cache = make(kube, "metadata.name=mine")

    async with running(cache):
        kube.put(item("mine"), body("1"))
        kube.put(item("other"), body("2"))
        await settle()

    assert dict(cache) == {("ns", "mine"): "1"}
    asked = [(call.params or {}).get("fieldSelector") for call in kube.calls]
    assert set(asked) == {"metadata.name=mine"}


async def test_subscribing_late(kube: FakeKube) -> None:
    """A late subscriber is told at once what is known, and then what changes."""
    kube.put(item("a"), body("1"))
    cache, listener = make(kube), Listener()

    async with running(cache):
        cache.subscribe(listener)
        assert listener.take() == [("a", None, "1")]
        kube.put(item("a"), body("2"))
        await settle()

    assert listener.told == [("a", "1", "2")]


async def test_unsubscribing(kube: FakeKube) -> None:
    """Who unsubscribed is told nothing more, and the others still are."""
    cache, gone, staying = make(kube), Listener(), Listener()
    unsubscribe = cache.subscribe(gone)
    cache.subscribe(staying)

    async with running(cache):
        unsubscribe()
        kube.put(item("a"), body("1"))
        await settle()

    assert (gone.told, staying.told) == ([], [("a", None, "1")])


async def test_cancellation(kube: FakeKube) -> None:
    """Cancelling ends the watch at the server, and the objects stay readable."""
    kube.put(item("a"), body("1"))
    cache = make(kube)

    async with running(cache) as task:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    assert task.cancelled()
    assert kube._watchers == []
    assert dict(cache) == {("ns", "a"): "1"}
