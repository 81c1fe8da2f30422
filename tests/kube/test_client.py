"""Requests to a real HTTP server: what is sent, and how every failure is told by its class."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException

from budaiscaler.domain.errors import (
    ConfigurationError,
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidObjectError,
    KubeStatusError,
    KubeUnreachableError,
    NotFoundError,
    OverloadedError,
    UnauthorizedError,
)
from budaiscaler.kube import client, port
from budaiscaler.kube.port import PatchType
from tests.kube.apiserver import always, connected, hang, kubeconfig

PATH = "/apis/apps/v1/namespaces/ml/deployments/chat"
OK = always(200, '{"kind": "Deployment", "spec": {"replicas": 3}}')


async def test_get(tmp_path: Path) -> None:
    """An object comes back as plain JSON, with every field the server sent."""
    async with connected(tmp_path, OK) as (kube, server):
        found = await kube.get(PATH, {"fieldSelector": "metadata.name=a b&c"})

    assert found == {"kind": "Deployment", "spec": {"replicas": 3}}
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", PATH)
    assert seen.query == {"fieldSelector": "metadata.name=a b&c"}
    assert seen.headers["Authorization"] == "Bearer t0ken"
    assert seen.headers["Accept"] == "application/json"


async def test_writes(tmp_path: Path) -> None:
    """Each way of writing has its method and its content type, and the body arrives as given."""
    async with connected(tmp_path, OK) as (kube, server):
        await kube.create(PATH, {"a": 1})
        await kube.update(PATH, {"a": 2})
        await kube.patch(PATH, {"a": None}, PatchType.MERGE)
        await kube.patch(PATH, [{"op": "remove", "path": "/a"}], PatchType.JSON)
        await port.apply(kube, PATH, {"a": 3}, field_manager="me", force=False)
        await kube.delete(PATH)
        await kube.delete(PATH, uid="uid-1")

    sent = [(seen.method, seen.headers["Content-Type"], seen.body) for seen in server.seen]
    assert sent == [
        ("POST", "application/json", {"a": 1}),
        ("PUT", "application/json", {"a": 2}),
        ("PATCH", "application/merge-patch+json", {"a": None}),
        ("PATCH", "application/json-patch+json", [{"op": "remove", "path": "/a"}]),
        ("PATCH", "application/apply-patch+yaml", {"a": 3}),
        ("DELETE", "application/json", {"propagationPolicy": "Background"}),
        (
            "DELETE",
            "application/json",
            {"propagationPolicy": "Background", "preconditions": {"uid": "uid-1"}},
        ),
    ]
    assert server.seen[4].query == {"fieldManager": "me", "force": "false"}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, KubeStatusError),
        (401, UnauthorizedError),
        (403, ForbiddenError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, ExpiredError),
        (422, InvalidObjectError),
        (429, OverloadedError),
        (500, OverloadedError),
        (503, OverloadedError),
        (504, OverloadedError),
    ],
)
async def test_failures_by_class(tmp_path: Path, code: int, kind: type[KubeStatusError]) -> None:
    """A Status is raised as the class of its code, with the server's reason and words."""
    status = {"kind": "Status", "reason": "Because", "message": "the server said so", "code": code}
    async with connected(tmp_path, always(code, json.dumps(status))) as (kube, _):
        with pytest.raises(KubeStatusError, match="the server said so") as raised:
            await kube.get(PATH)

    assert type(raised.value) is kind
    assert (raised.value.code, raised.value.reason) == (code, "Because")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("<html>Bad Gateway</html>", "<html>Bad Gateway</html>", id="html"),
        pytest.param("", "HTTP 502", id="empty"),
        pytest.param("[1]", r"\[1\]", id="json-but-no-object"),
        pytest.param('{"error": "x"}', '{"error": "x"}', id="another-object"),
        pytest.param('{"message": null}', "message", id="no-message"),
        pytest.param(b"\xff\xfe", "\ufffd", id="not-text"),
        pytest.param("x" * 100_000, "^x{200}$", id="long"),
    ],
)
async def test_answers_of_proxies(tmp_path: Path, body: str | bytes, message: str) -> None:
    """A failure that is no Status, as proxies on the way answer, is told by its code and start."""
    async with connected(tmp_path, always(502, body, "text/html")) as (kube, _):
        with pytest.raises(OverloadedError, match=message) as raised:
            await kube.get(PATH)

    assert raised.value.code == 502


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>please log in</html>", id="login-page"),
        pytest.param("", id="empty"),
        pytest.param('{"items": [', id="cut-off"),
        pytest.param("[]", id="no-object"),
    ],
)
async def test_success_that_is_none(tmp_path: Path, body: str) -> None:
    """A 200 that carries no object, as a captive proxy answers, is no answer of an API server."""
    async with connected(tmp_path, always(200, body)) as (kube, _):
        with pytest.raises(KubeUnreachableError, match=PATH):
            await kube.get(PATH)


