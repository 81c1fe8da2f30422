"""The TLS endpoint: what is new counts from the next handshake on, and what is gone is gone."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from dataclasses import dataclass

import aiohttp
import pytest

from adapter.serving import ServingContext
from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import tls
from budaiscaler.runtime.tls import KeyPair
from tests.adapter import pki
from tests.adapter.api import HPA, METRIC, PROXY, Api

NEW_PROXY = pki.authority("front-proxy-ca-2")
NEW_CLIENT = NEW_PROXY.client("front-proxy-client")
REFUSED = (aiohttp.ClientError, ssl.SSLError, ConnectionError)
AS_HPA = {"X-Remote-User": HPA}


@dataclass(slots=True)
class Line:
    """One connection that stays open, blocking; used from a thread."""

    api: Api
    context: ssl.SSLContext
    name: str | None = "localhost"
    session: ssl.SSLSession | None = None
    line: ssl.SSLSocket | None = None

    def open(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("localhost", self.api.port), timeout=5)
        self.line = self.context.wrap_socket(raw, server_hostname=self.name, session=self.session)
        return self.line

    def ask(self, path: str = METRIC, user: str = HPA) -> str:
        """Ask, and give the status line; empty when the connection has ended."""
        line = self.line or self.open()
        try:
            line.sendall(
                f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Remote-User: {user}\r\n\r\n".encode()
            )
            return line.recv(65536).decode().split("\r\n")[0]
        except (ConnectionError, ssl.SSLError):
            return ""

    def close(self) -> None:
        if self.line is not None:
            self.line.close()


def refuse_anonymous(api: Api) -> None:
    api.allows = lambda spec: bool(spec["user"] != "system:anonymous")


@pytest.mark.parametrize("newest", [True, False], ids=["tls-1.3", "tls-1.2"])
async def test_both_versions(api: Api, newest: bool) -> None:  # noqa: FBT001 - a column
    """The front proxy is believed over TLS 1.3 and 1.2 alike."""
    answer = await api.get(headers=AS_HPA, tls=pki.context(PROXY, newest=newest))

    assert answer.status == 200
    assert api.reviews[0]["user"] == HPA


async def test_older_versions(api: Api) -> None:
    """Nothing older than TLS 1.2 is spoken."""
    old = pki.context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(REFUSED):
        await api.get("/livez", tls=old)


async def test_client_without_certificate(api: Api) -> None:
    """Probes and token clients present no certificate and are served."""
    assert (await api.get("/livez")).text == "ok"


@pytest.mark.parametrize("name", ["localhost", None], ids=["with-sni", "without-sni"])
async def test_a_new_certificate(api: Api, name: str | None) -> None:
    """A renewed certificate is served from the next handshake on, also to who sends no name."""
    renewed = tls.issue_leaf(pki.SERVING.pair, (pki.SERVICE, "localhost"), pki.NOW)
    context = pki.context()
    context.check_hostname = name is not None

    def served() -> bytes | None:
        line = Line(api, context, name).open()
        certificate = line.getpeercert(binary_form=True)
        line.close()
        return certificate

    before = await asyncio.to_thread(served)
    api.context.use(renewed, pki.FRONT_PROXY.pem)
    after = await asyncio.to_thread(served)

    assert before == ssl.PEM_cert_to_DER_cert(pki.SERVED.certificate.decode())
    assert after == ssl.PEM_cert_to_DER_cert(renewed.certificate.decode())


async def test_open_connections_survive(api: Api) -> None:
    """A new certificate disturbs no connection that is open."""
    line = Line(api, pki.context(PROXY))
    assert "200" in await asyncio.to_thread(line.ask)

    api.context.use(tls.issue_leaf(pki.SERVING.pair, ("localhost",), pki.NOW), pki.FRONT_PROXY.pem)

    assert "200" in await asyncio.to_thread(line.ask)
    line.close()


async def test_rotation_of_the_client_ca(api: Api) -> None:
    """First both CAs are believed, then the new one alone; neither step refuses the right one."""
    api.context.use(pki.SERVED, pki.FRONT_PROXY.pem + NEW_PROXY.pem)
    for client in (PROXY, NEW_CLIENT):
        assert (await api.get(client=client, headers=AS_HPA)).status == 200

    api.context.use(pki.SERVED, NEW_PROXY.pem)

    assert (await api.get(client=NEW_CLIENT, headers=AS_HPA)).status == 200
    with pytest.raises(REFUSED):
        await api.get(client=PROXY, headers=AS_HPA)
    assert (await api.get("/livez")).status == 200


async def test_old_sessions(api: Api) -> None:
    """A TLS 1.2 session of before the rotation vouches for nobody, though it can be resumed."""
    refuse_anonymous(api)
    context = pki.context(PROXY, newest=False)
    first = Line(api, context)
    assert "200" in await asyncio.to_thread(first.ask)
    assert first.line is not None

    api.context.use(pki.SERVED, NEW_PROXY.pem)
    resumed = Line(api, context, session=first.line.session)
    answer = await asyncio.to_thread(resumed.ask, METRIC, "somebody-else")

    assert resumed.line is not None
    assert resumed.line.session_reused
    assert "403" in answer
    assert [review["user"] for review in api.reviews] == [HPA, "system:anonymous"]
    resumed.close()
    first.close()


async def test_old_connections(api: Api) -> None:
    """Connections that an old CA vouched for are ended, idle ones too; new ones are taken."""
    line = Line(api, pki.context(PROXY))
    assert "200" in await asyncio.to_thread(line.ask)

    api.context.use(pki.SERVED, NEW_PROXY.pem)
    api.server.close_connections()
    await asyncio.sleep(0.01)

    assert await asyncio.to_thread(line.ask) == ""
    assert (await api.get(client=NEW_CLIENT, headers=AS_HPA)).status == 200
    line.close()


async def test_without_a_client_ca(api: Api) -> None:
    """Before the cluster's CA is known no certificate is believed, and tokens still are."""
    api.context.use(pki.SERVED, None)
    api.tokens["good"] = {"username": "jane"}

    with pytest.raises(REFUSED):
        await api.get(client=PROXY, headers=AS_HPA)

    assert (await api.get(headers={"Authorization": "Bearer good"})).status == 200


