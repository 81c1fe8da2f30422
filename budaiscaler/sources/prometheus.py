"""PromQL by `prometheus-api-client`, which is synchronous: threads, deadlines, size limits.

The client waits for ever by default, retries on its own, and drops the type of a result. So each
query runs in a bounded pool of threads with retries off, through a session that reads at most
`MAX_BODY_BYTES` before a deadline and follows no redirect; the type is read off the shape.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from prometheus_api_client.prometheus_connect import PrometheusConnect
from requests.adapters import HTTPAdapter
from urllib3.exceptions import NameResolutionError
from urllib3.util.retry import Retry

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.breaker import Breaker
from budaiscaler.sources.coalescing import Coalescer

MAX_BODY_BYTES = 8 * 2**20
CONNECT_TIMEOUT_S = 2.0
THREADS = 32
QUERIES_PER_SERVER = 4
_CHUNK = 64 * 1024
_BAD_QUERY_CODES = frozenset({400, 422})
"""Prometheus answers 400 for what does not parse and 422 for what cannot be executed."""

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
    """Reads a body within a size and a total time; `requests` limits only single reads."""

    def __init__(self, deadline_s: float) -> None:
        super().__init__(max_retries=Retry(total=0, redirect=0))
        self._deadline_s = deadline_s

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        started_s = time.monotonic()
        kwargs["stream"] = True
        response = super().send(request, *args, **kwargs)
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                response.close()
                raise _TooLargeError("the answer is too large")
            if time.monotonic() - started_s > self._deadline_s:
                response.close()
                raise requests.ReadTimeout("the answer took too long")
        if response.status_code != requests.codes["ok"]:
            raise _RefusedError(response.status_code, bytes(body[:_CHUNK]))
        response._content = bytes(body)  # noqa: SLF001 - how requests itself keeps a body that was read
        return response


@dataclass(slots=True)
class _Server:
    """What is kept of one endpoint: idle connections, a limit, and whether it answers at all."""

    endpoint: str
    deadline_s: float
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_PER_SERVER))
    breaker: Breaker = field(default_factory=Breaker)
    idle: list[PrometheusConnect] = field(default_factory=list)

    def query(self, expression: str) -> tuple[float, ...] | NoData:
        """Ask and wait; runs in a thread, and no connection is used by two at a time."""
        try:
            connection = self.idle.pop() if self.idle else self._connect()
            values = read_result(connection.custom_query(expression))
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            return _explain(error, _public(self.endpoint))
        self.idle.append(connection)
        return values

    def _connect(self) -> PrometheusConnect:
        session = requests.Session()
        session.trust_env = False  # neither proxies nor a netrc of the operator's machine
        session.max_redirects = 0
        connection = PrometheusConnect(
            url=self.endpoint,
            session=session,
            timeout=(CONNECT_TIMEOUT_S, self.deadline_s),  # type: ignore[arg-type] # a pair is fine
            method="POST",
        )
        session.mount(self.endpoint, _BoundedAdapter(self.deadline_s))
        return connection


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
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="prometheus")
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
        server = self._servers.get(endpoint)
        if server is None:
            server = self._servers[endpoint] = _Server(endpoint, self._deadline_s)
        return await self._coalescer.get(
            (endpoint, expression), request.max_age_s, lambda: self._query(server, expression)
        )

    async def close(self) -> None:
        """Give up what is under way; threads end with their own deadlines."""
        await self._coalescer.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _query(self, server: _Server, expression: str) -> Sample | NoData:
        await server.slots.acquire()
        if (refusal := server.breaker.refusal(self._clock())) is not None:
            server.slots.release()
            return refusal
        loop = asyncio.get_running_loop()
        thread = loop.run_in_executor(self._threads, server.query, expression)
        # The slot belongs to the thread, not to the waiter: a cancelled await stops no thread.
        thread.add_done_callback(lambda _: server.slots.release())
        try:
            async with asyncio.timeout(self._deadline_s + CONNECT_TIMEOUT_S + 1):
                answer = await asyncio.shield(thread)
        except TimeoutError:
            answer = NoData(
                NoDataReason.TIMEOUT, f"{_public(server.endpoint)} did not answer in time"
            )
        now_s = self._clock()
        if isinstance(answer, NoData):
            if answer.reason in _SERVERS_FAULT:
                server.breaker.failed(answer, now_s)
            else:
                server.breaker.succeeded()
            return answer
        server.breaker.succeeded()
        return Sample(answer, now_s)


def normalise_endpoint(endpoint: str | None) -> str | NoData:
    """Complete a base URL: a missing scheme is http, a trailing slash goes."""
    if not endpoint:
        message = "no Prometheus is known: set endpoint on the source, or --prometheus-url for all"
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    full = endpoint if "://" in endpoint else f"http://{endpoint}"
    try:
        parts = urlsplit(full)
        usable = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        )
    except ValueError:
        usable = False
    if not usable:
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


def _public(endpoint: str) -> str:
    """The endpoint without user and password, which a URL may carry."""
    parts = urlsplit(endpoint)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
