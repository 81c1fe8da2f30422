"""One fetch for all who want the same: single flight, and a short memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from budaiscaler.domain.readings import NoData
from budaiscaler.sources.base import Sample

K = TypeVar("K", bound=Hashable)
A = TypeVar("A")

FORGET_AFTER_S = 120.0


@dataclass(slots=True)
class Sharing(Generic[K, A]):
    """Shares answers by key; failures too, as long, or a broken query would be asked N times.

    Attributes:
        clock: monotonic seconds.
        fetches: how many fetches were really made.
    """

    clock: Callable[[], float]
    fetches: int = 0
    _flights: dict[K, asyncio.Task[A | NoData]] = field(default_factory=dict)
    _answers: dict[K, tuple[float, A | NoData]] = field(default_factory=dict)
    _pruned_at_s: float = 0.0

    async def get(
        self, key: K, max_age_s: float, fetch: Callable[[], Awaitable[A | NoData]]
    ) -> A | NoData:
        """Give a recent answer, join the flight that is under way, or start one.

        A caller that is cancelled does not take the flight down with it: others wait for it.
        """
        now_s = self.clock()
        self._prune(now_s)
        known = self._answers.get(key)
        if known is not None and now_s - known[0] <= max_age_s:
            return known[1]
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(self._fly(key, fetch))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """Cancel what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fly(self, key: K, fetch: Callable[[], Awaitable[A | NoData]]) -> A | NoData:
        self.fetches += 1
        answer = await fetch()
        self._answers[key] = (self.clock(), answer)
        return answer

    def _prune(self, now_s: float) -> None:
        if now_s - self._pruned_at_s < FORGET_AFTER_S:
            return
        self._pruned_at_s = now_s
        for key, (at_s, _) in list(self._answers.items()):
            if now_s - at_s > FORGET_AFTER_S:
                del self._answers[key]


@dataclass(slots=True)
class Coalescer(Sharing[K, Sample]):
    """Shares samples."""
