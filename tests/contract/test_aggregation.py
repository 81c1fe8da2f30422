"""Aggregation: how the adapter is reached, and what is said when it cannot be."""

from __future__ import annotations

import base64
import json

import pytest

from budaiscaler.kube.port import PatchType
from tests.adapter import pki
from tests.contract.aggregated import FRONT_PROXY, Backend, backend
from tests.contract.server import ApiServer
from tests.contract.waiting import until


async def test_front_proxy_configuration(api: ApiServer) -> None:
    """A ConfigMap tells aggregated servers whom to believe, in the keys that we read."""
    data = (await api.kube.get(FRONT_PROXY))["data"]

    assert data["requestheader-client-ca-file"].startswith("-----BEGIN CERTIFICATE-----")
    assert json.loads(data["requestheader-username-headers"]) == ["X-Remote-User"]
    assert json.loads(data["requestheader-group-headers"]) == ["X-Remote-Group"]
    assert json.loads(data["requestheader-extra-headers-prefix"]) == ["X-Remote-Extra-"]
    assert isinstance(json.loads(data["requestheader-allowed-names"]), list)


async def test_passed_on(api: ApiServer) -> None:
    """A request arrives as it was sent, with the front proxy's certificate and the user's name."""
    allowed = json.loads((await api.kube.get(FRONT_PROXY))["data"]["requestheader-allowed-names"])
    async with backend(api) as server:
        await server.register()
        await server.available("True")
        path = f"{server.root}/namespaces/{api.namespace}/queue%20depth"
        claimed = {"X-Remote-User": "somebody-else"}
        selector = {"labelSelector": "a in (b,c)"}
        async with api.session.get(path, headers=claimed, params=selector) as answer:
            assert answer.status == 200
            assert (await answer.json())["kind"] == "Thing"
    (seen,) = server.seen
    assert (seen.method, seen.path) == (
        "GET",
        f"{server.root}/namespaces/{api.namespace}/queue depth",
    )
    assert "labelSelector=" in seen.query
    assert seen.proxy in allowed
    (user,) = seen.headers["X-Remote-User"]
    assert "somebody-else" not in user
    assert user
    assert "system:authenticated" in seen.headers["X-Remote-Group"]
    assert "Authorization" not in seen.headers


async def test_bodies_and_failures_are_passed_on(api: ApiServer) -> None:
    """Whatever the method and the answer, both ends see what the other sent."""
    async with backend(api) as server:
        await server.register()
        await server.available("True")
        server.status = 418
        path = f"{server.root}/namespaces/{api.namespace}/things"
        answer = await api.ask("POST", path, {"a": "b"})

    assert answer.status == 418
    (seen,) = server.seen
    assert (seen.method, json.loads(seen.body)) == ("POST", {"a": "b"})


async def test_discovered(api: ApiServer) -> None:
    """A group that is registered and available shows in both forms of discovery."""
    async with backend(api) as server:
        await server.register()
        found = await server.available("True")
        assert found["reason"] == "Passed"
        assert (await api.kube.get(server.root))["resources"][0]["name"] == "things"

        async def listed() -> bool | None:
            groups = (await api.ask("GET", "/apis")).json["groups"]
            return True if server.group in {one["name"] for one in groups} else None

        await until(listed, "the group in the plain list")
        # It is asked for again after a minute where the first look came before the Service's.
        await until(lambda: _aggregated(api, server), "the group in the aggregated form", 90)


async def _aggregated(api: ApiServer, server: Backend) -> bool | None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    document = (await api.ask("GET", "/apis", accept=accept)).json
    for group in document["items"]:
        if group["metadata"]["name"] == server.group:
            (version,) = group["versions"]
            resources = [one["resource"] for one in version.get("resources", ())]
            if version["freshness"] == "Current" and resources == ["things"]:
                return True
    return None


async def test_nobody_there(api: ApiServer) -> None:
    """A group whose server does not answer is unavailable, and its requests get a 503."""
    async with backend(api) as server:
        server.stop()
        await server.register()
        found = await server.available("False")
        assert found["reason"] == "FailedDiscoveryCheck"
        answer = await api.ask("GET", f"{server.root}/namespaces/{api.namespace}/things")
        assert answer.status == 503


async def test_gone_and_back(api: ApiServer) -> None:
    """A server that goes away is a 503 and never an old answer; once it is back, it answers."""
    async with backend(api) as server:
        await server.register()
        await server.available("True")
        path = f"{server.root}/namespaces/{api.namespace}/things"
        assert (await api.ask("GET", path)).status == 200
        server.stop()
        assert (await api.ask("GET", path)).status == 503
        server.start()

        async def answers() -> bool | None:
            return True if (await api.ask("GET", path)).status == 200 else None

        await until(answers, "the server to be reached again")


async def test_wrong_certificate(api: ApiServer) -> None:
    """A server is only believed by the CA of its registration, which can be changed meanwhile."""
    async with backend(api) as server:
        other = base64.b64encode(pki.authority("other").pair.certificate).decode()
        await server.register(caBundle=other)
        path = f"{server.root}/namespaces/{api.namespace}/things"

        async def status(wanted: int) -> bool | None:
            return True if (await api.ask("GET", path)).status == wanted else None

        await until(lambda: status(503), "a 503")
        assert server.seen == []
        right = base64.b64encode(server.authority.pair.certificate).decode()
        change = {"spec": {"caBundle": right}}
        await api.kube.patch(server.api_service, change, PatchType.MERGE)
        await until(lambda: status(200), "the server to be believed")


@pytest.mark.parametrize("what", ["registration", "service"])
async def test_unregistered(api: ApiServer, what: str) -> None:
    """Without its registration a group does not exist; without its Service it is unavailable."""
    async with backend(api) as server:
        await server.register()
        await server.available("True")
        path = f"{server.root}/namespaces/{api.namespace}/things"
        if what == "registration":
            await api.kube.delete(server.api_service)
            wanted = 404
        else:
            await api.kube.delete(f"/api/v1/namespaces/{api.namespace}/services/backend")
            found = await server.available("False")
            assert found["reason"] == "ServiceNotFound"
            wanted = 503

        async def status() -> bool | None:
            return True if (await api.ask("GET", path)).status == wanted else None

        await until(status, f"a {wanted}")
