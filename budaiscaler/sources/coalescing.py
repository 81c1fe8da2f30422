"""One fetch for all who want the same: single flight, and a short memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from budaiscaler.domain.readings import NoData
from budaiscaler.sources.base import Sample
from budaiscaler.sources.measuring import Flights

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

FORGET_AFTER_S = 120.0
MOST_ANSWERS = 20_000
"""Kept at a time; the oldest goes first."""


@dataclass(slots=True)
class Shared(Generic[K, V]):
    """Shares answers by key; failures too, or a broken query would be asked N times.

    Attributes:
        clock: monotonic seconds.
        fetches: how many fetches were really made.
        flights: how long they took, and what went wrong.
    """

    clock: Callable[[], float]
    fetches: int = 0
    flights: Flights = field(default_factory=Flights)
    _flying: dict[K, asyncio.Task[V]] = field(default_factory=dict)
    _answers: dict[K, tuple[float, V]] = field(default_factory=dict)
    _pruned_at_s: float = 0.0

    async def get(
        self,
        key: K,
        max_age_s: float,
        fetch: Callable[[], Awaitable[V]],
        *,
        failure_max_age_s: float | None = None,
    ) -> V:
        """Give a recent answer, join the flight that is under way, or start one.

        A caller that is cancelled does not take the flight down with it: others wait for it.

        Args:
            key: what is wanted, complete: who gives the same gets the same.
            max_age_s: of an answer.
            fetch: makes one.
            failure_max_age_s: of a failure, if not the same.
        """
        now_s = self.clock()
        self._prune(now_s)
        known = self._answers.get(key)
        if known is not None:
            at_s, answer = known
            is_failure = isinstance(answer, NoData) and failure_max_age_s is not None
            limit_s = failure_max_age_s if is_failure else max_age_s
            if now_s - at_s <= (limit_s or 0.0):
                return answer
        flight = self._flying.get(key)
        if flight is None:
            flight = asyncio.ensure_future(self._fly(key, fetch))
            self._flying[key] = flight
            flight.add_done_callback(lambda _: self._flying.pop(key))
        return await asyncio.shield(flight)

    def drop(self, key: K) -> None:
        """Forget what was answered; the next one asks anew."""
        self._answers.pop(key, None)

    async def close(self) -> None:
        """Cancel what is under way."""
        flights = list(self._flying.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    async def _fly(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        self.fetches += 1
        began_s = self.clock()
        answer = await fetch()
        now_s = self.clock()
        self.flights.record(now_s - began_s, answer if isinstance(answer, NoData) else None)
        self._answers.pop(key, None)  # so that the order is by age
        self._answers[key] = (now_s, answer)
        if len(self._answers) > MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        return answer

    def _prune(self, now_s: float) -> None:
        if now_s - self._pruned_at_s < FORGET_AFTER_S:
            return
        self._pruned_at_s = now_s
        for key, (at_s, _) in list(self._answers.items()):
            if now_s - at_s > FORGET_AFTER_S:
                del self._answers[key]


@dataclass(slots=True)
class Coalescer(Shared[K, Sample | NoData]):
    """Shares samples."""