_OTHER = tls.issue_leaf(pki.SERVING.pair, ("localhost",), pki.NOW)


@pytest.mark.parametrize(
    ("pair", "client_ca", "message"),
    [
        pytest.param(
            KeyPair(b"no certificate", b"no key"), None, "serving certificate", id="no-pair"
        ),
        pytest.param(KeyPair(b"", b""), None, "serving certificate", id="empty-pair"),
        pytest.param(
            KeyPair(pki.SERVED.certificate, _OTHER.key),
            None,
            "serving certificate and its key cannot be used",
            id="key-of-another",
        ),
        pytest.param(pki.SERVED, "no CA", "CA of the front proxy", id="no-ca"),
        pytest.param(pki.SERVED, "", "CA of the front proxy", id="empty-ca"),
    ],
)
async def test_what_cannot_be_used(
    api: Api, pair: KeyPair, client_ca: str | None, message: str
) -> None:
    """What is no certificate is refused by name, and what was served before still is."""
    with pytest.raises(ConfigurationError, match=message):
        api.context.use(pair, client_ca)

    assert (await api.get(client=PROXY, headers=AS_HPA)).status == 200


async def test_before_anything_is_used() -> None:
    """A context that was given nothing yet serves nobody, and does not crash."""
    context = ServingContext()

    assert context.listening.verify_mode is ssl.CERT_OPTIONAL
    with pytest.raises(ConfigurationError):
        context.use(KeyPair(b"", b""), None)


async def test_one_too_many(api: Api) -> None:
    """Anonymous connections that never ask end at a limit, and those that are open go on."""
    api.server.most_connections = 2
    lines = [Line(api, pki.context(PROXY)) for _ in range(3)]
    for line in lines[:2]:
        assert "200" in await asyncio.to_thread(line.ask)

    assert await asyncio.to_thread(lines[2].ask) == ""
    assert "200" in await asyncio.to_thread(lines[0].ask)

    await asyncio.to_thread(lines[0].close)
    await asyncio.sleep(0.05)
    again = Line(api, pki.context(PROXY))
    assert "200" in await asyncio.to_thread(again.ask)
    for line in (*lines, again):
        line.close()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("GET / HTTP/1.1\r\nAuthorization: Bearer SECRET\x01\r\n\r\n", id="control"),
        pytest.param(
            f"GET / HTTP/1.1\r\nAuthorization: Bearer SECRET{'x' * 9000}\r\n\r\n", id="too-long"
        ),
        pytest.param("SECRET\r\n\r\n", id="no-http"),
    ],
)
async def test_what_is_no_http(api: Api, sent: str, caplog: pytest.LogCaptureFixture) -> None:
    """Anybody can send it, so it is refused without a word in the log, where a token might be."""

    def ask() -> str:
        with Line(api, pki.context()).open() as line:
            line.sendall(sent.encode())
            return line.recv(65536).decode().split("\r\n")[0]

    assert " 400 " in await asyncio.to_thread(ask)
    assert caplog.text == ""
    assert (await api.get(client=PROXY, headers=AS_HPA)).status == 200


async def test_idle_connections_are_small(api: Api) -> None:
    """A connection that never asks holds a small buffer; with the default, two thousand fill us."""
    lines = [Line(api, pki.context()) for _ in range(20)]
    tracemalloc.start()
    for line in lines:
        await asyncio.to_thread(line.open)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for line in lines:
        line.close()

    assert held / len(lines) < 100 * 1024
