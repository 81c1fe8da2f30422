"""The decisions of a story, one after the other, and when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.decision import Code, Decision, Replicas, Rung, Stage
from budaiscaler.domain.explaining import observations
from budaiscaler.domain.memories import INTERVAL_S, TICK_S
from budaiscaler.domain.readings import Observed

_HOLDS = (Code.NO_DATA, Code.PARTIAL_DATA, Code.FALLBACK, Code.LOST_OR_STARTING)


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
        moved = {
            rung.stage
            for rung in self.rungs
            if rung.moves and (rung.stage is Stage.SOURCE or not rung.is_need)
        }
        return tuple(stage for stage in Stage if stage in moved and stage is not Stage.FINAL)

    @property
    def bound_by(self) -> Stage:
        """What determined the answer: the last that moved it where the HPA had its say."""
        told = len(self.decision.rungs)
        of_hpa = [rung.stage for rung in self.rungs[told:] if rung.moves]
        return of_hpa[-1] if of_hpa else self.decision.bound_by

    @property
    def why(self) -> str:
        """The sentence of what determined the answer."""
        of_stage = [rung for rung in self.rungs if rung.stage is self.bound_by]
        last = ([rung for rung in of_stage if rung.moves] or of_stage or self.rungs)[-1]
        if self.bound_by is Stage.COMBINE and last.code in (Code.LARGEST_NEED, Code.RESULT):
            of_stage = [rung for rung in self.rungs if rung.stage is Stage.SOURCE]
        elif self.bound_by is Stage.SOURCE:
            # Held for lack of data: what others need is not the reason.
            of_stage = [rung for rung in of_stage if rung.code in _HOLDS]
        else:
            return last.message
        return max(of_stage or [last], key=lambda rung: rung.after).message

    @property
    def conditions(self) -> dict[str, str]:
        """Status by type."""
        return {one.type: one.status for one in self.decision.conditions}


def cadence_s(strategy: Strategy) -> tuple[float, float]:
    """Seconds between two samples, and between two decisions."""
    if strategy is Strategy.KPA:
        return INTERVAL_S, TICK_S
    return observations.DECISION_INTERVAL_S, observations.DECISION_INTERVAL_S
