"""What the replicas of each scaler were needed for, in replica-seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from budaiscaler.domain import accounting
from budaiscaler.domain.decision import Decision, Observation, Stage
from budaiscaler.kube.cache import Key


@dataclass(slots=True)
class Ledger:
    """Adds up from decision to decision: what stands is charged as decided until the next one.

    A failure to decide is none: what it was about goes on as before.

    Attributes:
        clock: monotonic seconds.
        replica_seconds: of each scaler so far, by the stage that needed them.
    """

    clock: Callable[[], float]
    replica_seconds: dict[Key, dict[Stage, float]] = field(default_factory=dict)
    _since: dict[Key, tuple[float, Mapping[Stage, int]]] = field(default_factory=dict)

    def charge(self, key: Key, observation: Observation, decision: Decision) -> None:
        """Settle the time since the decision before, and begin anew with this one."""
        now_s = self.clock()
        since_s, shares = self._since.get(key, (now_s, {}))
        sums = self.replica_seconds.setdefault(key, {})
        for stage, replicas in shares.items():
            sums[stage] = sums.get(stage, 0.0) + replicas * (now_s - since_s)
        self._since[key] = (now_s, accounting.charged(decision, observation.replicas.placed))

    def forget(self, key: Key) -> None:
        """Drop what belongs to a scaler that is gone."""
        self.replica_seconds.pop(key, None)
        self._since.pop(key, None)

    def clear(self) -> None:
        """Drop everything: somebody else leads, and counts from there."""
        self.replica_seconds.clear()
        self._since.clear()
