"""Watches: what our caches follow collections by, and what tells them to list again."""

from __future__ import annotations

import asyncio
import json

import pytest

from budaiscaler.domain.errors import ExpiredError, KubeStatusError
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.port import Json, PatchType
from tests.contract import crds
from tests.contract.server import JSON, ApiServer
from tests.contract.waiting import until

MERGE = PatchType.MERGE


async def newest(api: ApiServer) -> str:
    """The version of the collection as it is now."""
    version: str = (await api.kube.get(api.widgets()))["metadata"]["resourceVersion"]
    return version


async def test_changes(api: ApiServer) -> None:
    """From the version of a list on, every change comes as an event with the whole object."""
    version = await newest(api)
    async with api.watching(api.widgets(), version) as following:
        made = await api.widget()
        event = await following()
        assert (event.type, event.object) == ("ADDED", made)

        changed = await api.kube.patch(api.widget_path(), {"spec": {"color": "blue"}}, MERGE)
        event = await following()
        assert (event.type, event.object) == ("MODIFIED", changed)

        await api.kube.delete(api.widget_path())
        event = await following()
        assert event.type == "DELETED"
        assert event.object["spec"]["color"] == "blue"
        deleted, last = (int(o["metadata"]["resourceVersion"]) for o in (event.object, changed))
        assert deleted > last


async def test_resumed(api: ApiServer) -> None:
    """A watch from a version gets what happened since, each event once and in order."""
    version = await newest(api)
    first = await api.widget("a")
    await api.widget("b")
    await api.kube.delete(api.widget_path("a"))

    async with api.watching(api.widgets(), version) as following:
        events = [await following() for _ in range(3)]
    found = [(event.type, event.object["metadata"]["name"]) for event in events]
    assert found == [("ADDED", "a"), ("ADDED", "b"), ("DELETED", "a")]

    async with api.watching(api.widgets(), first["metadata"]["resourceVersion"]) as following:
        event = await following()
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "b")


async def test_without_a_version(api: ApiServer) -> None:
    """Without a version a watch begins with what there is."""
    made = await api.widget()
    async with api.watching(api.widgets(), "") as following:
        event = await following()
        assert (event.type, event.object) == ("ADDED", made)
        await api.widget("two")
        event = await following()
        assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "two")


async def test_labels_that_begin_to_match(api: ApiServer) -> None:
    """For who selects by label, an object comes when its labels begin to match and goes after."""
    version = await newest(api)
    await api.widget("other")
    async with api.watching(api.widgets(), version, labelSelector="team=x") as following:
        await api.widget()
        for labels in ({"team": "x"}, {"team": "x", "a": "b"}, {"team": "y", "a": None}):
            await api.kube.patch(api.widget_path(), {"metadata": {"labels": labels}}, MERGE)
        await api.kube.delete(api.widget_path())
        await api.widget("last", labels={"team": "x"})
        events = [await following() for _ in range(4)]

    assert [(event.type, event.object["metadata"]["name"]) for event in events] == [
        ("ADDED", "one"),
        ("MODIFIED", "one"),
        ("DELETED", "one"),
        ("ADDED", "last"),
    ]


async def test_one_object(api: ApiServer) -> None:
    """A watch of one name tells nothing of others."""
    version = await newest(api)
    async with api.watching(api.widgets(), version, fieldSelector="metadata.name=b") as following:
        await api.widget("a")
        await api.widget("b")
        event = await following()

    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "b")


async def test_all_namespaces(api: ApiServer) -> None:
    """A watch of all namespaces tells of ours too."""
    path = crds.WIDGETS.collection()
    version = (await api.kube.get(path))["metadata"]["resourceVersion"]
    async with api.watching(path, version, labelSelector=f"in={api.namespace}") as following:
        await api.widget(labels={"in": api.namespace})
        event = await following()

    assert event.object["metadata"]["namespace"] == api.namespace


