"""How long things take, and why fetches fail: counted where they are made.

Neither endpoint nor scaler is a label: whoever may write scalers could make any number of series.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from budaiscaler.domain.readings import NoData, NoDataReason

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets; beyond the last there is one more, without."""


@dataclass(slots=True)
class Latencies:
    """How long each of a kind of thing took so far.

    Attributes:
        counts: how many, by bucket of latency.
        total_s: time they took together.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_S) + 1))
    total_s: float = 0.0

    def observe(self, latency_s: float) -> None:
        """Count one more."""
        self.counts[bisect_left(BOUNDS_S, latency_s)] += 1
        self.total_s += latency_s


@dataclass(slots=True)
class Flights(Latencies):
    """Figures of all fetches of a kind so far.

    Attributes:
        errors: fetches that gave no data, by reason.
    """

    errors: Counter[NoDataReason] = field(default_factory=Counter)

    def record(self, latency_s: float, failure: NoData | None) -> None:
        """Count one more."""
        self.observe(latency_s)
        if failure is not None:
            self.errors[failure.reason] += 1
