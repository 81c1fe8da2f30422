"""A Prometheus of a few lines: the standard library's HTTP server, in threads, on loopback.

It answers a GET as it does a POST, so that it will do for any other endpoint too.
"""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qs, urlsplit

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.readings import NoData
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources import dialling
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import SourceCredentials
from budaiscaler.sources.instant_queries import PrometheusSource
from budaiscaler.sources.operator_credentials import OperatorAccess, OperatorCredentials
from budaiscaler.sources.prometheus_access import PrometheusAccess
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from tests.fakes.kube import FakeKube


@dataclass(frozen=True, slots=True)
class Query:
    """A request as it arrived."""

    method: str
    path: str
    promql: str
    authorization: str | None
    parameters: Mapping[str, list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Prometheus:
    """Answers each request by `answer`, which writes to the handler.

    Attributes:
        seen: every request, in order.
        now: how many are being answered, and the most there were.
        stopping: set at the end, for answers that hang.
    """

    answer: Callable[[Prometheus, BaseHTTPRequestHandler, str], None]
    seen: list[Query] = field(default_factory=list)
    now: int = 0
    most: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        length = int(handler.headers.get("Content-Length") or 0)
        form = handler.rfile.read(length).decode() if length else ""
        parameters = parse_qs("&".join(filter(None, (parts.query, form))))
        promql = parameters.get("query", [""])[0]
        authorization = handler.headers.get("Authorization")
        with self._lock:
            self.seen.append(
                Query(
                    handler.command,
                    parts.path,
                    promql,
                    authorization,
                    parameters,
                    {name.lower(): value for name, value in handler.headers.items()},
                )
            )
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            with suppress(ConnectionError, TimeoutError):
                self.answer(self, handler, promql)
        finally:
            with self._lock:
                self.now -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that break off, as those do that do not trust us."""


@contextmanager
def prometheus(
    answer: Callable[[Prometheus, BaseHTTPRequestHandler, str], None],
    tls: ssl.SSLContext | None = None,
) -> Iterator[Prometheus]:
    """Run one; `url` says where."""
    pretended = Prometheus(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            pretended.handle(self)

        def do_GET(self) -> None:
            pretended.handle(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:  # the handshake is made by the thread of the connection
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    pretended.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield pretended
    finally:
        pretended.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()


Answer = Callable[[Prometheus, BaseHTTPRequestHandler, str], None]


def body(status: int, raw: bytes | str, **headers: str) -> Answer:
    """Answer that status and body."""

    def answer(_: Prometheus, handler: BaseHTTPRequestHandler, __: str) -> None:
        data = raw.encode() if isinstance(raw, str) else raw
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def result(kind: str, content: Any) -> Answer:
    """Answer a result as Prometheus does."""
    document = {"status": "success", "data": {"resultType": kind, "result": content}}
    return body(200, json.dumps(document))


def vector(*values: str) -> Answer:
    """Answer a vector of these values."""
    return result(
        "vector",
        [
            {"metric": {"pod": f"p{number}"}, "value": [1767614400.123, value]}
            for number, value in enumerate(values)
        ],
    )


def hang(server: Prometheus, _: BaseHTTPRequestHandler, __: str) -> None:
    """Accept, and never answer."""
    server.stopping.wait(20)


def drip(prefix: bytes, pause_s: float = 0.05) -> Answer:
    """Send `prefix`, then one byte after the other, each in time, without ever coming to an end."""

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, _: str) -> None:
        handler.wfile.write(prefix)
        handler.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not server.stopping.wait(pause_s):
            handler.wfile.write(b"x")

    return answer


def slow(answer: Answer, delay_s: float) -> Answer:
    """Answer so, but late."""

    def late(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        time.sleep(delay_s)
        answer(server, handler, promql)

    return late


def request(
    endpoint: str | None,
    promql: str = "up",
    *,
    max_age_s: float = 0.0,
    namespace: str = "ml",
    **fields: Any,
) -> SourceRequest:
    """Ask as a scaler does; `fields` are of its source."""
    source = MetricsSource.model_validate(
        {
            "metricSourceType": "prometheus",
            "targetMetric": "load",
            "targetValue": "1",
            "promQL": promql,
            **({"endpoint": endpoint} if endpoint is not None else {}),
            **fields,
        }
    )
    return SourceRequest(namespace, source, max_age_s, Workload(Replicas(1, 1)))


OPEN = AddressGuard((ip_network("127.0.0.0/8"), ip_network("::1/128")))
"""Lets tests ask their own servers."""


def prometheus_source(
    *,
    kube: FakeKube | None = None,
    operator: OperatorAccess = OperatorAccess(),  # noqa: B008 - frozen
    default_endpoint: str | None = None,
    guard: AddressGuard = OPEN,
    deadline_s: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    resolve: dialling.Resolve = dialling.resolve,
) -> PrometheusSource:
    """Put a source together as the catalogue does."""
    operator = replace(operator, url=default_endpoint or operator.url)
    tls = TlsContexts()
    credentials = SourceCredentials(SecretReader(kube or FakeKube(), clock=clock), tls)
    held = OperatorCredentials(operator, tls, clock=clock)
    access = PrometheusAccess(operator, held, credentials)
    return PrometheusSource(
        access,
        deadline_s=deadline_s,
        guard=guard,
        clock=clock,
        wall_clock=wall_clock,
        resolve=resolve,
    )


async def ask(answer: Answer, promql: str = "up", *, deadline_s: float = 2.0) -> Sample | NoData:
    """Ask a server that answers so, once."""
    source = prometheus_source(deadline_s=deadline_s)
    with prometheus(answer) as server:
        try:
            return await source.fetch(request(server.url, promql))
        finally:
            await source.close()