async def test_finalized(api: ApiServer) -> None:
    """An object that a finalizer holds changes first, and is deleted once nothing holds it."""
    body = crds.widget()
    body["metadata"]["finalizers"] = ["contract.budaiscaler/hold"]
    await api.kube.create(api.widgets(), body)
    async with api.watching(api.widgets(), await newest(api)) as following:
        await api.kube.delete(api.widget_path())
        event = await following()
        assert (event.type, "deletionTimestamp" in event.object["metadata"]) == ("MODIFIED", True)

        await api.kube.patch(api.widget_path(), {"metadata": {"finalizers": None}}, MERGE)
        assert (await following()).type == "DELETED"


async def test_too_old(api: ApiServer) -> None:
    """A version that the server has forgotten is expired before anything else is told."""
    await api.widget()
    api.reach.forget()
    async with api.watching(api.widgets(), "1") as following:
        with pytest.raises(ExpiredError) as caught:
            await following()

    assert (caught.value.code, caught.value.reason) == (410, "Expired")
    assert "too old resource version: 1" in str(caught.value)


async def test_shape_of_an_error(api: ApiServer) -> None:
    """In a watch, a failure is an event whose object is the Status, and the last one."""
    api.reach.forget()
    answer = await api.ask("GET", api.widgets(), watch="true", resourceVersion="1")
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.status == 200
    (event,) = lines
    assert event["type"] == "ERROR"
    status = event["object"]
    assert (status["kind"], status["status"]) == ("Status", "Failure")
    assert (status["code"], status["reason"]) == (410, "Expired")


@pytest.mark.parametrize(
    "params",
    [
        pytest.param({"fieldSelector": "spec.color=red"}, id="field"),
        pytest.param({"labelSelector": "a=(b"}, id="label"),
    ],
)
async def test_refused(api: ApiServer, params: dict[str, str]) -> None:
    """A watch that cannot be is refused at once."""
    async with api.watching(api.widgets(), "", **params) as following:
        with pytest.raises(KubeStatusError) as caught:
            await following()

    assert caught.value.code == 400


async def test_ends(api: ApiServer) -> None:
    """A watch ends by itself at the time that was asked for, without an error."""
    version = await newest(api)
    answer = await api.ask(
        "GET", api.widgets(), watch="true", resourceVersion=version, timeoutSeconds="1"
    )

    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["Content-Type"] == JSON


async def test_initial_events(api: ApiServer) -> None:
    """Asked for initial events, a watch tells what there is, and marks where the news begins.

    That bookmark is of the collection's kind and has a version, and nothing else.
    """
    await api.widget("a")
    await api.widget("b")
    params = {
        "watch": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "3",
    }
    answer = await api.ask("GET", api.widgets(), **params)
    first, second, bookmark, *_ = (json.loads(line) for line in answer.text.splitlines())

    found = [(one["type"], one["object"]["metadata"]["name"]) for one in (first, second)]
    assert found == [("ADDED", "a"), ("ADDED", "b")]
    assert bookmark["type"] == "BOOKMARK"
    kind = (bookmark["object"]["apiVersion"], bookmark["object"]["kind"])
    assert kind == (crds.WIDGETS.api_version, "Widget")
    metadata = bookmark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) > 0
    assert bookmark["object"].get("spec") is None


async def test_our_cache(api: ApiServer) -> None:
    """Our own cache follows a collection through all of it."""

    def color(raw: Json, _: str | None) -> str:
        return str(raw["spec"]["color"])

    await api.widget("a")
    cache = Cache(api.kube, api.widgets(), color)
    running = asyncio.ensure_future(cache.run())

    async def holds(**wanted: str) -> bool | None:
        found = {name: item for (_, name), item in cache.objects.items()}
        return True if found == wanted else None

    try:
        await until(lambda: holds(a="red"), "the list")
        await api.widget("b", color="blue")
        await until(lambda: holds(a="red", b="blue"), "the new one")
        await api.kube.patch(api.widget_path("a"), {"spec": {"color": "green"}}, MERGE)
        await api.kube.delete(api.widget_path("b"))
        await until(lambda: holds(a="green"), "the changes")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert cache.restarts == 0
