"""HTTP to servers of this machine: on loopback, so never through a proxy."""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from e2e.cluster import certs

TIMEOUT_S: Final = 30.0
"""Longer than a busy machine keeps a server from answering."""

Headers = Mapping[str, str] | Iterable[tuple[str, str]]
"""As a mapping, or as pairs where a name is sent several times."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: the HTTP status; 0 where nothing answered.
        headers: of the answer, by lower-cased name.
        text: the body, or why nothing answered.
    """

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        """Read the body; fails with what was answered instead."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise AssertionError(f"no JSON was answered, but {self}") from None


def ask(
    method: str,
    address: str,
    *,
    client: certs.KeyPair | None = None,
    headers: Headers = (),
    body: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """Send one request on a connection of its own; nothing is believed of the server's name."""
    try:
        connection = open_connection(address, client, timeout_s)
    except (OSError, ssl.SSLError) as error:
        return Answer(0, {}, str(error))
    with contextlib.closing(connection):
        try:
            answer = send(connection, method, address, headers, body)
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, {}, str(error))
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)


def get(address: str, *, client: certs.KeyPair | None = None) -> tuple[int, str]:
    """Return the status and body of an answer; the status is 0 where nothing answers."""
    answer = ask("GET", address, client=client)
    return answer.status, answer.text


def open_connection(
    address: str, client: certs.KeyPair | None, timeout_s: float
) -> http.client.HTTPConnection:
    """Make a connection that is not open yet, for `send`."""
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_s)
    # The servers are our own, and two components sign their certificate themselves.
    context = ssl._create_unverified_context()
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)


def send(
    connection: http.client.HTTPConnection,
    method: str,
    address: str,
    headers: Headers = (),
    body: str | None = None,
) -> http.client.HTTPResponse:
    """Send a request and read the head of the answer; its body is the caller's to read."""
    parts = urlsplit(address)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.putrequest(method, target, skip_accept_encoding=True)
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        connection.putheader(name, value)
    data = body.encode() if body is not None else None
    if data is not None:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)
    return connection.getresponse()
