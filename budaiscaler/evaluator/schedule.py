"""When which scaler is due: a heap that forgets nothing and never lets one wait for another."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

TICK_S = 0.001
"""What is due by then is due: timers fire a little early, and waiting for the rest would spin."""


@dataclass(slots=True)
class Schedule(Generic[K]):
    """Keys by due time; setting a key again moves it.

    Attributes:
        clock: monotonic seconds.
        speed: how many of them pass in a real second.
        late_s: how late the key was that was taken last.
    """

    clock: Callable[[], float]
    speed: float = 1.0
    late_s: float = 0.0
    _heap: list[tuple[float, int, K]] = field(default_factory=list)
    _due: dict[K, float] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _count: int = 0

    def set(self, key: K, at_s: float) -> None:
        """Make `key` due at `at_s`, wherever it stood before."""
        self._due[key] = at_s
        self._count += 1  # keys need not be comparable
        heapq.heappush(self._heap, (at_s, self._count, key))
        self._changed.set()

    def drop(self, key: K) -> None:
        """Forget `key`."""
        self._due.pop(key, None)

    def lateness_s(self) -> float:
        """How long the most overdue key has been waiting to be taken."""
        self._skip_stale()
        return max(0.0, self.clock() - self._heap[0][0]) if self._heap else 0.0

    async def next(self) -> K:
        """Wait for the next key that is due, and take it out."""
        while True:
            self._skip_stale()
            wait_s = self._heap[0][0] - self.clock() if self._heap else None
            if wait_s is not None and wait_s <= TICK_S:
                due_s, _, key = heapq.heappop(self._heap)
                del self._due[key]
                self.late_s = max(0.0, self.clock() - due_s)
                return key
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s and wait_s / self.speed):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _skip_stale(self) -> None:
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
