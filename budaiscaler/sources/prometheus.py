"""PromQL by `prometheus-api-client`, which is synchronous: threads, deadlines, size limits.

The client waits for ever by default, retries on its own, and drops the type of a result. So each
query runs in a bounded pool of threads with retries off, through a session that reads at most
`MAX_BODY_BYTES` and follows no redirect, and whose connection is cut at the deadline; the type is
read off the shape. The operator's own Prometheus has threads of its own, so that no endpoint that a
user names can take them.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError
from urllib3.util.retry import Retry

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import endpoints
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.breaker import Breaker
from budaiscaler.sources.coalescing import Coalescer

MAX_BODY_BYTES = 8 * 2**20
CONNECT_TIMEOUT_S = 2.0
THREADS = 32
QUERIES_PER_SERVER = 4
FORGET_AFTER_S = 3600.0
"""A server that nobody asked for so long loses its connections."""
_CHUNK = 64 * 1024
_BAD_QUERY_CODES = frozenset({400, 422})
"""Prometheus answers 400 for what does not parse and 422 for what cannot be executed."""

_NO_SOCKET = (AttributeError, OSError, RuntimeError, ValueError)
"""What urllib3 raises for a connection that has no socket yet, or none any more."""

_SERVERS_FAULT = frozenset(
    {
        NoDataReason.UNREACHABLE,
        NoDataReason.TIMEOUT,
        NoDataReason.UNKNOWN_HOST,
        NoDataReason.HTTP_ERROR,
    }
)


class _RefusedError(requests.RequestException):
    """A status other than 200; the client's own error would keep it only as text."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.body = body


class _TooLargeError(requests.RequestException):
    """A body over the limit."""


class _BoundedAdapter(HTTPAdapter):
    """Reads a body up to a limit, and can be cut off from another thread.

    Time-outs of `requests` count from the last byte: a server that sends one now and then would
    keep the thread for ever.
    """

    def __init__(self) -> None:
        super().__init__(max_retries=Retry(total=0, redirect=0))
        self._connection: Any = None
        self._response: Any = None

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs["stream"] = True
        response = self._response = super().send(request, *args, **kwargs)
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                response.close()
                raise _TooLargeError("the answer is too large")
        if response.status_code != requests.codes["ok"]:
            raise _RefusedError(response.status_code, bytes(body[:_CHUNK]))
        response._content = bytes(body)  # noqa: SLF001 - how requests itself keeps a body that was read
        return response

    def cut(self) -> None:
        """Make what is waited for fail at once: the head of the answer, or its body."""
        with suppress(*_NO_SOCKET):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        with suppress(*_NO_SOCKET):
            self._response.raw.shutdown()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Give the pool to use, made to tell which connection it dials."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        pool.ConnectionCls = partial(self._dial, type(pool).ConnectionCls)
        return pool

    def _dial(self, kind: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._connection = kind(*args, **kwargs)
        return self._connection


class _Connection:
    """A connection to one server, for one query at a time."""

    def __init__(self, endpoint: str, deadline_s: float) -> None:
        self._endpoint = endpoint
        self._adapter = _BoundedAdapter()
        session = requests.Session()
        session.trust_env = False  # neither proxies nor a netrc of the operator's machine
        self._client = PrometheusConnect(
            url=endpoint,
            session=session,
            timeout=(CONNECT_TIMEOUT_S, deadline_s),  # type: ignore[arg-type] # a pair is fine
            method="POST",
        )
        # The client has mounted an adapter of its own on the endpoint, but as it is written there.
        session.adapters.clear()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter)

    def query(self, expression: str) -> tuple[float, ...] | NoData:
        """Ask and wait; runs in a thread."""
        try:
            return read_result(self._client.custom_query(expression))
        except (
            requests.RequestException,
            ValueError,
            LookupError,
            TypeError,
            RecursionError,
        ) as error:
            return _explain(error, endpoints.public(self._endpoint))

    def cut(self) -> None:
        """End the query, from another thread; of no use afterwards."""
        self._adapter.cut()

    def close(self) -> None:
        """Give the connection up while no query runs."""
        self._client.close()


