"""Servers that ask for TLS and for credentials, and what is needed to satisfy them."""

from __future__ import annotations

import base64
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from budaiscaler.runtime import tls
from budaiscaler.sources.dialling import Addresses
from tests.fakes.kube import FakeKube
from tests.sources.server import Answer, Prometheus, body, prometheus

SECRET = "hunter2-and-more"
NAME = "secured.example"
_NOW = datetime.now(UTC)
CA = tls.make_ca("sources", _NOW)
LEAF = tls.issue_leaf(CA, (NAME, "localhost"), _NOW)
OTHER_CA = tls.make_ca("others", _NOW)


def bundle(pair: tls.KeyPair = CA) -> str:
    """An authority as `tls.caBundle` has it."""
    return base64.b64encode(pair.certificate).decode()


def put_secret(kube: FakeKube, name: str = "token", namespace: str = "ml", **values: str) -> None:
    """Store a Secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    kube.put(f"/api/v1/namespaces/{namespace}/secrets/{name}", {"data": data})


def demanding(answer: Answer, *accepted: str) -> Answer:
    """Answer only who shows one of these as its authorization."""

    def check(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        given = handler.headers.get("Authorization")
        (answer if given in accepted else body(401, SECRET))(server, handler, promql)

    return check


@contextmanager
def secured(answer: Answer) -> Iterator[Prometheus]:
    """Run a server that speaks TLS, with a certificate for `NAME` and localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        pem = Path(directory) / "pem"
        pem.write_bytes(LEAF.certificate + LEAF.key)
        context.load_cert_chain(pem)
    with prometheus(answer, context) as server:
        server.url = server.url.replace("127.0.0.1", "localhost")
        yield server


def at_loopback(host: str, port: int) -> Addresses:
    """Look up every host as loopback."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))]


def port_of(server: Prometheus) -> int:
    """Where it listens."""
    return urlsplit(server.url).port or 0
