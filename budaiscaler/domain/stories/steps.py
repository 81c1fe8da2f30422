"""The decisions of a story, one after the other, and when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.decision import Decision, Replicas, Rung, Stage
from budaiscaler.domain.explaining import observations
from budaiscaler.domain.memories import INTERVAL_S, TICK_S
from budaiscaler.domain.readings import Observed


@dataclass(frozen=True, slots=True)
class Step:
    """One decision of a story.

    Attributes:
        at_s: seconds since its start.
        replicas: as they stood.
        desired: what is asked for: by the HPA where one acts, else by the decision.
        acts: whether the replicas are changed to it.
        rungs: of the decision, and of the HPA.
        readings: as the decision saw them.
        placed: replicas that have a node after it.
        price: of a replica an hour; None where nobody told.
    """

    at_s: float
    replicas: Replicas
    desired: int
    acts: bool
    decision: Decision
    rungs: tuple[Rung, ...]
    readings: Mapping[str, Observed]
    placed: int
    price: float | None

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that changed the value, in the order in which they act."""
        moved = {rung.stage for rung in self.rungs if rung.before != rung.after}
        return tuple(stage for stage in Stage if stage in moved and stage is not Stage.FINAL)

    @property
    def conditions(self) -> dict[str, str]:
        """Status by type."""
        return {one.type: one.status for one in self.decision.conditions}


def cadence_s(strategy: Strategy) -> tuple[float, float]:
    """Seconds between two samples, and between two decisions."""
    if strategy is Strategy.KPA:
        return INTERVAL_S, TICK_S
    return observations.DECISION_INTERVAL_S, observations.DECISION_INTERVAL_S
