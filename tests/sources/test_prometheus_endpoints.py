"""Endpoints: what is accepted, what cannot be reached, and that none betrays a secret."""

from __future__ import annotations

import socket

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.endpoints import normalise_endpoint
from budaiscaler.sources.prometheus import MAX_BODY_BYTES
from tests.sources.server import body, prometheus, prometheus_source, request, vector


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        pytest.param("http://prometheus:9090", "http://prometheus:9090", id="complete"),
        pytest.param("https://prometheus/x/", "https://prometheus/x", id="trailing-slash"),
        pytest.param("prometheus:9090", "http://prometheus:9090", id="no-scheme"),
        pytest.param("http://[::1]:9090", "http://[::1]:9090", id="ipv6"),
        pytest.param("HTTP://Prometheus", "HTTP://Prometheus", id="upper-case"),
        pytest.param("http://u:p@prometheus", "http://u:p@prometheus", id="userinfo"),
    ],
)
def test_accepted(endpoint: str, expected: str) -> None:
    """A base URL is completed where it leaves no doubt."""
    assert normalise_endpoint(endpoint) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "",
        "ftp://prometheus",
        "file:///etc/passwd",
        "http://",
        "http://:9090",
        "http://prometheus:port",
        "http://prometheus:99999",
        "http://prometheus:0",
        "http://[::1",
        "http://prometheus/?token=hunter2",
        "http://prometheus/#hunter2",
        "http://u:hunter2@",
    ],
)
async def test_refused(endpoint: str | None) -> None:
    """What is no base URL is refused with a remedy, without repeating it."""
    source = prometheus_source(deadline_s=1)

    found = await source.fetch(request(endpoint))

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ENDPOINT
    assert "set endpoint" in found.message or "http://prometheus.monitoring:9090" in found.message
    assert "hunter2" not in found.message
    await source.close()


async def test_nobody_listens() -> None:
    """A refused connection is told at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        source = prometheus_source(deadline_s=5)
        found = await source.fetch(request(f"http://127.0.0.1:{unused.getsockname()[1]}"))
        await source.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.UNREACHABLE
    assert "check that it runs" in found.message


@pytest.mark.parametrize("host", ["prometheus.invalid", "p" * 64 + ".example"], ids=len)
async def test_unknown_host(host: str) -> None:
    """A host that does not exist is told apart from one that is down: it wants an edit."""
    source = prometheus_source(deadline_s=5)

    found = await source.fetch(request(f"http://{host}:9090"))

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.UNKNOWN_HOST
    assert "check endpoint for a typo" in found.message
    await source.close()


async def test_user_and_password() -> None:
    """User and password of an endpoint are sent to it, as basic authentication."""
    source = prometheus_source(deadline_s=2)
    with prometheus(vector("1")) as server:
        endpoint = server.url.replace("http://", "http://me:s%3Acret@")
        found = await source.fetch(request(endpoint))
        await source.close()

    assert isinstance(found, Sample)
    assert server.seen[0].authorization == "Basic bWU6czpjcmV0"


@pytest.mark.parametrize("status", [200, 302, 401, 404, 500])
async def test_no_secret_in_messages(status: int) -> None:
    """Whatever goes wrong, user and password of the endpoint stand in no message."""
    source = prometheus_source(deadline_s=2)
    with prometheus(body(status, "nonsense")) as server:
        found = await source.fetch(request(server.url.replace("://", "://admin:hunter2@")))
    refused = await source.fetch(request(server.url.replace("://", "://admin:hunter2@"), "other"))
    unknown = await source.fetch(request("http://admin:hunter2@prometheus.invalid"))
    await source.close()

    for answer in (found, refused, unknown):
        assert isinstance(answer, NoData)
        assert "hunter2" not in answer.message
        assert "admin" not in answer.message
        assert "http://" in answer.message


@pytest.mark.parametrize("path", ["/a b", "/ä", "/%7euser", "/x/../y", "/UPPER"], ids=repr)
async def test_limits_hold_on_any_path(path: str) -> None:
    """An endpoint that is spelled unusually is read within the same limits as any other."""
    source = prometheus_source(deadline_s=2)
    with prometheus(body(200, b"x" * (MAX_BODY_BYTES + 1))) as server:
        found = await source.fetch(request(server.url + path))
        await source.close()

    assert isinstance(found, NoData)
    assert "more than 8 MiB" in found.message


async def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the operator's environment sees the queries."""
    with prometheus(vector("1")) as proxy, prometheus(vector("1")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        source = prometheus_source(deadline_s=2)
        found = await source.fetch(request(server.url))
        await source.close()

    assert isinstance(found, Sample)
    assert proxy.seen == []
