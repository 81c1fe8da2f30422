"""What a decision is made of, an observation and a state, and what it explains of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.readings import Observed


class Stage(StrEnum):
    """The closed list of stages, in the order in which they act."""

    SOURCE = "source"
    COMBINE = "combine"
    TOLERANCE = "tolerance"
    GPU = "gpu"
    FORECAST = "forecast"
    SCHEDULE = "schedule"
    COST = "cost"
    STABILIZATION = "stabilization"
    POLICIES = "policies"
    GATE = "gate"
    BOUNDS = "bounds"
    FINAL = "final"


class Code(StrEnum):
    """What happened on a rung. Stable: users filter logs and metrics by it."""

    NEED_FROM_TOTAL = "NeedFromTotal"
    NEED_FROM_LEVEL = "NeedFromLevel"
    NO_DATA = "NoData"
    LOST_OR_STARTING = "LostOrStartingReplicas"
    LARGEST_NEED = "LargestNeed"
    HOLD = "Hold"
    WITHIN_TOLERANCE = "WithinTolerance"
    MIN_REPLICAS = "MinReplicas"
    MAX_REPLICAS = "MaxReplicas"
    SCALING_DISABLED = "ScalingDisabled"
    RESULT = "Result"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder; `before` and `after` are replicas."""

    stage: Stage
    code: Code
    before: int
    after: int
    message: str


@dataclass(frozen=True, slots=True)
class Replicas:
    """The workload's pods.

    Attributes:
        current: replicas asked for (`scale.spec.replicas`).
        ready: running and ready, a rollout's surge included.
        unschedulable: never placed on a node; they serve nothing and nobody waits for them.
    """

    current: int
    ready: int
    unschedulable: int = 0

    @property
    def lost_or_starting(self) -> int:
        """Replicas that were asked for, could run, and are not ready."""
        return max(0, self.current - self.unschedulable - self.ready)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything a decision sees of the world.

    Attributes:
        replicas: the workload's pods.
        readings: by the name of the source; a source without an entry has no data.
        startup_p95_s: measured start-up of this workload's pods in seconds; None until measured.
    """

    replicas: Replicas
    readings: Mapping[str, Observed]
    startup_p95_s: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What a decision remembers of the one before.

    Attributes:
        recommended_load: the last recommendation, in replicas, before bounds.
        shortfall_since: since when fewer replicas are ready than were asked for.
        good_at: when a source last had data.
    """

    recommended_load: float | None = None
    shortfall_since: datetime | None = None
    good_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NextChange:
    """When the answer would change by itself."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer and how it came about.

    Attributes:
        desired_replicas: within the bounds of the spec.
        desired_load: the same before rounding up, in replicas; what is published.
        bound_by: the stage that determined it.
        rungs: from the readings to the result.
        conditions: what is to be told about it.
        holding_since: the last good decision, while no source has data.
        next_change: when it would change by itself.
    """

    desired_replicas: int
    desired_load: float
    bound_by: Stage
    rungs: tuple[Rung, ...]
    conditions: tuple[Condition, ...] = field(default=())
    holding_since: datetime | None = None
    next_change: NextChange | None = None
