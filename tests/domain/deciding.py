"""A story of one scaler: what happens to it, step by step, and what is decided each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from budaiscaler.domain import pausing, readings
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.capacity import Shortage
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, Observation, Replicas, Rung, State
from budaiscaler.domain.gpu import GpuObserved
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import NoData, NoDataReason, Observed
from tests.conftest import NOON

Says = Mapping[str, float | Observed]
"""By the name of the source; a number is a good reading unless it is none."""


def mean(value: float, samples: int, *, age_s: float = 0) -> Observed:
    """A level that is the mean of that many samples."""
    return readings.reading(value, age_s=age_s, answered=samples)


DEAD = NoData(NoDataReason.UNREACHABLE, "the server is down")


@dataclass(slots=True)
class Story:
    """Remembers the state and the time between the steps.

    Attributes:
        annotations: of the scaler, without our group.
    """

    spec: ScalerSpec
    now: datetime = NOON
    state: State = field(default_factory=State)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def step(
        self,
        current: int,
        says: Says | None = None,
        *,
        ready: int | None = None,
        unschedulable: int = 0,
        are_counted: bool = True,
        refused: int = 0,
        shortage: Shortage | None = None,
        startup_p95_s: float | None = None,
        exact: bool = True,
        paused: Pausing = pausing.NOTHING,
        contested_by: str | None = None,
        gpu: GpuObserved | None = None,
        after_s: float = 15,
    ) -> Decision:
        """Decide `after_s` later; all replicas are ready unless told."""
        self.now += timedelta(seconds=after_s)
        observation = Observation(
            Replicas(
                current, current if ready is None else ready, unschedulable, are_counted, refused
            ),
            {
                name: readings.reading(float(said)) if isinstance(said, int | float) else said
                for name, said in (says or {}).items()
            },
            startup_p95_s,
            exact=exact,
            paused=paused,
            contested_by=contested_by,
            gpu=gpu,
            annotations={f"{GROUP}/{name}": text for name, text in self.annotations.items()},
            shortage=shortage,
        )
        decision, self.state = decide(self.spec, observation, self.state, self.now)
        return decision


def rung(decision: Decision, code: Code) -> Rung:
    """The only rung of that code."""
    (found,) = (rung for rung in decision.rungs if rung.code is code)
    return found


def told(decision: Decision, kind: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition of the decision."""
    (found,) = (condition for condition in decision.conditions if condition.type == kind)
    return found.status, found.reason, found.message
