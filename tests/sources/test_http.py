"""The guarded GET against real servers that do not behave."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from typing import Any

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.http import MAX_BODY_BYTES, HttpFetcher
from tests.sources.server import Answer, Prometheus, body, drip, hang, prometheus

OPEN = AddressGuard((ip_network("127.0.0.0/8"), ip_network("::1/128")))
SECRET = "hunter2"


@pytest.fixture
async def fetcher() -> AsyncIterator[HttpFetcher]:
    """One that may ask loopback, and waits for two seconds."""
    made = HttpFetcher(guard=OPEN, deadline_s=2)
    yield made
    await made.close()


async def get(
    answer: Answer, *, deadline_s: float = 2.0, path: str = "", **headers: str
) -> bytes | NoData:
    """Ask a server that answers so, once."""
    fetcher = HttpFetcher(guard=OPEN, deadline_s=deadline_s)
    with prometheus(answer) as server:
        try:
            return await fetcher.get(server.url + path, {}, headers)
        finally:
            await fetcher.close()


async def test_a_body(fetcher: HttpFetcher) -> None:
    """Headers and parameters are sent as given, and the body of the answer comes back."""
    with prometheus(body(200, "42")) as server:
        url = f"{server.url}/load?metric=mine&empty="
        found = await fetcher.get(url, {"metric": "queue", "namespace": "ml"}, {"X-Key": SECRET})

    assert found == b"42"
    (seen,) = server.seen
    assert (seen.method, seen.path) == ("GET", "/load")
    assert seen.parameters == {"metric": ["mine"], "namespace": ["ml"]}
    assert seen.headers["x-key"] == SECRET
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["user-agent"] == "budaiscaler"


async def test_user_and_password(fetcher: HttpFetcher) -> None:
    """User and password of an endpoint are sent to it, but not beside another authorization."""
    with prometheus(body(200, "1")) as server:
        endpoint = server.url.replace("://", "://me:s%3Acret@")
        found = await fetcher.get(endpoint, {}, {})
        refused = await fetcher.get(endpoint, {}, {"authorization": "Bearer x"})

    assert found == b"1"
    assert [seen.authorization for seen in server.seen] == ["Basic bWU6czpjcmV0"]
    assert isinstance(refused, NoData)
    assert refused.reason is NoDataReason.BAD_ENDPOINT
    assert "leave one of them out" in refused.message


async def test_ipv6(fetcher: HttpFetcher) -> None:
    """An address in brackets is asked as any other."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n6")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "::1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        found = await fetcher.get(f"http://[::1]:{port}/", {}, {})

    assert found == b"6"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        pytest.param(body(500, SECRET), NoDataReason.HTTP_ERROR, "HTTP 500", id="500"),
        pytest.param(body(204, ""), NoDataReason.HTTP_ERROR, "where 200 is wanted", id="204"),
        pytest.param(body(401, SECRET), NoDataReason.HTTP_ERROR, "check headers", id="401"),
        pytest.param(body(404, SECRET), NoDataReason.HTTP_ERROR, "check the path", id="404"),
        pytest.param(
            body(302, "", Location=f"http://u:{SECRET}@127.0.0.1/"),
            NoDataReason.BAD_ENDPOINT,
            "redirects elsewhere (HTTP 302), which is not followed: set endpoint",
            id="redirect",
        ),
        pytest.param(
            body(200, gzip.compress(b"0" * 10**7), **{"Content-Encoding": "gzip"}),
            NoDataReason.BAD_ANSWER,
            "compresses its answer, though asked not to",
            id="gzip-bomb",
        ),
        pytest.param(
            body(200, b"1" * (MAX_BODY_BYTES + 1)),
            NoDataReason.BAD_ANSWER,
            "more than 4 MiB: answer less",
            id="too-large",
        ),
        pytest.param(
            lambda _, handler, __: handler.wfile.write(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
            NoDataReason.BAD_ANSWER,
            "check the port of endpoint",
            id="no-http",
        ),
        pytest.param(
            lambda _, handler, __: handler.connection.shutdown(socket.SHUT_RDWR),
            NoDataReason.UNREACHABLE,
            "check that it runs",
            id="closes-at-once",
        ),
        pytest.param(
            lambda _, handler, __: handler.wfile.write(
                b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"
            ),
            NoDataReason.BAD_ANSWER,
            "did not answer as an HTTP server does",
            id="endless-header",
        ),
    ],
)
async def test_bad_answers(answer: Answer, reason: NoDataReason, words: str) -> None:
    """Each says what is wrong and what to change, and repeats nothing that was sent or answered."""
    found = await get(answer, path=f"/{SECRET}?key={SECRET}", Authorization=f"Bearer {SECRET}")

    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message
    assert SECRET not in found.message