@dataclass(slots=True)
class _Server:
    """What is kept of one endpoint: idle connections, a limit, and whether it answers at all."""

    endpoint: str
    threads: ThreadPoolExecutor
    breaker: Breaker
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_PER_SERVER))
    idle: list[_Connection] = field(default_factory=list)
    asked_at_s: float = 0.0

    def close(self) -> None:
        """Give up idle connections."""
        while self.idle:
            self.idle.pop().close()


class PrometheusSource:
    """Instant queries, shared by all scalers that ask the same of the same server."""

    def __init__(
        self,
        *,
        default_endpoint: str | None = None,
        deadline_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._default_endpoint = default_endpoint
        self._deadline_s = deadline_s
        self._clock = clock
        self._servers: dict[str, _Server] = {}
        self._own_threads = ThreadPoolExecutor(QUERIES_PER_SERVER, "prometheus-own")
        self._threads = ThreadPoolExecutor(THREADS, "prometheus")
        self._coalescer: Coalescer[tuple[str, str]] = Coalescer(clock)

    @property
    def fetches(self) -> int:
        """Queries really sent, for telemetry."""
        return self._coalescer.fetches

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Query, or share an answer; see `Source.fetch`."""
        endpoint = normalise_endpoint(request.source.endpoint or self._default_endpoint)
        if isinstance(endpoint, NoData):
            return endpoint
        expression = request.source.prom_ql or ""
        server = self._server(endpoint)
        return await self._coalescer.get(
            (endpoint, expression), request.max_age_s, lambda: self._query(server, expression)
        )

    async def close(self) -> None:
        """Give up what is under way, so that no thread outlives us for long."""
        await self._coalescer.close()
        for server in self._servers.values():
            server.close()
        for threads in (self._own_threads, self._threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _server(self, endpoint: str) -> _Server:
        now_s = self._clock()
        server = self._servers.get(endpoint)
        if server is None:
            for known in list(self._servers.values()):
                if now_s - known.asked_at_s > FORGET_AFTER_S:
                    self._servers.pop(known.endpoint).close()
            is_own = endpoint == normalise_endpoint(self._default_endpoint)
            threads = self._own_threads if is_own else self._threads
            server = _Server(endpoint, threads, Breaker(trial_s=self._deadline_s))
            self._servers[endpoint] = server
        server.asked_at_s = now_s
        return server

    async def _query(self, server: _Server, expression: str) -> Sample | NoData:
        async with server.slots:
            if (refusal := server.breaker.refusal(self._clock())) is not None:
                return refusal
            answer = await self._ask(server, expression)
        now_s = self._clock()
        if isinstance(answer, NoData) and answer.reason in _SERVERS_FAULT:
            server.breaker.failed(answer, now_s)
        else:
            server.breaker.succeeded()
        return answer if isinstance(answer, NoData) else Sample(answer, now_s)

    async def _ask(self, server: _Server, expression: str) -> tuple[float, ...] | NoData:
        if server.idle:
            connection = server.idle.pop()
        else:
            connection = _Connection(server.endpoint, self._deadline_s)
        thread = asyncio.wrap_future(server.threads.submit(connection.query, expression))
        try:
            async with asyncio.timeout(self._deadline_s):
                answer = await thread
        except TimeoutError:
            where = endpoints.public(server.endpoint)
            message = f"{where} did not answer in time; is the query too expensive?"
            return NoData(NoDataReason.TIMEOUT, message)
        else:
            server.idle.append(connection)
            return answer
        finally:
            if thread.cancelled():
                connection.cut()


def normalise_endpoint(endpoint: str | None) -> str | NoData:
    """Complete a base URL: a missing scheme is http, a trailing slash goes."""
    if not endpoint:
        message = "no Prometheus is known: set endpoint on the source, or --prometheus-url for all"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    full = endpoints.complete(endpoint)
    if full is None or {"?", "#"} & set(full):
        message = (
            "endpoint is no http or https URL: write for example http://prometheus.monitoring:9090"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return full.rstrip("/")


def read_result(result: Any) -> tuple[float, ...] | NoData:
    """Read `data.result`: a vector of samples, or a scalar, which the client leaves without a type.

    Raises:
        ValueError, KeyError, TypeError: when it is neither.
    """
    if isinstance(result, list) and len(result) == 2 and isinstance(result[0], int | float):  # noqa: PLR2004 - [time, text]
        return (float(result[1]),)
    if not result:
        message = (
            "the query found no series: check the labels in promQL and that the target is scraped"
        )
        return NoData(NoDataReason.EMPTY_RESULT, message)
    if any("values" in sample for sample in result):
        message = "promQL gives a range; wrap it in a function such as rate() or avg_over_time()"
        return NoData(NoDataReason.BAD_QUERY, message)
    if any("histogram" in sample for sample in result):
        message = (
            "promQL gives a native histogram; take histogram_quantile() or histogram_count() of it"
        )
        return NoData(NoDataReason.BAD_QUERY, message)
    return tuple(float(sample["value"][1]) for sample in result)


def _explain(error: Exception, endpoint: str) -> NoData:
    """Say what an owner of a scaler can do; never the credentials, never a stack."""
    if isinstance(error, _RefusedError):
        return _explain_status(error, endpoint)
    if isinstance(error, _TooLargeError):
        message = f"{endpoint} answered more than {MAX_BODY_BYTES >> 20} MiB; aggregate in promQL"
        return NoData(NoDataReason.BAD_ANSWER, message)
    if isinstance(error, requests.Timeout):
        return NoData(
            NoDataReason.TIMEOUT, f"{endpoint} did not answer in time; is the query too expensive?"
        )
    if isinstance(error, requests.ConnectionError):
        if _is_unknown_host(error):
            message = f"the host of {endpoint} is not known: check endpoint for a typo"
            return NoData(NoDataReason.UNKNOWN_HOST, message)
        return NoData(NoDataReason.UNREACHABLE, f"{endpoint} cannot be reached: check that it runs")
    return NoData(NoDataReason.BAD_ANSWER, f"{endpoint} did not answer as a Prometheus does")


def _explain_status(error: _RefusedError, endpoint: str) -> NoData:
    if error.status in _BAD_QUERY_CODES:
        detail = _error_text(error.body)
        return NoData(
            NoDataReason.BAD_QUERY, f"Prometheus refuses promQL: {detail or 'it does not parse'}"
        )
    if error.status in {401, 403}:
        return NoData(
            NoDataReason.HTTP_ERROR, f"{endpoint} refuses our credentials (HTTP {error.status})"
        )
    if error.status == requests.codes["not_found"]:
        message = f"{endpoint} has no /api/v1/query (HTTP 404): check the path of endpoint"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    if requests.codes["multiple_choices"] <= error.status < requests.codes["bad_request"]:
        message = (
            f"{endpoint} redirects elsewhere, which is not followed: set endpoint to where it "
            "points"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return NoData(NoDataReason.HTTP_ERROR, f"{endpoint} answered HTTP {error.status}")


def _error_text(body: bytes) -> str:
    try:
        answer: Mapping[str, Any] = json.loads(body)
        return str(answer["error"])[:300]
    except (ValueError, KeyError, TypeError):
        return ""


def _is_unknown_host(error: BaseException) -> bool:
    """Look through what `requests` wraps; urllib3 names the failed resolution as its reason."""
    cause = error.args[0] if error.args else None
    return isinstance(cause, NameResolutionError) or isinstance(
        getattr(cause, "reason", None), NameResolutionError
    )
