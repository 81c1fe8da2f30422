"""What the KPA strategy remembers: of each source, and of the life of the workload.

They are parts of a `State`, and so stand below what decides by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from budaiscaler.domain import windows
from budaiscaler.domain.windows import Window

INTERVAL_S = 5.0
"""Between two samples of the KPA strategy, and so the length of a bucket."""

TICK_S = 2.0
"""Bucket of the delay of scale-down: Knative's interval between two decisions."""

_NO_VERDICTS = windows.of(TICK_S, TICK_S)
_NO_SAMPLES = windows.of(INTERVAL_S, INTERVAL_S)


@dataclass(frozen=True, slots=True)
class Memory:
    """What a decider remembers of its decisions.

    Attributes:
        panic_since: when panic began; None outside of it.
        over_at: when the need was last over the threshold; panic ends a stable window after it.
        peak: largest verdict in this panic.
        verdicts: those of the delay of scale-down.
    """

    panic_since: datetime | None = None
    over_at: datetime | None = None
    peak: int = 0
    verdicts: Window = _NO_VERDICTS


_NO_MEMORY = Memory()


@dataclass(frozen=True, slots=True)
class KpaState:
    """What one source remembers.

    Attributes:
        samples: of the stable window.
        sampled_at: when the newest was taken.
        memory: of the decider.
    """

    samples: Window = _NO_SAMPLES
    sampled_at: datetime | None = None
    memory: Memory = _NO_MEMORY


@dataclass(frozen=True, slots=True)
class Activity:
    """What is remembered of the life of a workload.

    Attributes:
        is_initialized: the initial scale has been reached; true for one that is taken over.
        waking_since: when it was first wanted, while none is ready.
        active_since: when one became ready.
        inactive_since: when it was found idle.
    """

    is_initialized: bool = False
    waking_since: datetime | None = None
    active_since: datetime | None = None
    inactive_since: datetime | None = None
