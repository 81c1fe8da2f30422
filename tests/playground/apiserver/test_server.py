"""The server over HTTPS, as our client, our caches and kubectl meet it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from budaiscaler.domain.errors import NotFoundError, UnauthorizedError
from budaiscaler.kube import client
from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.client import KubeClient
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.playground.apiserver import EmbeddedApiServer
from tests.conftest import NOON

PATH = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedApiServer]:
    async with EmbeddedApiServer(now=lambda: NOON, directory=tmp_path) as running:
        yield running


@pytest.fixture
async def kube(server: EmbeddedApiServer, tmp_path: Path) -> AsyncIterator[KubeClient]:
    """Our own client, by a kubeconfig."""
    path = server.kubeconfig(tmp_path / "kubeconfig")
    async with await client.connect(str(path)) as connected:
        yield connected


def config_map(name: str) -> Json:
    return {"metadata": {"name": name}}


@asynccontextmanager
async def session(tmp_path: Path, token: str = "") -> AsyncIterator[aiohttp.ClientSession]:
    """A client that trusts the server, and shows that token."""
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as made:
        yield made


async def test_one_storage_in_process_and_over_https(
    server: EmbeddedApiServer, kube: KubeClient
) -> None:
    """What the one writes the other reads; times are those of the demo's clock."""
    made = await server.kube.create(PATH, config_map("a"))
    assert await kube.get(f"{PATH}/a") == made
    assert made["metadata"]["creationTimestamp"] == "2026-01-05T12:00:00Z"

    await kube.patch(f"{PATH}/a", {"data": {"x": "y"}}, PatchType.MERGE)
    assert (await server.kube.get(f"{PATH}/a"))["data"] == {"x": "y"}


async def test_what_was_read_can_be_changed_by_its_reader(server: EmbeddedApiServer) -> None:
    """It is the reader's own copy: the stored object stays."""
    made = await server.kube.create(PATH, config_map("a"))
    made["metadata"]["name"] = "b"

    assert (await server.kube.get(f"{PATH}/a"))["metadata"]["name"] == "a"


async def test_a_restart_keeps_what_is_stored(server: EmbeddedApiServer, kube: KubeClient) -> None:
    """On the same port, with the same certificate and tokens; every connection is dropped."""
    await kube.create(PATH, config_map("a"))
    url = server.url
    watch = kube.watch(PATH, {"resourceVersion": "1"}, 60)
    assert (await anext(aiter(watch))).type == "BOOKMARK"
    await server.restart()

    assert [event.type async for event in watch] in ([], ["ADDED"])
    assert server.url == url
    assert (await kube.get(f"{PATH}/a"))["metadata"]["name"] == "a"


async def test_a_cache_lives_through_everything(
    server: EmbeddedApiServer, kube: KubeClient
) -> None:
    """Restarts, watches that end, and 410s: our cache shows in the end what there is."""
    cache = Cache(
        kube,
        PATH,
        lambda raw, _: (raw.get("data") or {}).get("x", ""),
        backoff=Backoff(0.01, 0.05),
    )
    changed = asyncio.Event()
    cache.subscribe(lambda *_: changed.set())
    running = asyncio.create_task(cache.run())
    trouble = (server.restart, _sync(server.disconnect_watches), _sync(server.compact))
    try:
        for count, hurt in enumerate((*trouble, server.restart)):
            await server.kube.create(PATH, {**config_map(f"a{count}"), "data": {"x": str(count)}})
            await hurt()
            await server.kube.create(PATH, config_map(f"b{count}"))
            await server.kube.delete(f"{PATH}/b{count}")
        async with asyncio.timeout(20):
            while {name: x for (_, name), x in cache if x} != {f"a{i}": str(i) for i in range(4)}:
                changed.clear()
                await changed.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _sync(call: Any) -> Any:
    async def hurt() -> None:
        call()

    return hurt


async def test_a_lease_has_one_holder(server: EmbeddedApiServer, kube: KubeClient) -> None:
    """Two candidates on one server: the versions decide, whoever is connected how."""
    timing = LeaseTiming(duration_s=5, renew_deadline_s=4, retry_s=0.05)
    candidates = [
        Election(server.kube, "default", "role", "in-process", timing=timing),
        Election(kube, "default", "role", "over-https", timing=timing),
    ]
    elected = asyncio.Event()

    async def lead() -> None:
        elected.set()
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(lead)) for one in candidates]
        await elected.wait()
        await asyncio.sleep(0.2)  # four more attempts of the other
        assert sum(one.leading for one in candidates) == 1
        for task in tasks:
            task.cancel()


