"""Kubernetes' HPA controller (`autoscaling/v2`), as far as it decides: one sync of one HPA.

Source: `reconcileAutoscaler` of `pkg/controller/podautoscaler`. It stands here to tell what comes
of the load that we publish, where no cluster is: in stories, and in the playground. Its windows and
policies are the ones that our own strategies use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from budaiscaler.domain import conditions
from budaiscaler.domain.algorithms import hpa_controller_metrics as of_metrics
from budaiscaler.domain.algorithms import policies, stabilization
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.algorithms.hpa_controller_spec import (
    DOWNSCALE_STABILIZATION_S,
    HpaSpec,
)
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.conditions import Condition
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
        desired: replicas; what is written to the scale if it differs from what is asked for.
        rescales: whether it is written.
        proposals: of each metric, in their order; None of one that could not be had.
        conditions: that the HPA has after it.
    """

    desired: int
    rescales: bool
    proposals: tuple[int | None, ...] = ()
    conditions: tuple[Condition, ...] = field(default=())


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
        return Sync(0, rescales=False, conditions=(_able(), off)), state
    bound = min(max(scale.current, spec.min_replicas), spec.max_replicas)
    if bound != scale.current:
        # Bounds that were edited act without any metric.
        return _rescaled(spec, scale, bound, (), (_able(),), state, now)
    tolerances = spec.tolerances(are_kept=keeps_tolerance)
    proposals = tuple(
        None if isinstance(one, NoData) else of_metrics.propose(metric, one, scale, tolerances)
        for metric, one in zip(spec.metrics, readings, strict=True)
    )
    wanted = max((one for one in proposals if one is not None), default=-1)
    missing = [at for at, one in enumerate(proposals) if one is None]
    if missing and wanted < scale.current:
        active = _inactive(spec, readings[missing[0]], missing[0])
        return Sync(scale.current, False, proposals, (_able(), active)), state  # noqa: FBT003
    message = f"the HPA was able to calculate {wanted} replicas"
    active = Condition(SCALING_ACTIVE, "True", "ValidMetricFound", message)
    stabilized, state = _stabilized(spec, scale, wanted, state, now)
    allowed, limited = _limited(spec, scale, stabilized, state, now)
    able = _able(_direction(wanted, stabilized))
    return _rescaled(spec, scale, allowed, proposals, (able, active, limited), state, now)


def _rescaled(
    spec: HpaSpec,
    scale: Scale,
    desired: int,
    proposals: tuple[int | None, ...],
    told: tuple[Condition, ...],
    state: HpaState,
    now: datetime,
) -> tuple[Sync, HpaState]:
    """Note a change, which only an HPA with a behaviour has use for."""
    by = desired - scale.current
    if by and spec.behavior is not None:
        kept = (one for one in state.changes if now - one[0] < policies.LONGEST_PERIOD)
        state = replace(state, changes=(*kept, (now, by)))
    if by:
        message = f"the HPA controller was able to update the target scale to {desired}"
        told = (Condition(ABLE_TO_SCALE, "True", "SucceededRescale", message), *told[1:])
    return Sync(desired, by != 0, proposals, told), state


def _stabilized(
    spec: HpaSpec, scale: Scale, wanted: int, state: HpaState, now: datetime
) -> tuple[int, HpaState]:
    up_s, down_s = 0, DOWNSCALE_STABILIZATION_S
    if spec.behavior is not None:
        up_s, down_s = _window_s(spec.behavior.scale_up), _window_s(spec.behavior.scale_down)
    past = state.recommendations or ()
    up, down = timedelta(seconds=up_s), timedelta(seconds=down_s)
    answer, _ = stabilization.stabilize(scale.current, wanted, past, up=up, down=down, now=now)
    after = stabilization.remember(past, wanted, stabilization.LONGEST_WINDOW, now)
    return answer, replace(state, recommendations=after)


def _limited(
    spec: HpaSpec, scale: Scale, wanted: int, state: HpaState, now: datetime
) -> tuple[int, Condition]:
    """Apply policies, then bounds; a reason tells which of the two it was."""
    grows = wanted > scale.current
    if spec.behavior is None:
        most = max(FACTOR * scale.current, LEAST_STEP)
        allowed = min(wanted, most) if grows else wanted
    else:
        up, down = spec.behavior.scale_up, spec.behavior.scale_down
        allowed, _ = policies.limit(scale.current, wanted, state.changes, up=up, down=down, now=now)
    bounded = min(max(allowed, spec.min_replicas), spec.max_replicas)
    if bounded == wanted:
        message = "the desired count is within the acceptable range"
        return bounded, Condition(SCALING_LIMITED, "False", "DesiredWithinRange", message)
    if bounded != allowed:
        reason = "TooManyReplicas" if grows else "TooFewReplicas"
        message = f"the desired replica count is {'more' if grows else 'less'} than the bound"
        return bounded, Condition(SCALING_LIMITED, "True", reason, message)
    reason = "ScaleUpLimit" if grows else "ScaleDownLimit"
    message = f"the desired replica count is {'in' if grows else 'de'}creasing faster than allowed"
    return bounded, Condition(SCALING_LIMITED, "True", reason, message)


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
