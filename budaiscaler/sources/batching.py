"""One query for many scalers whose PromQL is the same up to a label's value.

Scalers are evaluated all over their interval, so waiting for others would find few. Instead the
values that were asked for lately are remembered: whoever needs an answer asks for all of them, and
the others find theirs when their turn comes. A query that is alone in its family goes by itself,
and so does one whose family was refused as a whole.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from budaiscaler.domain.api.promql_families import Family, families
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.measuring import Flights

CHUNK = 100
"""Values that one query asks for at most."""
GATHER_S = 0.05
"""How long one waits for others that come at the same time."""
FORGET_AFTER_S = 120.0
"""A value that nobody asked for so long is not asked for any more."""
APART_S = 600.0
"""How long a family goes in single queries after the server refused it as a whole."""
MOST_FAMILIES = 10_000

Fetch = Callable[[str, str], Awaitable[Mapping[str, float] | NoData]]
"""Asks a merged query, and gives the number under each value of a label."""
Place = tuple[str, str]
"""An endpoint, and the identity of what is sent along."""

_SAME_FOR_ALL = frozenset(
    {NoDataReason.UNREACHABLE, NoDataReason.UNKNOWN_HOST, NoDataReason.DENIED_ADDRESS}
)
"""What keeps a merged query from being answered and would keep each single one from it."""

_EMPTY = NoData(
    NoDataReason.EMPTY_RESULT,
    "the query found no series: check the labels in promQL and that the target is scraped",
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of a merged query: whom it was for, the numbers there are, and when it came."""

    asked: frozenset[str]
    numbers: Mapping[str, float]
    at_s: float


@dataclass(slots=True)
class _Members:
    """The values of one family.

    Attributes:
        asked_at_s: when each was asked for last.
        chunks: those that are asked for together.
        apart_until_s: until when it goes in single queries.
    """

    asked_at_s: dict[str, float] = field(default_factory=dict)
    chunks: list[set[str]] = field(default_factory=list)
    apart_until_s: float = -math.inf

    def join(self, value: str, now_s: float) -> int:
        """Take up a value, and say in which chunk it is."""
        is_new = value not in self.asked_at_s
        self.asked_at_s[value] = now_s
        if is_new:
            self._prune(now_s)
            if all(len(chunk) >= CHUNK for chunk in self.chunks):
                self.chunks.append(set())
            next(chunk for chunk in self.chunks if len(chunk) < CHUNK).add(value)
        return next(number for number, chunk in enumerate(self.chunks) if value in chunk)

    def _prune(self, now_s: float) -> None:
        gone = {v for v, at_s in self.asked_at_s.items() if now_s - at_s > FORGET_AFTER_S}
        for value in gone:
            del self.asked_at_s[value]
        for chunk in self.chunks:
            chunk.difference_update(gone)


class Batches:
    """Merges queries. Close at the end.

    Args:
        clock: monotonic seconds.
        flights: figures to count what is sent in.
    """

    def __init__(self, clock: Callable[[], float], flights: Flights) -> None:
        self._clock = clock
        self._members: dict[tuple[Place, Family], _Members] = {}
        self._flights: Shared[tuple[Place, Family, int], _Answer | NoData] = Shared(
            clock, flights=flights
        )

    @property
    def fetches(self) -> int:
        """Merged queries that were sent."""
        return self._flights.fetches

    async def ask(
        self, place: Place, expression: str, max_age_s: float, fetch: Fetch, *, apart: str = ""
    ) -> Sample | NoData | None:
        """Give the answer from a merged query; None when it is to be asked by itself.

        Args:
            place: who is asked; only queries of one are merged.
            expression: what would be asked.
            max_age_s: of an answer.
            fetch: asks a merged query.
            apart: a label whose values are never merged.
        """
        found = self._join(place, expression, apart)
        if found is None:
            return None
        family, value, number, members = found
        key = (place, family, number)
        chunk = members.chunks[number]
        answer = await self._flights.get(key, max_age_s, lambda: self._fly(family, chunk, fetch))
        if isinstance(answer, _Answer) and value not in answer.asked:  # it came too late for that
            self._flights.drop(key)
            answer = await self._flights.get(
                key, max_age_s, lambda: self._fly(family, chunk, fetch)
            )
        if isinstance(answer, NoData):
            if answer.reason in _SAME_FOR_ALL:
                return answer
            members.apart_until_s = self._clock() + APART_S
            return None
        if value not in answer.numbers:
            return _EMPTY if value in answer.asked else None
        return Sample((answer.numbers[value],), answer.at_s)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._flights.close()

    def _join(
        self, place: Place, expression: str, apart: str
    ) -> tuple[Family, str, int, _Members] | None:
        """Take the query up in its families, and give the largest that has another member."""
        now_s = self._clock()
        best: tuple[Family, str, int, _Members] | None = None
        most = 1
        for family, value in families(expression):
            if family.label == apart:
                continue
            members = self._members.get((place, family))
            if members is None:
                if len(self._members) >= MOST_FAMILIES:
                    del self._members[next(iter(self._members))]
                members = self._members[place, family] = _Members()
            number = members.join(value, now_s)
            size = len(members.chunks[number])
            if size > most and now_s >= members.apart_until_s:
                best, most = (family, value, number, members), size
        return best

    async def _fly(self, family: Family, chunk: set[str], fetch: Fetch) -> _Answer | NoData:
        await asyncio.sleep(GATHER_S)
        asked = frozenset(chunk)
        numbers = await fetch(family.merged(sorted(asked)), family.label)
        return numbers if isinstance(numbers, NoData) else _Answer(asked, numbers, self._clock())
