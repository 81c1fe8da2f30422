"""How often it is decided on a scaler, and how often its sources are asked for that."""

from __future__ import annotations

from dataclasses import dataclass

from budaiscaler.domain.memories import INTERVAL_S, TICK_S


@dataclass(frozen=True, slots=True)
class Cadence:
    """Two intervals in seconds; jitter comes to that of decisions.

    Attributes:
        decision_s: between two decisions.
        sample_s: between two times that sources are asked, at least; up to `decision_s` they are
            asked for each decision.
    """

    decision_s: float
    sample_s: float

    @property
    def has_decisions_between(self) -> bool:
        """Whether a decision may have to do with what the one before was told."""
        return self.sample_s > self.decision_s

    def at_least(self, interval_s: float) -> Cadence:
        """The same, where nothing can be done more often than that."""
        return Cadence(max(self.decision_s, interval_s), max(self.sample_s, interval_s))


def steady(interval_s: float) -> Cadence:
    """Ask for each decision."""
    return Cadence(interval_s, interval_s)


KPA = Cadence(TICK_S, INTERVAL_S)
"""Knative decides as often; its pods are asked each second, ours are spared."""
