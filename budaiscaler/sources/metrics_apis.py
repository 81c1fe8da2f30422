"""The metrics APIs of the cluster, asked as an HPA asks them.

The servers behind them are the cluster's: one that hangs costs each question its full time, so
after some failures it is asked only now and then. A refusal of one question, of a metric that its
server cannot compute say, is no such failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from budaiscaler.domain import times
from budaiscaler.domain.errors import (
    ForbiddenError,
    KubeError,
    KubeStatusError,
    KubeUnreachableError,
    NotFoundError,
)
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.runtime import durations
from budaiscaler.sources.breaker import Breaker

QUESTIONS = 8
"""At once, to one API."""

FRESH_AT_LEAST_S = 60.0
FRESH_WINDOWS = 3
"""A sample stands for three of the windows over which it was measured, and a minute at least."""

_IS_DOWN = frozenset({502, 503, 504})


class ObjectReader(Protocol):
    """What we ask of the API server."""

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read an object or a list within a time limit.

        Raises:
            KubeError: it cannot be read.
        """
        ...


class MetricsApi:
    """One group of the aggregation layer.

    Attributes:
        group: its name.
        absent: what to tell of a 404, where a question has no words of its own for it.
    """

    def __init__(
        self, kube: ObjectReader, group: str, clock: Callable[[], float], *, absent: str = ""
    ) -> None:
        self.group = group
        self.absent = absent
        self._kube = kube
        self._clock = clock
        self._turns = asyncio.Semaphore(QUESTIONS)
        self._breaker = Breaker()

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, absent: str = ""
    ) -> dict[str, Any] | NoData:
        """Ask; `absent` is what to tell of a 404."""
        async with self._turns:
            refusal = self._breaker.refusal(self._clock())
            if refusal is not None:
                return refusal
            try:
                answer = await self._kube.get(path, params)
            except KubeError as error:
                failure = self._explain(error, absent or self.absent)
                self._count(error, failure)
                return failure
            self._breaker.succeeded()
            return answer

    def _count(self, error: KubeError, failure: NoData) -> None:
        if isinstance(error, KubeStatusError) and error.code not in _IS_DOWN:
            self._breaker.succeeded()
        else:
            self._breaker.failed(failure, self._clock())

    def _explain(self, error: KubeError, absent: str) -> NoData:
        if isinstance(error, NotFoundError):
            return NoData(NoDataReason.EMPTY_RESULT, absent)
        if isinstance(error, ForbiddenError):
            message = f"we may not read {self.group}: give our ServiceAccount that right"
            return NoData(NoDataReason.HTTP_ERROR, message)
        if isinstance(error, KubeUnreachableError):
            message = f"the API server did not answer for {self.group}: check that it runs"
            return NoData(NoDataReason.UNREACHABLE, message)
        message = f"{self.group} cannot answer now: check the server behind it"
        return NoData(NoDataReason.HTTP_ERROR, message)


def is_fresh(sampled_at: datetime, window_s: float, now: datetime) -> bool:
    """Whether a sample still says something."""
    age_s = (now - sampled_at).total_seconds()
    return age_s <= max(FRESH_AT_LEAST_S, FRESH_WINDOWS * window_s)


def read_time(item: Mapping[str, Any]) -> datetime | None:
    """Time of a sample; None where it is not told."""
    text = item.get("timestamp")
    return times.parse(text) if isinstance(text, str) else None


def read_window_s(text: Any) -> float:
    """Read a window as metrics.k8s.io writes it; 0 where it is not told."""
    try:
        return durations.parse_seconds(text) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0
