"""Applies status server-side, and knows whether the API server takes what we report."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import structlog

from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.errors import ConflictError, KubeError, NotFoundError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube import port
from budaiscaler.kube.cache import Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import BUDAISCALERS

REFUSED_AFTER_S = 60.0

_log = structlog.get_logger()


@dataclass(slots=True)
class StatusWriter:
    """One field manager's share of the status of scalers.

    Attributes:
        clock: monotonic seconds.
        writes: applied so far.
        errors: failed so far.
    """

    kube: Kube
    field_manager: str
    clock: Callable[[], float]
    writes: int = 0
    errors: int = 0
    _refused: dict[Key, float] = field(default_factory=dict)
    _succeeded_at_s: float = float("-inf")
    _turns: WeakValueDictionary[Key, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    def start_over(self) -> None:
        """Begin a new term: what got through, and what did not, in an earlier one tells nothing."""
        self._refused.clear()
        self._succeeded_at_s = float("-inf")

    async def write(self, scaler: Scaler, status: dict[str, Any]) -> bool:
        """Apply `status` as the whole of our share; False when it did not get there.

        Those of one name arrive in the order in which they were asked for.
        """
        turn = self._turns.setdefault((scaler.namespace, scaler.name), asyncio.Lock())
        async with turn:
            return await self._apply(scaler, status)

    async def _apply(self, scaler: Scaler, status: dict[str, Any]) -> bool:
        key = (scaler.namespace, scaler.name)
        try:
            found = await self._put(scaler, status)
            if found["metadata"]["uid"] != scaler.uid:
                # It was deleted and made again meanwhile. The API server takes a status for
                # whatever has that name now, so the other's is taken back.
                await self._put(scaler, {})
                self._refused.pop(key, None)
                return False
        except (NotFoundError, ConflictError):
            self._refused.pop(key, None)  # it is gone; so is what we had to say
            return False
        except KubeError as error:
            self.errors += 1
            self._refused.setdefault(key, self.clock())
            _log.warning("status_not_written", namespace=key[0], name=key[1], error=str(error))
            return False
        self.writes += 1
        self._refused.pop(key, None)
        self._succeeded_at_s = self.clock()
        return True

    async def _put(self, scaler: Scaler, status: dict[str, Any]) -> Json:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": scaler.name, "namespace": scaler.namespace},
            "status": status,
        }
        path = BUDAISCALERS.item(scaler.namespace, scaler.name, "status")
        return await port.apply(self.kube, path, body, field_manager=self.field_manager)

    def is_refused(self, scalers: int) -> bool:
        """Tell whether reports in general have not been getting through for a minute.

        One scaler that a policy refuses must not take the word of the leader from all others, so
        two must have failed, or all there are, with no success in between. Before a first success
        there is no minute to wait for: what stands in the statuses may be of yesterday.
        """
        waiting = [since_s for since_s in self._refused.values() if since_s > self._succeeded_at_s]
        if len(waiting) < min(2, scalers) or not waiting:
            return False
        nothing_got_through = self._succeeded_at_s == float("-inf")
        return nothing_got_through or self.clock() - min(waiting) > REFUSED_AFTER_S

    def forget(self, key: Key) -> None:
        """Drop what is known of a scaler that is gone."""
        self._refused.pop(key, None)
