"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, and a dead band that an exact step of ten percent can leave.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain import conditions
from budaiscaler.domain.api import promql, quantity
from budaiscaler.domain.api.budaiscaler import Manage, MetricsSource, ScalerSpec, TargetType
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Replicas,
    Rung,
    Stage,
    State,
)
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading

SLACK = 1e-9
"""Of a ratio: 1.1 computed as 1.1000000000000001 is still inside a dead band of 0.1."""

ZERO_TOLERANCE_UP = 1.02
ZERO_TOLERANCE_DOWN = 0.98
"""With tolerance 0 an exact 10 -> 11 acts, and two percent of noise does not."""

UNMEASURED_STARTUP_BOUND = timedelta(minutes=10)
SHORTEST_STARTUP_BOUND = timedelta(minutes=1)
"""Replicas that start within a second are back before their metrics are (ADR 0016)."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one source, or one rule, asks for.

    Attributes:
        load: in replicas.
        rung: how it came about.
        is_hold: it only keeps the load from falling.
        has_data: a source answered.
    """

    load: float
    rung: Rung
    is_hold: bool = False
    has_data: bool = False


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Compute the load to publish; see `budaiscaler.domain.decide.decide`."""
    replicas = observation.replicas
    if replicas.current == 0 and spec.min_replicas >= 1:
        return _disabled(), State()

    candidates = [_candidate(source, observation) for source in spec.metrics_sources]
    has_data = any(candidate.has_data for candidate in candidates)
    shortfall_since = (state.shortfall_since or now) if replicas.lost_or_starting else None
    hold_ends = None
    if shortfall_since is not None:
        hold_ends = shortfall_since + _startup_bound(observation.startup_p95_s)
        if now < hold_ends:
            candidates.append(_hold_for_pods(spec, replicas, state))

    # A source without data stands in as a candidate at the current replicas, so the maximum alone
    # gives both halves of the rule: others may still scale up, and nothing scales down. Where a
    # need equals a hold, nothing is held.
    winner = max(candidates, key=lambda candidate: (candidate.load, not candidate.is_hold))
    combined = _combine_rung(winner, replicas.current)
    load, tolerance_rung = _apply_tolerance(spec, winner.load, replicas.current)
    bounded, bounds_rung = _apply_bounds(spec, load)
    bounded = quantity.ceil_to_milli(bounded)
    desired = math.ceil(bounded)

    good_at = now if has_data else state.good_at
    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [candidate.rung for candidate in candidates]
    ladder += [rung for rung in (combined, tolerance_rung, bounds_rung) if rung is not None]
    ladder.append(
        Rung(
            Stage.FINAL,
            Code.RESULT,
            replicas.current,
            desired,
            f"{replicas.current} -> {desired} replicas",
        )
    )
    decision = Decision(
        desired_replicas=desired,
        desired_load=bounded,
        bound_by=bound_by,
        rungs=tuple(ladder),
        conditions=tuple(
            _conditions(spec, observation, has_data=has_data, bounds_rung=bounds_rung)
        ),
        holding_since=None if has_data else good_at,
        next_change=_next_change(winner, hold_ends),
    )
    return decision, replace(
        state, recommended_load=load, shortfall_since=shortfall_since, good_at=good_at
    )


def _observed(source: MetricsSource, observation: Observation) -> Observed:
    """Look a source's reading up, where one can be had and means something."""
    observed = observation.readings.get(source.key)
    if observed is None:
        return NoData(NoDataReason.NOT_YET_READ, "the source was not read yet")
    target_type, _ = promql.target_type(source)
    if (
        target_type is TargetType.VALUE
        and isinstance(observed, Reading)
        and observation.replicas.ready == 0
    ):
        return NoData(
            NoDataReason.NO_READY_PODS, "a level per replica says nothing while no pod is ready"
        )
    return observed


def _candidate(source: MetricsSource, observation: Observation) -> Candidate:
    """Turn one reading into a need in replicas."""
    current, ready = observation.replicas.current, observation.replicas.ready
    observed = _observed(source, observation)
    if isinstance(observed, NoData):
        message = f"{source.key}: no data ({observed.reason}), so it holds {current}"
        rung = Rung(Stage.SOURCE, Code.NO_DATA, current, current, message)
        return Candidate(float(current), rung, is_hold=True)

    ratio = observed.value / source.target
    target_type, _ = promql.target_type(source)
    if target_type is TargetType.AVERAGE_VALUE:
        need, code = ratio, Code.NEED_FROM_TOTAL
        how = f"total {observed.value:g} / {source.target:g} a replica = {need:.4g}"
    else:
        # Over the ready replicas that the mean was taken of, never over those asked for: four ready
        # at twice the target, four still loading a model, is a load of 8 and not of 16.
        need, code = ready * ratio, Code.NEED_FROM_LEVEL
        how = f"{ready} ready x level {observed.value:g} / {source.target:g} = {need:.4g}"
    need = min(need, float(2**31 - 1))
    rung = Rung(Stage.SOURCE, code, current, _ceil(need), f"{source.key}: {how} replicas")
    return Candidate(need, rung, has_data=True)


def _hold_for_pods(spec: ScalerSpec, replicas: Replicas, state: State) -> Candidate:
    """Keep a loss of pods, or replicas that still start, from looking like low load.

    With a third of the pods gone, the sum over the running requests of the others falls by a third
    although nobody left: the recommendation must not follow. A level may not fall below what was
    asked for either, since the replicas still starting will share it.
    """
    level = any(
        promql.target_type(source)[0] is TargetType.VALUE for source in spec.metrics_sources
    )
    floor = float(replicas.current) if level or state.recommended_load is None else 0.0
    load = max(floor, state.recommended_load or 0.0)
    message = (
        f"{replicas.lost_or_starting} of {replicas.current} replicas are lost or starting, "
        f"so the recommendation does not fall below {load:.4g}"
    )
    rung = Rung(Stage.SOURCE, Code.LOST_OR_STARTING, replicas.current, _ceil(load), message)
    return Candidate(load, rung, is_hold=True)


