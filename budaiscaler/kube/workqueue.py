"""A keyed, de-duplicating queue: what is asked for twice before it is done is done once.

A key that is added while it is being worked on is worked on again afterwards, never at the same
time; a key that failed comes back after a back-off of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from budaiscaler.kube.backoff import Backoff

K = TypeVar("K", bound=Hashable)

_log = structlog.get_logger()


@dataclass(slots=True)
class WorkQueue(Generic[K]):
    """Bounded by the number of different keys.

    Attributes:
        work: does one key; an error in it is logged and retried.
        timeout_s: longest time one key may take.
    """

    work: Callable[[K], Awaitable[None]]
    timeout_s: float = 30.0
    _waiting: asyncio.Queue[K] = field(default_factory=asyncio.Queue)
    _known: set[K] = field(default_factory=set)
    _working: set[K] = field(default_factory=set)
    _again: set[K] = field(default_factory=set)
    _backoffs: dict[K, Backoff] = field(default_factory=dict)
    _timers: dict[K, asyncio.TimerHandle] = field(default_factory=dict)

    def add(self, key: K) -> None:
        """Ask for `key` to be worked on soon."""
        if key in self._working:
            self._again.add(key)
        elif key not in self._known:
            self._known.add(key)
            self._waiting.put_nowait(key)

    def add_after(self, key: K, delay_s: float) -> None:
        """Ask for `key` to be worked on in `delay_s`; the latest such wish counts."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(delay_s, self._due, key)

    def forget(self, key: K) -> None:
        """Drop the memory of a key that will not come back."""
        self._backoffs.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    async def run(self, workers: int) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._worker())
        finally:
            for timer in self._timers.values():
                timer.cancel()

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _worker(self) -> None:
        while True:
            key = await self._waiting.get()
            self._known.discard(key)
            self._working.add(key)
            try:
                async with asyncio.timeout(self.timeout_s):
                    await self.work(key)
                self._backoffs.pop(key, None)
            except Exception as error:  # noqa: BLE001 - one key must not disturb the others
                delay_s = self._backoffs.setdefault(key, Backoff(base_s=1.0, cap_s=60.0)).next_s()
                _log.warning(
                    "work_failed", key=str(key), error=repr(error), again_in_s=round(delay_s, 1)
                )
                self.add_after(key, delay_s)
            finally:
                self._working.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)
