"""PromQL of all scalers, shared by those that ask the same of the same server in the same way."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable

from budaiscaler.domain.api import promql
from budaiscaler.domain.api.promql_enforcing import enforce
from budaiscaler.domain.api.sources import MetricsSource, TargetType
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import dialling, ranges
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import PastTotal, Sample, SourceRequest
from budaiscaler.sources.batching import Batches
from budaiscaler.sources.coalescing import Coalescer, Shared
from budaiscaler.sources.measuring import Flights
from budaiscaler.sources.prometheus_access import PrometheusAccess
from budaiscaler.sources.query_threads import Access, QueryThreads
from budaiscaler.sources.results import Point

Key = tuple[str, str, str]
"""Endpoint, the identity of what is sent along, and the expression."""

Span = tuple[float, float, float]
"""Start, end and step of a range, in seconds."""

RangeKey = tuple[str, str, str, Span]
Points = tuple[Point, ...]


class PrometheusSource:
    """Readings of PromQL.

    Args:
        access: says which server is asked, and how.
        deadline_s: longest time for one query, waiting for a thread included.
        guard: which addresses servers that the operator did not name may have.
        clock: monotonic seconds.
        wall_clock: seconds since 1970, as the servers count them.
        resolve: looks up hosts.
    """

    def __init__(
        self,
        access: PrometheusAccess,
        *,
        deadline_s: float = 10.0,
        guard: AddressGuard,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        resolve: dialling.Resolve = dialling.resolve,
    ) -> None:
        self._access = access
        self._clock = clock
        self._wall_clock = wall_clock
        self._threads = QueryThreads(
            deadline_s=deadline_s, clock=clock, resolve=resolve, guard=guard
        )
        self._coalescer: Coalescer[Key] = Coalescer(clock)
        self._batches = Batches(clock, self._coalescer.flights)
        self._ranges: Shared[RangeKey, Points | NoData] = Shared(
            clock, flights=self._coalescer.flights
        )

    @property
    def flights(self) -> Flights:
        """Figures of the queries really sent."""
        return self._coalescer.flights

    @property
    def fetches(self) -> int:
        """How many those are."""
        return self._coalescer.fetches + self._batches.fetches + self._ranges.fetches

    @property
    def endpoints(self) -> list[str]:
        """Of the servers that are remembered."""
        return self._threads.endpoints

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Query, or share an answer; see `Source.fetch`.

        Of a total the number of series that it is made of is asked for beside it: a sum over half
        of the pods looks like half of the load.
        """
        access = await self._access.access(request.namespace, request.source)
        if isinstance(access, NoData):
            return access
        expression = request.source.prom_ql or ""
        count = _count_of(request.source)
        if count is None:
            return await self._query(access, expression, request.max_age_s)
        found, counted = await asyncio.gather(
            self._query(access, expression, request.max_age_s),
            self._query(access, count, request.max_age_s),
        )
        if isinstance(found, NoData):
            return found
        return dataclasses.replace(found, answered=_series(counted))

    async def past(
        self, namespace: str, source: MetricsSource, length_s: float, step_s: float
    ) -> tuple[PastTotal, ...] | NoData:
        """Ask for a range, or share an answer; see `base.Past`.

        Of what cannot be counted nobody knows what was missing then, so its past says nothing.
        """
        expression, count = source.prom_ql or "", _count_of(source)
        if count is None and promql.is_total(expression):
            return ()
        access = await self._access.access(namespace, source)
        if isinstance(access, NoData):
            return access
        end_s = math.floor(self._wall_clock() / step_s) * step_s
        span = (end_s - length_s, end_s, step_s)
        if count is None:
            points = await self._range(access, expression, span)
            return points if isinstance(points, NoData) else ranges.totals(points)
        points, counts = await asyncio.gather(
            self._range(access, expression, span), self._range(access, count, span)
        )
        if isinstance(points, NoData):
            return points
        return counts if isinstance(counts, NoData) else ranges.totals(points, counts)

    async def close(self) -> None:
        """Give up what is under way, so that no thread outlives us for long."""
        await self._coalescer.close()
        await self._ranges.close()
        await self._batches.close()
        self._threads.close()

    async def _query(self, access: Access, expression: str, max_age_s: float) -> Sample | NoData:
        asked = _enforced(access, expression)
        if isinstance(asked, NoData):
            return asked
        place = (access.endpoint, access.options.identity)
        merged = await self._batches.ask(
            place,
            asked,
            max_age_s,
            lambda query, label: self._send_merged(access, query, label),
            apart=access.label[0] if access.label is not None else "",
        )
        if merged is not None:
            return merged
        return await self._coalescer.get(
            (*place, asked), max_age_s, lambda: self._send(access, asked)
        )

    async def _range(self, access: Access, expression: str, span: Span) -> Points | NoData:
        asked = _enforced(access, expression)
        if isinstance(asked, NoData):
            return asked
        _, _, step_s = span
        return await self._ranges.get(
            (access.endpoint, access.options.identity, asked, span),
            step_s,
            lambda: self._threads.ask_of_the_past(
                access, lambda connection, until_s: connection.query_range(asked, *span, until_s)
            ),
        )

    async def _send_merged(
        self, access: Access, expression: str, label: str
    ) -> dict[str, float] | NoData:
        return await self._threads.ask(
            access, lambda connection, until_s: connection.query_by(expression, label, until_s)
        )

    async def _send(self, access: Access, expression: str) -> Sample | NoData:
        answer = await self._threads.ask(
            access, lambda connection, until_s: connection.query(expression, until_s)
        )
        return answer if isinstance(answer, NoData) else Sample(answer, self._clock())


def _enforced(access: Access, expression: str) -> str | NoData:
    """The expression as it may be asked there."""
    if access.label is None:
        return expression
    enforced = enforce(expression, *access.label)
    if enforced is not None:
        return enforced
    message = (
        f"promQL cannot be limited to the series of this namespace ({access.label[0]}): write it "
        "with selectors and functions of stable Prometheus only, without info() and without "
        "comments in place of a selector"
    )
    return NoData(NoDataReason.BAD_QUERY, message)


def _count_of(source: MetricsSource) -> str | None:
    target_type, _ = promql.target_type(source)
    if target_type is not TargetType.AVERAGE_VALUE:
        return None
    return promql.count_query(source.prom_ql or "")


def _series(counted: Sample | NoData) -> int | None:
    """How many series there are; None when that is not known, which is not none of them."""
    if isinstance(counted, NoData):
        return 0 if counted.reason is NoDataReason.EMPTY_RESULT else None
    total = math.fsum(counted.values)
    return int(total) if math.isfinite(total) else None