async def test_who_has_no_token_is_nobody(server: EmbeddedApiServer, tmp_path: Path) -> None:
    """Health and version are for everybody, all else for those who are known."""
    async with session(tmp_path) as anonymous:
        for path in ("/healthz", "/livez", "/readyz", "/version"):
            assert (await anonymous.get(f"{server.url}{path}")).status == 200
        refused = await anonymous.get(f"{server.url}{PATH}")
        assert refused.status == 403
        assert "system:anonymous" in (await refused.json())["message"]
    async with session(tmp_path, "made-up") as liar:
        assert (await liar.get(f"{server.url}/readyz")).status == 401


async def test_a_token_that_is_not_known_is_told_as_such(
    server: EmbeddedApiServer, tmp_path: Path
) -> None:
    """Our client raises what it raises on a real cluster."""
    path = server.kubeconfig(tmp_path / "kubeconfig")
    path.write_text(path.read_text().replace('"token": "', '"token": "x'))
    async with await client.connect(str(path)) as stranger:
        with pytest.raises(UnauthorizedError):
            await stranger.get(PATH)


async def test_users_by_name(server: EmbeddedApiServer, tmp_path: Path) -> None:
    """A kubeconfig may be a service account's; the reviews know whose token it is."""
    name = "system:serviceaccount:shop:robot"
    path = server.kubeconfig(tmp_path / "robot", name)
    token = json.loads(path.read_text())["users"][0]["user"]["token"]
    body = {"spec": {"token": token}}
    review = await server.kube.create("/apis/authentication.k8s.io/v1/tokenreviews", body)

    assert review["status"]["authenticated"] is True
    assert review["status"]["user"]["username"] == name
    assert "system:serviceaccounts:shop" in review["status"]["user"]["groups"]
    assert path.stat().st_mode & 0o077 == 0


async def test_a_watch_speaks_tables(server: EmbeddedApiServer, tmp_path: Path) -> None:
    """As `kubectl get -w` asks for it: the columns come with the first event only."""
    token = json.loads(server.kubeconfig(tmp_path / "k").read_text())["users"][0]["user"]["token"]
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    async with (
        session(tmp_path, token) as known,
        known.get(f"{server.url}{PATH}?watch=1", headers=accept) as watch,
    ):
        await server.kube.create(PATH, config_map("a"))
        await server.kube.create(PATH, config_map("b"))
        first, second = [json.loads(await watch.content.readline()) for _ in range(2)]

    assert [row["cells"][0] for row in first["object"]["rows"]] == ["a"]
    assert first["object"]["columnDefinitions"][0]["name"] == "Name"
    assert (second["type"], second["object"]["columnDefinitions"]) == ("ADDED", None)


async def test_a_watch_whose_client_goes_ends(server: EmbeddedApiServer, kube: KubeClient) -> None:
    """At once, and not when there is something to tell; nothing is kept for nobody."""
    watch = kube.watch(PATH, {}, 60)
    await anext(aiter(watch))
    assert server.open_watches == 1
    await watch.aclose()  # type: ignore[attr-defined]  # the port promises an iterator only

    async with asyncio.timeout(10):
        while server.open_watches:  # noqa: ASYNC110 - there is nobody to tell when it is over
            await asyncio.sleep(0.01)


async def test_what_is_not_served_is_told(kube: KubeClient) -> None:
    """A path that nobody serves is a Status, and the next request is answered."""
    with pytest.raises(NotFoundError):
        await kube.get("/apis/nobody.example/v1/things")
    assert (await kube.get("/version"))["major"] == "1"


async def test_nothing_is_left_when_it_ends(tmp_path: Path) -> None:
    """No task, no open port; ten servers one after the other do not pile up."""
    before = asyncio.all_tasks()
    for count in range(3):
        async with EmbeddedApiServer(now=lambda: NOON, directory=tmp_path / str(count)):
            pass

    assert asyncio.all_tasks() == before
