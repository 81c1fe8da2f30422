"""Threads for the Prometheus client, which is synchronous: few, and no server keeps another's.

Servers that users name share two pools of threads. In one are those whose last answer came, in the
other those that nobody has heard of yet or that do not answer: they wait for each other only. The
operator's own Prometheus has threads to itself. A thread cannot be ended from outside; while it
looks up a host, which may take a minute, not even its connection can be cut. So a server that keeps
`QUERIES_PER_SERVER` threads beyond their time is not asked before one of them ends.

A server that is asked with other credentials is another server here, so neither connections nor
what is known of it are shared between those that ask with different ones.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import dialling, prometheus
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.breaker import Breaker
from budaiscaler.sources.credentials import PLAIN, RequestOptions
from budaiscaler.sources.endpoints import public

T = TypeVar("T")

THREADS = 32
"""Of each of the two pools."""
QUERIES_PER_SERVER = 4
OF_THE_PAST = 2
"""Of those, that may be queries which a decision can do without."""
FORGET_AFTER_S = 3600.0
"""A server that nobody asked for so long loses its connections."""

_SERVERS_FAULT = frozenset(
    {
        NoDataReason.UNREACHABLE,
        NoDataReason.TIMEOUT,
        NoDataReason.UNKNOWN_HOST,
        NoDataReason.DENIED_ADDRESS,
        NoDataReason.HTTP_ERROR,
    }
)

_NO_TURN = NoData(
    NoDataReason.TIMEOUT,
    "the query had no turn: too many other servers do not answer; mend or remove their endpoints",
)
"""Says nothing of the server that was to be asked."""


@dataclass(frozen=True, slots=True)
class Access:
    """A server, and how it is asked.

    Attributes:
        endpoint: its base URL.
        options: what is sent along.
        is_own: whether it is the operator's own Prometheus.
        is_operators: whether the operator named it, so that it may have any address.
        label: name and value that every selector must carry; None leaves queries alone.
    """

    endpoint: str
    options: RequestOptions = PLAIN
    is_own: bool = False
    is_operators: bool = False
    label: tuple[str, str] | None = None


@dataclass(slots=True)
class _Server:
    """What is kept of one: idle connections, a limit, and whether it answers at all.

    Attributes:
        answers: whether the last query was answered.
        overdue: threads whose time is over and that have not ended yet.
    """

    access: Access
    breaker: Breaker
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(QUERIES_PER_SERVER))
    of_the_past: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OF_THE_PAST))
    idle: list[prometheus.Connection] = field(default_factory=list)
    asked_at_s: float = 0.0
    answers: bool = False
    overdue: int = 0

    def close(self) -> None:
        """Give up idle connections."""
        while self.idle:
            self.idle.pop().close()

    def wait_for_end(self, thread: asyncio.Future[T | NoData]) -> None:
        """Count a thread as overdue until it ends."""
        self.overdue += 1
        thread.add_done_callback(self._ended)

    def _ended(self, thread: asyncio.Future[T | NoData]) -> None:
        self.overdue -= 1
        if not thread.cancelled():
            thread.exception()  # nobody wants to know any more


class QueryThreads:
    """Runs queries. Close at the end.

    Args:
        deadline_s: longest time for one query, waiting for a thread included.
        clock: monotonic seconds.
        resolve: looks up hosts.
        guard: which addresses servers that the operator did not name may have.
    """

    def __init__(
        self,
        *,
        deadline_s: float,
        clock: Callable[[], float],
        resolve: dialling.Resolve,
        guard: AddressGuard,
    ) -> None:
        self._deadline_s = deadline_s
        self._clock = clock
        self._resolve = resolve
        self._guard = guard
        self._servers: dict[tuple[str, str], _Server] = {}
        self._own_threads = ThreadPoolExecutor(QUERIES_PER_SERVER, "prometheus-own")
        self._answering_threads = ThreadPoolExecutor(THREADS, "prometheus-answering")
        self._other_threads = ThreadPoolExecutor(THREADS, "prometheus-other")

    @property
    def endpoints(self) -> list[str]:
        """Of the servers that are remembered."""
        return [endpoint for endpoint, _ in self._servers]

    async def ask(
        self, access: Access, query: Callable[[prometheus.Connection, float], T | NoData]
    ) -> T | NoData:
        """Run `query` in a thread, with a connection and the monotonic time to end at."""
        server = self._server(access)
        async with server.slots:
            if (refusal := self._refusal(server)) is not None:
                return refusal
            answer = await self._run(server, access, query)
        if answer is _NO_TURN:
            return _NO_TURN
        if isinstance(answer, NoData) and answer.reason in _SERVERS_FAULT:
            server.answers = False
            server.breaker.failed(answer, self._clock())
        else:
            server.answers = True
            server.breaker.succeeded()
        return answer

    async def ask_of_the_past(
        self, access: Access, query: Callable[[prometheus.Connection, float], T | NoData]
    ) -> T | NoData:
        """Run a query that a decision can do without.

        It takes at most `OF_THE_PAST` turns of a server, and its failure is not held against it:
        a server may answer what is now and be too slow for an hour, or refuse that altogether.
        """
        server = self._server(access)
        async with server.of_the_past, server.slots:
            refusal = self._refusal(server)
            return refusal if refusal is not None else await self._run(server, access, query)

    def close(self) -> None:
        """Close what is idle, and let no thread outlive us for long."""
        for server in self._servers.values():
            server.close()
        for threads in (self._own_threads, self._answering_threads, self._other_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def _server(self, access: Access) -> _Server:
        now_s = self._clock()
        key = (access.endpoint, access.options.identity)
        server = self._servers.get(key)
        if server is None:
            for known, other in list(self._servers.items()):
                if now_s - other.asked_at_s > FORGET_AFTER_S:
                    self._servers.pop(known).close()
            server = self._servers[key] = _Server(access, Breaker(trial_s=self._deadline_s))
        server.asked_at_s = now_s
        return server

    def _refusal(self, server: _Server) -> NoData | None:
        if server.overdue >= QUERIES_PER_SERVER:
            return server.breaker.last or _late(server)
        return server.breaker.refusal(self._clock())

    async def _run(
        self,
        server: _Server,
        access: Access,
        query: Callable[[prometheus.Connection, float], T | NoData],
    ) -> T | NoData:
        limit_s = min(self._deadline_s, access.options.deadline_s or self._deadline_s)
        connection = server.idle.pop() if server.idle else self._connect(server, limit_s)
        # Not the clock of tests: in the thread time is real.
        until_s = time.monotonic() + limit_s
        running = self._threads(server).submit(query, connection, until_s)
        thread = asyncio.wrap_future(running)
        try:
            await asyncio.wait((thread,), timeout=limit_s)
        except asyncio.CancelledError:
            connection.cut()
            thread.cancel()
            raise
        if thread.done():
            server.idle.append(connection)
            if connection.is_refused:
                access.options.refused()
            return thread.result()
        if running.cancel():
            return _NO_TURN
        connection.cut()
        server.wait_for_end(thread)
        return _late(server)

    def _connect(self, server: _Server, limit_s: float) -> prometheus.Connection:
        access = server.access
        guard = None if access.is_operators else self._guard
        return prometheus.Connection(access.endpoint, limit_s, self._resolve, access.options, guard)

    def _threads(self, server: _Server) -> ThreadPoolExecutor:
        if server.access.is_own:
            return self._own_threads
        return self._answering_threads if server.answers else self._other_threads


def _late(server: _Server) -> NoData:
    message = (
        f"{public(server.access.endpoint)} did not answer in time; is the query too expensive?"
    )
    return NoData(NoDataReason.TIMEOUT, message)
