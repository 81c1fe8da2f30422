"""PromQL in threads: instant queries, shared by all scalers that ask the same of the same server.

Servers that users name share two pools of threads. In one are those whose last answer came, in the
other those that nobody has heard of yet or that do not answer: they wait for each other only. The
operator's own Prometheus has threads to itself. A thread cannot be ended from outside; while it
looks up a host, which may take a minute, not even its connection can be cut. So a server that keeps
`QUERIES_PER_SERVER` threads beyond their time is not asked before one of them ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import dialling, prometheus
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.breaker import Breaker
from budaiscaler.sources.coalescing import Coalescer
from budaiscaler.sources.endpoints import normalise_endpoint, public

THREADS = 32
"""Of each of the two pools."""
QUERIES_PER_SERVER = 4
FORGET_AFTER_S = 3600.0
"""A server that nobody asked for so long loses its connections."""

_SERVERS_FAULT = frozenset(
    {
        NoDataReason.UNREACHABLE,
        NoDataReason.TIMEOUT,
        NoDataReason.UNKNOWN_HOST,
        NoDataReason.HTTP_ERROR,
    }
)

_NO_TURN = NoData(
    NoDataReason.TIMEOUT,
    "the query had no turn: too many other servers do not answer; mend or remove their endpoints",
)
"""Says nothing of the server that was to be asked."""


@dataclass(slots=True)
class _Server:
    """What is kept of one endpoint: idle connections, a limit, and whether it answers at all.

    Attributes:
        answers: whether the last query was answered.
        overdue: threads whose time is over and that have not ended yet.
    """

    endpoint: str
    breaker: Breaker
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_PER_SERVER))
    idle: list[prometheus.Connection] = field(default_factory=list)
    asked_at_s: float = 0.0
    answers: bool = False
    overdue: int = 0

    def close(self) -> None:
        """Give up idle connections."""
        while self.idle:
            self.idle.pop().close()

    def wait_for_end(self, thread: asyncio.Future[tuple[float, ...] | NoData]) -> None:
        """Count a thread as overdue until it ends."""
        self.overdue += 1
        thread.add_done_callback(self._ended)

    def _ended(self, thread: asyncio.Future[tuple[float, ...] | NoData]) -> None:
        self.overdue -= 1
        if not thread.cancelled():
            thread.exception()  # nobody wants to know any more


class PrometheusSource:
    """Instant queries of all scalers.

    Args:
        default_endpoint: the operator's own Prometheus, for sources that name none.
        deadline_s: longest time for one query, waiting for a thread included.
        clock: monotonic seconds.
        resolve: looks up hosts.
    """

    def __init__(
        self,
        *,
        default_endpoint: str | None = None,
        deadline_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        resolve: dialling.Resolve = dialling.resolve,
    ) -> None:
        self._own_endpoint = normalise_endpoint(default_endpoint)
        self._deadline_s = deadline_s
        self._clock = clock
        self._resolve = resolve
        self._servers: dict[str, _Server] = {}
        self._own_threads = ThreadPoolExecutor(QUERIES_PER_SERVER, "prometheus-own")
        self._answering_threads = ThreadPoolExecutor(THREADS, "prometheus-answering")
        self._other_threads = ThreadPoolExecutor(THREADS, "prometheus-other")
        self._coalescer: Coalescer[tuple[str, str]] = Coalescer(clock)

    @property
    def fetches(self) -> int:
        """Queries really sent, for telemetry."""
        return self._coalescer.fetches

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Query, or share an answer; see `Source.fetch`."""
        named = request.source.endpoint
        endpoint = normalise_endpoint(named) if named else self._own_endpoint
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
        for threads in (self._own_threads, self._answering_threads, self._other_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _server(self, endpoint: str) -> _Server:
        now_s = self._clock()
        server = self._servers.get(endpoint)
        if server is None:
            for known in list(self._servers.values()):
                if now_s - known.asked_at_s > FORGET_AFTER_S:
                    self._servers.pop(known.endpoint).close()
            server = _Server(endpoint, Breaker(trial_s=self._deadline_s))
            self._servers[endpoint] = server
        server.asked_at_s = now_s
        return server

    async def _query(self, server: _Server, expression: str) -> Sample | NoData:
        async with server.slots:
            if (refusal := self._refusal(server)) is not None:
                return refusal
            answer = await self._ask(server, expression)
        now_s = self._clock()
        if answer is _NO_TURN:
            return _NO_TURN
        if isinstance(answer, NoData) and answer.reason in _SERVERS_FAULT:
            server.answers = False
            server.breaker.failed(answer, now_s)
        else:
            server.answers = True
            server.breaker.succeeded()
        return answer if isinstance(answer, NoData) else Sample(answer, now_s)

    def _refusal(self, server: _Server) -> NoData | None:
        if server.overdue >= QUERIES_PER_SERVER:
            return server.breaker.last or _late(server)
        return server.breaker.refusal(self._clock())

    async def _ask(self, server: _Server, expression: str) -> tuple[float, ...] | NoData:
        if server.idle:
            connection = server.idle.pop()
        else:
            connection = prometheus.Connection(server.endpoint, self._deadline_s, self._resolve)
        # Not the clock of tests: in the thread time is real.
        until_s = time.monotonic() + self._deadline_s
        query = self._threads(server).submit(connection.query, expression, until_s)
        thread = asyncio.wrap_future(query)
        try:
            await asyncio.wait((thread,), timeout=self._deadline_s)
        except asyncio.CancelledError:
            connection.cut()
            thread.cancel()
            raise
        if thread.done():
            server.idle.append(connection)
            return thread.result()
        if query.cancel():
            return _NO_TURN
        connection.cut()
        server.wait_for_end(thread)
        return _late(server)

    def _threads(self, server: _Server) -> ThreadPoolExecutor:
        if server.endpoint == self._own_endpoint:
            return self._own_threads
        return self._answering_threads if server.answers else self._other_threads


def _late(server: _Server) -> NoData:
    message = f"{public(server.endpoint)} did not answer in time; is the query too expensive?"
    return NoData(NoDataReason.TIMEOUT, message)