async def test_a_gigabyte() -> None:
    """Of a body without end no more is read than the limit."""
    sent = 0

    def pour(server: Prometheus, handler: BaseHTTPRequestHandler, _: str) -> None:
        nonlocal sent
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
        while sent < 2**30 and not server.stopping.is_set():
            sent += handler.wfile.write(b"7" * 2**16)

    found = await get(pour, deadline_s=10)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ANSWER
    assert "more than 4 MiB" in found.message
    assert sent < 2**26  # what the buffers of two sockets hold comes on top


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(hang, id="hangs"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: "), id="drips-its-header"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"), id="drips-its-body"),
    ],
)
async def test_slow_answers(answer: Answer) -> None:
    """The deadline is of the whole, however many bytes come in between."""
    found = await get(answer, deadline_s=0.3)

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert "did not answer in full within 0.3 s" in found.message
    assert "--source-timeout" in found.message


async def test_nobody_listens(fetcher: HttpFetcher) -> None:
    """A refused connection is told as such, without user and password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://me:{SECRET}@127.0.0.1:{unused.getsockname()[1]}/"
        found = await fetcher.get(url, {}, {})

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.UNREACHABLE
    assert "check that it runs" in found.message
    assert SECRET not in found.message


async def test_no_tls(fetcher: HttpFetcher) -> None:
    """An https endpoint on a plain port is told to look at its scheme."""
    with prometheus(body(200, "1")) as server:
        found = await fetcher.get(server.url.replace("http:", "https:"), {}, {})

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.UNREACHABLE
    assert "check the scheme and port" in found.message


@pytest.mark.parametrize(
    ("url", "reason", "words"),
    [
        pytest.param("http://127.0.0.1:1/", "DeniedAddress", "a loopback address", id="loopback"),
        pytest.param("http://[::1]:1/", "DeniedAddress", "a loopback address", id="loopback-6"),
        pytest.param("http://169.254.169.254/", "DeniedAddress", "cloud metadata", id="metadata"),
        pytest.param(
            "http://[::ffff:169.254.169.254]/", "DeniedAddress", "cloud metadata", id="mapped"
        ),
        pytest.param("http://0/", "BadEndpoint", "in its usual form", id="zero"),
        pytest.param("http://2130706433/", "BadEndpoint", "in its usual form", id="one-number"),
        pytest.param("http://127.1/", "BadEndpoint", "in its usual form", id="short"),
        pytest.param("http://0x7f.1/", "DeniedAddress", "a loopback address", id="hexadecimal"),
        pytest.param("http://①②⑦.0.0.1/", "DeniedAddress", "a loopback address", id="circled"),
        pytest.param("http://localhost:1/", "DeniedAddress", "a loopback address", id="name"),
        pytest.param(f"http://{'a' * 64}.example/", "UnknownHost", "for a typo", id="long-label"),
        pytest.param("http://a..example/", "UnknownHost", "for a typo", id="empty-label"),
        pytest.param("http://10.0.0.1@127.0.0.1/", "DeniedAddress", "a loopback", id="as-a-user"),
        pytest.param("http://a\\@127.0.0.1/", "BadEndpoint", "no usable host", id="backslash"),
    ],
)
async def test_denied_addresses(url: str, reason: str, words: str) -> None:
    """However a place is written where no source may go, nothing is connected to."""
    fetcher = HttpFetcher(guard=AddressGuard(), deadline_s=2)
    found = await fetcher.get(url, {}, {})
    await fetcher.close()

    assert isinstance(found, NoData)
    assert found.reason == reason
    assert words in found.message
    assert reason != "DeniedAddress" or "--allow-source-ranges" in found.message


def _answers(*addresses: str, port: int = 80) -> list[tuple[Any, ...]]:
    """What a lookup gives that finds these; loopback if none is named."""
    return [
        (
            socket.AF_INET6 if ":" in address else socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
            "",
            (address, port, 0, 0) if ":" in address else (address, port),
        )
        for address in addresses or ("127.0.0.1",)
    ]


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(["169.254.169.254"], id="one"),
        pytest.param(["10.255.255.1", "169.254.169.254"], id="one-of-two"),
        pytest.param(["::ffff:169.254.169.254"], id="mapped"),
    ],
)
async def test_a_name_that_leads_astray(addresses: list[str]) -> None:
    """A name is what it resolves to: one denied address, and none of them is asked."""
    fetcher = HttpFetcher(
        guard=AddressGuard(), deadline_s=2, lookup=lambda *_: _answers(*addresses)
    )
    found = await fetcher.get("http://innocent.example/", {}, {})
    await fetcher.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.DENIED_ADDRESS
    assert "http://innocent.example:80 leads to" in found.message
    assert "cloud metadata" in found.message


async def test_what_was_checked_is_what_is_connected_to() -> None:
    """A name that resolves to something else the second time is not resolved a second time."""
    asked = []

    def rebind(host: str, port: int) -> list[tuple[Any, ...]]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return _answers(address, port=port)

    fetcher = HttpFetcher(guard=OPEN, deadline_s=2, lookup=rebind)
    with prometheus(body(200, "1", Connection="close")) as server:
        url = server.url.replace("127.0.0.1", "rebound.example")
        found = await fetcher.get(url, {}, {})
        await fetcher.close()

    assert found == b"1"
    assert asked == ["rebound.example"]
    assert server.seen[0].headers["host"].startswith("rebound.example:")


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        pytest.param(socket.EAI_NONAME, NoDataReason.UNKNOWN_HOST, "for a typo", id="unknown"),
        pytest.param(socket.EAI_AGAIN, NoDataReason.UNREACHABLE, "cluster's DNS", id="no-dns"),
    ],
)
async def test_names_that_are_not_found(code: int, reason: NoDataReason, words: str) -> None:
    """A name that does not exist is told apart from a DNS that does not answer."""

    def fail(host: str, port: int) -> list[tuple[Any, ...]]:
        raise socket.gaierror(code, SECRET)

    fetcher = HttpFetcher(guard=AddressGuard(), deadline_s=2, lookup=fail)
    found = await fetcher.get(f"http://me:{SECRET}@queue.example/", {}, {})
    await fetcher.close()

    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message
    assert SECRET not in found.message


async def test_proxies_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, fetcher: HttpFetcher
) -> None:
    """No proxy of the operator's environment sees a request, which it would make unchecked."""
    with prometheus(body(200, "1")) as proxy, prometheus(body(200, "2")) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        found = await fetcher.get(server.url, {}, {})

    assert found == b"2"
    assert proxy.seen == []


async def test_cookies() -> None:
    """What one user's request is given is not sent with another's."""
    fetcher = HttpFetcher(guard=OPEN, deadline_s=2, lookup=lambda _, port: _answers(port=port))
    with prometheus(body(200, "1", **{"Set-Cookie": "session=1"})) as server:
        url = server.url.replace("127.0.0.1", "queue.example")  # jars take none of an address
        for _ in range(2):
            assert await fetcher.get(url, {}, {}) == b"1"
        await fetcher.close()

    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]
