"""What a decision is made of, an observation and a state, and what it explains of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from budaiscaler.domain import pausing, schedules
from budaiscaler.domain.capacity import Shortage
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.gpu import GpuObserved
from budaiscaler.domain.memories import Activity, KpaState
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import Observed
from budaiscaler.domain.schedules import Schedule


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
    PARTIAL_DATA = "PartialData"
    FALLBACK = "Fallback"
    OPTIONAL_LEFT_OUT = "OptionalLeftOut"
    LOST_OR_STARTING = "LostOrStartingReplicas"
    LARGEST_NEED = "LargestNeed"
    HOLD = "Hold"
    DAMPED = "Damped"
    RATE_CAPPED = "RateCapped"
    STABLE_AVERAGE = "StableAverage"
    PANIC_AVERAGE = "PanicAverage"
    ACTIVATION_SCALE = "ActivationScale"
    NOT_LOWER_IN_PANIC = "NotLowerInPanic"
    SCALE_DOWN_DELAY = "ScaleDownDelay"
    INITIAL_SCALE = "InitialScale"
    HELD_ABOVE_ZERO = "HeldAboveZero"
    TO_ZERO = "ToZero"
    WITHIN_TOLERANCE = "WithinTolerance"
    PAST_DEAD_BAND = "PastDeadBand"
    SCHEDULE_FLOOR = "ScheduleFloor"
    STABILIZED = "Stabilized"
    RATE_LIMITED = "RateLimited"
    DISABLED = "Disabled"
    STARTING_GATE = "StartingGate"
    CAPACITY_LIMITED = "CapacityLimited"
    MIN_REPLICAS = "MinReplicas"
    MAX_REPLICAS = "MaxReplicas"
    SCALING_DISABLED = "ScalingDisabled"
    PAUSED = "Paused"
    NATIVE_METRIC = "NativeMetric"
    RESULT = "Result"


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of the ladder; `before` and `after` are replicas."""

    stage: Stage
    code: Code
    before: int
    after: int
    message: str

    @property
    def moves(self) -> bool:
        """Whether it changed the number."""
        return self.before != self.after

    @property
    def is_need(self) -> bool:
        """Whether it only tells what one source or GPU asks for: the largest of all counts."""
        return self.stage is Stage.SOURCE or self.code is Code.NEED_FROM_LEVEL


@dataclass(frozen=True, slots=True)
class Replicas:
    """The workload's pods.

    Attributes:
        current: replicas asked for (`scale.spec.replicas`).
        ready: running and ready, a rollout's surge included.
        unschedulable: never placed on a node; they serve nothing and nobody waits for them.
        are_counted: whether pods were looked at; else `ready` is what the scale tells, which counts
            those that start.
        refused: never made, since something refuses their pods; they wait for nothing either.
    """

    current: int
    ready: int
    unschedulable: int = 0
    are_counted: bool = True
    refused: int = 0

    @property
    def unplaced(self) -> int:
        """Replicas that were asked for and have never had a place."""
        return min(self.current, self.unschedulable + self.refused)

    @property
    def placed(self) -> int:
        """Replicas that have a place, or wait for one without being turned away so far."""
        return max(self.current - self.unplaced, min(self.current, self.ready))

    @property
    def lost_or_starting(self) -> int:
        """Replicas that were asked for, could run, and are not ready."""
        return max(0, self.current - self.unplaced - self.ready)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything a decision sees of the world.

    Attributes:
        replicas: the workload's pods.
        readings: by the name of the source; a source without an entry has no data.
        startup_p95_s: measured start-up of this workload's pods in seconds; None until measured.
        exact: whether the HPA that acts has no dead band of its own; False where the API server
            drops its `tolerance`.
        paused: which directions are.
        contested_by: field manager that keeps writing the workload's replicas; None for none.
        gpu: of the target's GPUs; None where nobody asked for it.
        annotations: of the scaler, of our own group.
        has_child: whether the HPA that acts is ours, so that it can have metrics of its own; False
            where another autoscaler keeps us from making one.
        shortage: why replicas have no place; None while all have one, or nobody knows.
    """

    replicas: Replicas
    readings: Mapping[str, Observed]
    startup_p95_s: float | None = None
    exact: bool = True
    paused: Pausing = pausing.NOTHING
    contested_by: str | None = None
    gpu: GpuObserved | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    has_child: bool = True
    shortage: Shortage | None = None


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Replicas that were asked for and are not ready, from a first loss until all is calm.

    Attributes:
        began: when the first of them went, or more were asked for.
        grew_at: when more were missing than at the look before.
        missing: how many at the last look.
        most: how many at most, as far as it still counts.
        most_at: when so many were missing last.
    """

    began: datetime
    grew_at: datetime
    missing: int
    most: int
    most_at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What contributes to a total.

    Attributes:
        answered: how many do; while only a part does, the fewest that did.
        expected: how many should.
        ready: replicas that were ready then.
        partial_since: when it came to be a part; None while it is whole.
    """

    answered: int
    expected: int
    ready: int
    partial_since: datetime | None = None


_NO_ACTIVITY = Activity()


@dataclass(frozen=True, slots=True)
class State:
    """What a decision remembers of the ones before.

    Attributes:
        recommended_load: the last recommendation, in replicas, before bounds.
        current: the replicas that were asked for at the last decision.
        shortfall: of replicas that are not ready; None while none is missing.
        ready_seen: when so many replicas were last ready, each count smaller than all after it, so
            that the fewest since any of these times can be told.
        good_at: when a source last had data, or a fallback stood in for it.
        silent_since: since when a source has had no data, by its name.
        coverage: what contributes to a total, by the name of its source.
        recommendations: what was recommended before policies, for who stabilises here; of each
            entry that a look back can find.
        changes: of the replicas, by whomever, within the longest period of a policy.
        asked: replicas that the last decision asked for, where one of ours acts on it.
        kpa: what the KPA strategy remembers of a source, by its name.
        activity: of the workload, for its first replicas and its last.
        begun: times that are still ahead of schedule hints that hold already, by their name:
            prewarmed by a measured start, which may be measured shorter meanwhile.
    """

    recommended_load: float | None = None
    current: int | None = None
    shortfall: Shortfall | None = None
    ready_seen: tuple[tuple[datetime, int], ...] = ()
    good_at: datetime | None = None
    silent_since: Mapping[str, datetime] = field(default_factory=dict)
    coverage: Mapping[str, Coverage] = field(default_factory=dict)
    recommendations: tuple[tuple[datetime, int], ...] = ()
    changes: tuple[tuple[datetime, int], ...] = ()
    asked: int | None = None
    kpa: Mapping[str, KpaState] = field(default_factory=dict)
    activity: Activity = _NO_ACTIVITY
    begun: Mapping[str, datetime] = field(default_factory=dict)


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
        next_change: when it would change by itself.
        publishes: whether the load is for others to act on; False where the HPA reads every source
            itself.
        schedule: what hints ask for; whoever decides looks again when that changes.
    """

    desired_replicas: int
    desired_load: float
    bound_by: Stage
    rungs: tuple[Rung, ...]
    conditions: tuple[Condition, ...] = field(default=())
    next_change: NextChange | None = None
    publishes: bool = True
    schedule: Schedule = schedules.NOTHING
