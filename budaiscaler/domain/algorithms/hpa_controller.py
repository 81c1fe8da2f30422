"""Kubernetes' HPA controller (`autoscaling/v2`), as far as it decides: one sync of one HPA.

Source: `reconcileAutoscaler` of `pkg/controller/podautoscaler`. It stands here to tell what comes
of the load that we publish, where no cluster is: in stories, and in the playground. Its windows and
policies are the ones that our own strategies use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain import conditions
from budaiscaler.domain.algorithms import hpa_controller_metrics as of_metrics
from budaiscaler.domain.algorithms import limits, policies, stabilization
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.algorithms.hpa_controller_spec import (
    DOWNSCALE_STABILIZATION_S,
    HpaSpec,
)
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decision import Code, Rung, Stage
from budaiscaler.domain.readings import NoData, Observed

ABLE_TO_SCALE, SCALING_ACTIVE = conditions.ABLE_TO_SCALE, conditions.SCALING_ACTIVE
SCALING_LIMITED = conditions.SCALING_LIMITED

LEAST_STEP, FACTOR = 4, 2
"""Without `behavior` a step leads to twice the replicas at most, or to four."""


@dataclass(frozen=True, slots=True)
class HpaState:
    """What the controller remembers of an HPA, in memory only: a restart of it forgets.

    Attributes:
        recommendations: before stabilisation, each at its time; None before the first sync.
        changes: that it made, each at its time.
    """

    recommendations: stabilization.Recommendations | None = None
    changes: policies.Changes = ()


@dataclass(frozen=True, slots=True)
class Sync:
    """What came of one sync.

    Attributes:
        desired: replicas; written to the scale where it differs from what is asked for.
        proposals: of each metric, in their order; None of one that could not be had.
        conditions: that the HPA has after it.
        rungs: how the largest proposal came to be what is desired.
    """

    desired: int
    proposals: tuple[int | None, ...] = ()
    conditions: tuple[Condition, ...] = ()
    rungs: tuple[Rung, ...] = ()


def sync(
    spec: HpaSpec,
    scale: Scale,
    readings: Sequence[Observed],
    state: HpaState,
    now: datetime,
    *,
    keeps_tolerance: bool = True,
) -> tuple[Sync, HpaState]:
    """Decide as the controller does at one sync; it comes every 15 s.

    Args:
        spec: of the HPA; see `hpa_controller_spec.read`.
        scale: of its workload.
        readings: of each metric, in their order; see `hpa_controller_metrics.propose`.
        state: what the sync before returned; `HpaState()` after a start of the controller.
        now: time of the sync.
        keeps_tolerance: whether the API server knows `behavior.*.tolerance`.
    """
    if state.recommendations is None:
        # Nothing falls before one window has passed.
        state = replace(state, recommendations=((now, scale.current),))
    if scale.current == 0 and spec.min_replicas != 0:
        message = "scaling is disabled since the replica count of the target is zero"
        off = Condition(SCALING_ACTIVE, "False", "ScalingDisabled", message)
        return Sync(0, conditions=(_able(), off)), state
    _, edited = limits.bounds(scale.current, spec.min_replicas, spec.max_replicas)
    if edited is not None:
        # Bounds that were edited act without any metric.
        at_bound = Sync(edited.after, conditions=(_able(),), rungs=(edited,))
        return _rescaled(spec, scale, at_bound, state, now)
    tolerances = spec.tolerances(are_kept=keeps_tolerance)
    proposals = tuple(
        None if isinstance(one, NoData) else of_metrics.propose(metric, one, scale, tolerances)
        for metric, one in zip(spec.metrics, readings, strict=True)
    )
    wanted = max((one for one in proposals if one is not None), default=-1)
    missing = [at for at, one in enumerate(proposals) if one is None]
    if missing and wanted < scale.current:
        active = _inactive(spec, readings[missing[0]], missing[0])
        return Sync(scale.current, proposals, (_able(), active)), state
    message = f"the HPA was able to calculate {wanted} replicas"
    active = Condition(SCALING_ACTIVE, "True", "ValidMetricFound", message)
    stabilized, held, state = _stabilized(spec, scale, wanted, state, now)
    desired, cuts, limited = _limited(spec, scale, stabilized, state, now)
    able = _able(_direction(wanted, stabilized))
    rungs = tuple(rung for rung in (held, *cuts) if rung is not None)
    done = Sync(desired, proposals, (able, active, limited), rungs)
    return _rescaled(spec, scale, done, state, now)


def _rescaled(
    spec: HpaSpec, scale: Scale, done: Sync, state: HpaState, now: datetime
) -> tuple[Sync, HpaState]:
    """Note a change, which only an HPA with a behaviour has use for."""
    by = done.desired - scale.current
    if not by:
        return done, state
    if spec.behavior is not None:
        kept = (one for one in state.changes if now - one[0] < policies.LONGEST_PERIOD)
        state = replace(state, changes=(*kept, (now, by)))
    message = f"the HPA controller was able to update the target scale to {done.desired}"
    able = Condition(ABLE_TO_SCALE, "True", "SucceededRescale", message)
    return replace(done, conditions=(able, *done.conditions[1:])), state


def _stabilized(
    spec: HpaSpec, scale: Scale, wanted: int, state: HpaState, now: datetime
) -> tuple[int, Rung | None, HpaState]:
    up_s, down_s = 0, DOWNSCALE_STABILIZATION_S
    if spec.behavior is not None:
        up_s, down_s = _window_s(spec.behavior.scale_up), _window_s(spec.behavior.scale_down)
    past = state.recommendations or ()
    up, down = timedelta(seconds=up_s), timedelta(seconds=down_s)
    answer, held = stabilization.stabilize(scale.current, wanted, past, up=up, down=down, now=now)
    after = stabilization.remember(past, wanted, stabilization.LONGEST_WINDOW, now)
    return answer, held, replace(state, recommendations=after)


def _limited(
    spec: HpaSpec, scale: Scale, wanted: int, state: HpaState, now: datetime
) -> tuple[int, tuple[Rung | None, ...], Condition]:
    """Apply policies, then bounds; a reason tells which of the two it was."""
    allowed, cut = _rate(spec, scale, wanted, state, now)
    _, bounded = limits.bounds(allowed, spec.min_replicas, spec.max_replicas)
    grows = wanted > scale.current
    if bounded is not None:
        reason = "TooManyReplicas" if grows else "TooFewReplicas"
        told = Condition(SCALING_LIMITED, "True", reason, bounded.message)
    elif cut is not None:
        reason = "ScaleUpLimit" if grows else "ScaleDownLimit"
        told = Condition(SCALING_LIMITED, "True", reason, cut.message)
    else:
        message = "the desired count is within the acceptable range"
        told = Condition(SCALING_LIMITED, "False", "DesiredWithinRange", message)
    return bounded.after if bounded is not None else allowed, (cut, bounded), told


def _rate(
    spec: HpaSpec, scale: Scale, wanted: int, state: HpaState, now: datetime
) -> tuple[int, Rung | None]:
    if spec.behavior is not None:
        up, down = spec.behavior.scale_up, spec.behavior.scale_down
        return policies.limit(scale.current, wanted, state.changes, up=up, down=down, now=now)
    most = max(FACTOR * scale.current, LEAST_STEP)
    if wanted <= max(most, scale.current):
        return wanted, None
    message = f"{wanted} are wanted, and without a behavior {most} are the most for one step"
    return most, Rung(Stage.POLICIES, Code.RATE_LIMITED, wanted, most, message)


def _window_s(rules: ScalingRules | None) -> int:
    return (rules.stabilization_window_seconds or 0) if rules is not None else 0


def _inactive(spec: HpaSpec, observed: Observed, at: int) -> Condition:
    metric = spec.metrics[at]
    why = observed.message if isinstance(observed, NoData) else ""
    message = f"the HPA was unable to compute the replica count: {metric.name}: {why}"
    return Condition(SCALING_ACTIVE, "False", metric.type.failure, message)


def _direction(wanted: int, stabilized: int) -> str:
    if stabilized == wanted:
        return "ReadyForNewScale"
    return "ScaleDownStabilized" if stabilized > wanted else "ScaleUpStabilized"


_ABLE = {
    "ReadyForNewScale": "recommended size matches current size",
    "ScaleDownStabilized": "recent recommendations were higher than current one, applying the "
    "highest recent recommendation",
    "ScaleUpStabilized": "recent recommendations were lower than current one, applying the lowest "
    "recent recommendation",
}


def _able(reason: str = "ReadyForNewScale") -> Condition:
    return Condition(ABLE_TO_SCALE, "True", reason, _ABLE[reason])