async def test_refused_connection(tmp_path: Path) -> None:
    """A server that is not there is unreachable, and the message says what was asked."""
    async with await client.connect(kubeconfig(tmp_path, "http://127.0.0.1:1")) as kube:
        with pytest.raises(KubeUnreachableError, match=f"GET {PATH}: "):
            await kube.get(PATH)
        with pytest.raises(KubeUnreachableError, match="/watched"):
            async for _ in kube.watch("/watched", {}, 10):
                pass


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="gone"),
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"t0ken\n", id="line-break"),
    ],
)
async def test_token_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    """A pod's token that cannot be used just now is a failure as any other, and may mend itself."""
    path = tmp_path / "token"

    def refresh(configuration: Configuration) -> None:
        text = path.read_text()
        if not text:
            raise ConfigException("Token file exists but empty.")
        configuration.api_key["BearerToken"] = f"bearer {text}"

    async with connected(tmp_path, OK) as (kube, _):
        kube._api.configuration.refresh_api_key_hook = refresh
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(KubeUnreachableError, match=f"GET {PATH}: ") as raised:
            await kube.get(PATH)
        with pytest.raises(KubeUnreachableError, match="GET /watched: "):
            async for _ in kube.watch("/watched", {}, 10):
                pass
        assert "t0ken" not in str(raised.value)

        path.write_text("t0ken")
        assert await kube.get(PATH)


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("http://127.0.0.1:99999", id="port"),
        pytest.param("http://[::1", id="bracket"),
        pytest.param("http://api..example", id="name"),
        pytest.param("ftp://127.0.0.1", id="scheme"),
        pytest.param("https://127.0.0.1:1", id="tls"),
    ],
)
async def test_server_that_is_none(tmp_path: Path, server: str) -> None:
    """A server whose address cannot be used is unreachable, whatever the library raises for it."""
    async with await client.connect(kubeconfig(tmp_path, server)) as kube:
        with pytest.raises(KubeUnreachableError, match=f"GET {PATH}: "):
            await kube.get(PATH)


async def test_no_tls(tmp_path: Path) -> None:
    """A server that answers without TLS where TLS is wanted is unreachable."""
    async with (
        connected(tmp_path, OK) as (_, server),
        await client.connect(kubeconfig(tmp_path, f"https://127.0.0.1:{server.port}")) as kube,
    ):
        with pytest.raises(KubeUnreachableError, match=f"GET {PATH}: "):
            await kube.get(PATH)


@pytest.mark.looptime
async def test_hanging_server(tmp_path: Path) -> None:
    """A request that is never answered ends by itself, as unreachable."""
    async with connected(tmp_path, hang) as (kube, _):
        with pytest.raises(KubeUnreachableError, match=f"GET {PATH}: .*[Tt]imeout"):
            await kube.get(PATH)

    assert asyncio.get_running_loop().time() == pytest.approx(15, abs=1)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no-file"),
        pytest.param("", id="empty"),
        pytest.param("nonsense", id="no-yaml-map"),
        pytest.param("{a: [", id="no-yaml"),
        pytest.param("current-context: x\nkind: Config", id="half"),
    ],
)
async def test_unusable_kubeconfig(tmp_path: Path, content: str | None) -> None:
    """A kubeconfig that cannot be used keeps the process from starting, and is named."""
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)

    with pytest.raises(ConfigurationError, match=f"{path}.*--kubeconfig"):
        await client.connect(str(path))


async def test_outside_a_pod() -> None:
    """Without a kubeconfig outside a pod, the message says which of the two is missing."""
    with pytest.raises(ConfigurationError, match=r"service account.*set it"):
        await client.connect(None)