def _combine_rung(winner: Candidate, current: int) -> Rung:
    if winner.is_hold:
        message = f"nothing needs more than {winner.load:.4g} and nothing may fall below it"
        return Rung(Stage.COMBINE, Code.HOLD, current, _ceil(winner.load), message)
    message = f"the largest need wins: {winner.rung.message.partition(':')[0]}"
    return Rung(Stage.COMBINE, Code.LARGEST_NEED, current, _ceil(winner.load), message)


def _apply_tolerance(spec: ScalerSpec, load: float, current: int) -> tuple[float, Rung | None]:
    """Answer the current replicas while the load is inside the dead band."""
    if current in (0, load):
        return load, None
    tolerance = spec.tolerance_up() if load > current else spec.tolerance_down()
    if tolerance > 0:
        held = abs(load / current - 1) <= tolerance + SLACK
        band = f"within {tolerance:.3g} of {current}"
    elif load > current:
        held = load <= ZERO_TOLERANCE_UP * current + SLACK
        band = f"not above {ZERO_TOLERANCE_UP:g} x {current}"
    else:
        # Nothing at all is no noise: without this, one replica would never become none.
        held = load > 0 and load >= ZERO_TOLERANCE_DOWN * (current - 1) - SLACK
        band = f"not below {ZERO_TOLERANCE_DOWN:g} x {current - 1}"
    if not held:
        return load, None
    rung = Rung(
        Stage.TOLERANCE,
        Code.WITHIN_TOLERANCE,
        _ceil(load),
        current,
        f"a load of {load:.4g} is {band}",
    )
    return float(current), rung


def _apply_bounds(spec: ScalerSpec, load: float) -> tuple[float, Rung | None]:
    # The HPA that we own cannot go below 1 in a stock cluster; a user's own one may.
    low = spec.min_replicas if spec.hpa.manage is Manage.NEVER else max(1, spec.min_replicas)
    if load > spec.max_replicas:
        message = f"a load of {load:.4g} is above maxReplicas {spec.max_replicas}"
        return float(spec.max_replicas), Rung(
            Stage.BOUNDS, Code.MAX_REPLICAS, _ceil(load), spec.max_replicas, message
        )
    if load < low:
        message = f"a load of {load:.4g} is below the fewest replicas, {low}"
        return float(low), Rung(Stage.BOUNDS, Code.MIN_REPLICAS, _ceil(load), low, message)
    return load, None


def _conditions(
    spec: ScalerSpec, observation: Observation, *, has_data: bool, bounds_rung: Rung | None
) -> Iterator[Condition]:
    missing = _missing(spec, observation)
    if has_data:
        also = f"; without data, so holding scale-down: {missing}" if missing else ""
        yield Condition(
            conditions.SCALING_ACTIVE,
            "True",
            "ValidMetricFound",
            f"the load could be computed{also}",
        )
    else:
        yield Condition(
            conditions.SCALING_ACTIVE, "False", "NoData", f"no source has data: {missing}"
        )
    if bounds_rung is None:
        yield Condition(
            conditions.SCALING_LIMITED,
            "False",
            "DesiredWithinRange",
            "the load is within the bounds",
        )
    else:
        reason = "TooManyReplicas" if bounds_rung.code is Code.MAX_REPLICAS else "TooFewReplicas"
        yield Condition(conditions.SCALING_LIMITED, "True", reason, bounds_rung.message)
    assumed = [
        f"{source.key}: set targetType: {kind}"
        for source in spec.metrics_sources
        for kind, guessed in (promql.target_type(source),)
        if guessed
    ]
    if assumed:
        message = f"the unit was read from the PromQL; to fix it, {'; '.join(assumed)}"
        yield Condition(conditions.UNIT_ASSUMED, "True", "TargetTypeNotSet", message)


def _missing(spec: ScalerSpec, observation: Observation) -> str:
    gone = []
    for source in spec.metrics_sources:
        observed = _observed(source, observation)
        if isinstance(observed, NoData):
            gone.append(f"{source.key} ({observed.reason}): {observed.message}")
    return "; ".join(gone)


def _disabled() -> Decision:
    message = (
        "the workload stands at 0 replicas while minReplicas is 1 or more: its owner switched it "
        "off"
    )
    return Decision(
        desired_replicas=0,
        desired_load=0.0,
        bound_by=Stage.GATE,
        rungs=(
            Rung(Stage.GATE, Code.SCALING_DISABLED, 0, 0, message),
            Rung(Stage.FINAL, Code.RESULT, 0, 0, "0 -> 0 replicas"),
        ),
        conditions=(
            Condition(conditions.SCALING_ACTIVE, "False", "ScalingDisabled", message),
            Condition(
                conditions.SCALING_LIMITED, "False", "DesiredWithinRange", "scaling is disabled"
            ),
        ),
    )


def _next_change(winner: Candidate, hold_ends: datetime | None) -> NextChange | None:
    if hold_ends is None or winner.rung.code is not Code.LOST_OR_STARTING:
        return None
    return NextChange(hold_ends, "lost or starting replicas stop holding the recommendation")


def _startup_bound(p95_s: float | None) -> timedelta:
    if p95_s is None:
        return UNMEASURED_STARTUP_BOUND
    return max(SHORTEST_STARTUP_BOUND, timedelta(seconds=2 * p95_s))


def _ceil(load: float) -> int:
    return math.ceil(quantity.ceil_to_milli(load))
