"""Watches: who is told what, and how one ends."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.errors import ExpiredError
from budaiscaler.kube.port import PatchType
from budaiscaler.playground.apiserver import watching
from tests.playground.apiserver.world import CONFIG_MAPS, World, told

pytestmark = pytest.mark.looptime


async def test_what_leaves_a_selection_is_deleted_for_it(world: World) -> None:
    """And what enters it is new, though the objects were there all the time."""
    stream = await world.watched(
        CONFIG_MAPS, resourceVersion=str(world.store.version), labelSelector="on=yes"
    )
    await world.config_map("a", labels={"on": "yes"})
    await world.config_map("b")
    for name, value in (("a", "no"), ("b", "yes"), ("b", "yes")):
        change = {"metadata": {"labels": {"on": value}, "annotations": {"n": name + value}}}
        await world.kube.patch(f"{CONFIG_MAPS}/{name}", change, PatchType.MERGE)

    assert await told(stream, 3) == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "b")]


async def test_a_watch_without_a_version_begins_with_what_there_is(world: World) -> None:
    """As additions, in the order of a list, before anything new."""
    await world.config_map("b")
    await world.config_map("a")
    stream = await world.watched(CONFIG_MAPS)
    await world.config_map("c")

    assert await told(stream, 3) == [("ADDED", "a"), ("ADDED", "b"), ("ADDED", "c")]


async def test_initial_events_end_with_a_bookmark(world: World) -> None:
    """Who asked for the state by a watch is told when it is complete."""
    await world.config_map("a")
    stream = await world.watched(CONFIG_MAPS, sendInitialEvents="true", allowWatchBookmarks="true")
    events = stream.watch.events()
    await anext(events)
    bookmark = await anext(events)
    await events.aclose()

    assert bookmark.type == "BOOKMARK"
    metadata = bookmark.object["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert metadata["resourceVersion"] == str(world.store.version)


async def test_bookmarks_come_about_once_a_minute(world: World) -> None:
    """With the newest version, though nothing of the collection has changed."""
    query = {"resourceVersion": str(world.store.version), "timeoutSeconds": "200"}
    stream = await world.watched(CONFIG_MAPS, allowWatchBookmarks="true", **query)
    silent = await world.watched(CONFIG_MAPS, **query)
    await world.kube.create("/api/v1/namespaces", {"metadata": {"name": "other"}})

    events = [event async for event in stream.watch.events()]
    assert [event.type for event in events] == ["BOOKMARK"] * 3
    assert events[0].object["metadata"]["resourceVersion"] == str(world.store.version)
    assert [event async for event in silent.watch.events()] == []


async def test_a_watch_from_before_the_compaction_is_expired(world: World) -> None:
    """It is not silently resumed: what happened in between could not be told."""
    version = str(world.store.version)
    await world.config_map("a")
    world.store.compact()
    stream = await world.watched(CONFIG_MAPS, resourceVersion=version)

    with pytest.raises(ExpiredError, match="too old resource version"):
        await told(stream, 1)


async def test_a_slow_watcher_is_cut_off(world: World) -> None:
    """With a 410, so that it lists again; the others and the writers do not wait for it."""
    stream = await world.watched(CONFIG_MAPS, resourceVersion=str(world.store.version))
    made = await world.config_map("a")
    for count in range(watching.MOST_PENDING):
        change = {"metadata": {"annotations": {"n": str(count)}}}
        await world.kube.patch(f"{CONFIG_MAPS}/{made['metadata']['name']}", change, PatchType.MERGE)

    with pytest.raises(ExpiredError, match="too slow"):
        await told(stream, 1)


async def test_disconnected_watches_end_after_what_is_pending(world: World) -> None:
    """As when a server goes down: no error, and nothing that was told is lost."""
    stream = await world.watched(CONFIG_MAPS, resourceVersion=str(world.store.version))
    await world.config_map("a")
    world.router.watches.disconnect()
    await world.config_map("b")

    assert [event.object["metadata"]["name"] async for event in stream.watch.events()] == ["a"]


async def test_a_watch_that_is_left_is_forgotten(world: World) -> None:
    """Nobody collects events for a reader that went away."""
    async with asyncio.timeout(5):
        async for _ in world.kube.watch(CONFIG_MAPS, {}, 1):
            pass

    assert world.router.watches.count == 0


async def test_one_object_can_be_watched(world: World) -> None:
    """By its own path, as kubectl does it for one name."""
    await world.config_map("a")
    await world.config_map("b")
    stream = await world.watched(f"{CONFIG_MAPS}/b")
    await world.kube.delete(f"{CONFIG_MAPS}/a")
    await world.kube.delete(f"{CONFIG_MAPS}/b")

    assert await told(stream, 2) == [("ADDED", "b"), ("DELETED", "b")]
