"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, and a dead band that an exact step of ten percent can leave.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from budaiscaler.domain.algorithms import gpu, limits, needs, shortfalls, verdicts
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Rung,
    Stage,
    State,
)


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Compute the load to publish; see `budaiscaler.domain.decide.decide`."""
    replicas = observation.replicas
    if replicas.current == 0 and spec.min_replicas >= 1:
        return _disabled(), State()

    limit = shortfalls.bound(observation.startup_p95_s)
    state = replace(
        state,
        current=replicas.current,
        shortfall=shortfalls.follow(state, replicas, limit, now),
        ready_seen=needs.see(state.ready_seen, replicas.ready, now),
    )
    candidates = [
        needs.candidate(source, observation, state, now) for source in spec.metrics_sources
    ]
    gpus = gpu.candidates(spec, observation, state, now)
    has_data = any(candidate.has_data for candidate in (*candidates, *gpus))
    candidates += [candidate for candidate in gpus if not candidate.has_data]
    hold_ends = shortfalls.hold_ends(state.shortfall, limit)
    if hold_ends is not None and now < hold_ends:
        candidates.append(shortfalls.hold(spec, replicas, state.recommended_load))

    # A source without data stands in as a candidate at the current replicas, so the maximum alone
    # gives both halves of the rule: others may still scale up, and nothing scales down. Where a
    # need equals a hold, nothing is held.
    winner = max(candidates, key=lambda candidate: (candidate.load, not candidate.is_hold))
    combined = _combine_rung(winner, replicas.current)
    load, tolerance_rung = limits.tolerance(
        spec, winner.load, replicas.current, exact=observation.exact
    )
    gpu_needs = [candidate for candidate in gpus if candidate.has_data]
    load, gpu_rung = gpu.raised(spec, load, gpu_needs, observation)
    bounded, bounds_rung = limits.bounds(spec, load)
    bounded = quantity.ceil_to_milli(bounded)
    desired = math.ceil(bounded)

    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, gpu_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [candidate.rung for candidate in candidates]
    ladder += [rung for rung in (combined, tolerance_rung) if rung is not None]
    ladder += [candidate.rung for candidate in gpu_needs]
    ladder += [rung for rung in (gpu_rung, bounds_rung) if rung is not None]
    result = f"{replicas.current} -> {desired} replicas"
    ladder.append(Rung(Stage.FINAL, Code.RESULT, replicas.current, desired, result))
    decision = Decision(
        desired_replicas=desired,
        desired_load=bounded,
        bound_by=bound_by,
        rungs=tuple(ladder),
        conditions=tuple(
            verdicts.of_decision(spec, observation, has_data=has_data, bounds_rung=bounds_rung)
        ),
        next_change=_next_change(winner, hold_ends),
    )
    return decision, replace(
        state, recommended_load=load, good_at=now if has_data else state.good_at
    )


def _combine_rung(winner: Candidate, current: int) -> Rung:
    if winner.is_hold:
        message = f"nothing needs more than {winner.load:.4g} and nothing may fall below it"
        return Rung(Stage.COMBINE, Code.HOLD, current, needs.ceil(winner.load), message)
    message = f"the largest need wins: {winner.rung.message.partition(':')[0]}"
    return Rung(Stage.COMBINE, Code.LARGEST_NEED, current, needs.ceil(winner.load), message)


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
        conditions=tuple(verdicts.of_disabled(message)),
    )


def _next_change(winner: Candidate, hold_ends: datetime | None) -> NextChange | None:
    if hold_ends is None or winner.rung.code is not Code.LOST_OR_STARTING:
        return None
    return NextChange(hold_ends, "lost or starting replicas stop holding the recommendation")
