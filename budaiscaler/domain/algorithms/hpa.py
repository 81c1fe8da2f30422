"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, and a dead band that an exact step of ten percent can leave.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import (
    coverage,
    limits,
    needs,
    shortfalls,
    silences,
    verdicts,
)
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Rung,
    Stage,
    State,
)
from budaiscaler.domain.readings import NoData


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
        silent_since=silences.follow(spec, observation, state.silent_since, now),
        coverage=coverage.follow(spec, observation, state.coverage, limit, now),
    )
    asked = [_candidate(source, observation, state, limit, now) for source in spec.metrics_sources]
    has_data = any(candidate.has_data for candidate in asked)
    candidates = [candidate for candidate in asked if not candidate.is_left_out]
    if not candidates:
        candidates.append(_nothing_left(replicas.current))
    hold_ends = shortfalls.hold_ends(state.shortfall, limit)
    if hold_ends is not None and now < hold_ends:
        candidates.append(shortfalls.hold(spec, replicas, state.recommended_load))

    # A source without data stands in as a candidate at the current replicas, so the maximum alone
    # gives both halves of the rule: others may still scale up, and nothing scales down. Where a
    # need equals a hold, nothing is held.
    winner = max(candidates, key=lambda candidate: (candidate.load, not candidate.is_hold))
    fallbacks = tuple(one.rung.message for one in asked if one.rung.code is Code.FALLBACK)
    combined = _combine_rung(winner, replicas.current)
    load, tolerance_rung = limits.tolerance(
        spec, winner.load, replicas.current, exact=observation.exact
    )
    bounded, bounds_rung = limits.bounds(spec, load)
    bounded = quantity.ceil_to_milli(bounded)
    desired = math.ceil(bounded)

    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    left_out = [candidate for candidate in asked if candidate.is_left_out]
    ladder = [candidate.rung for candidate in (*left_out, *candidates)]
    ladder += [rung for rung in (combined, tolerance_rung, bounds_rung) if rung is not None]
    result = f"{replicas.current} -> {desired} replicas"
    ladder.append(Rung(Stage.FINAL, Code.RESULT, replicas.current, desired, result))
    decision = Decision(
        desired_replicas=desired,
        desired_load=bounded,
        bound_by=bound_by,
        rungs=tuple(ladder),
        conditions=tuple(
            verdicts.of_decision(
                spec,
                observation,
                has_data=has_data,
                fallbacks=fallbacks,
                partial=coverage.told(spec, observation, state.coverage),
                bounds_rung=bounds_rung,
            )
        ),
        next_change=_next_change(spec, winner, state, hold_ends, limit, now),
    )
    return decision, replace(
        state,
        recommended_load=load,
        good_at=now if has_data or fallbacks else state.good_at,
    )


def _candidate(
    source: MetricsSource,
    observation: Observation,
    state: State,
    limit: timedelta,
    now: datetime,
) -> Candidate:
    found = needs.observed(source, observation)
    current = observation.replicas.current
    if isinstance(found, NoData):
        return silences.candidate(source, found, current, state.silent_since[source.key], now)
    asked = needs.candidate(source, found, observation, state, now)
    known = state.coverage.get(source.key)
    ends = coverage.hold_ends(known, limit)
    if known is not None and ends is not None and now < ends:
        return coverage.hold(asked, known, current)
    return asked


def _nothing_left(current: int) -> Candidate:
    message = f"no source is left to decide by, so {current} stay"
    rung = Rung(Stage.SOURCE, Code.NO_DATA, current, current, message)
    return Candidate(float(current), rung, is_hold=True)


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


def _next_change(
    spec: ScalerSpec,
    winner: Candidate,
    state: State,
    hold_ends: datetime | None,
    limit: timedelta,
    now: datetime,
) -> NextChange | None:
    """The end of the hold that bound the answer, if one did and it ends by itself."""
    if winner.rung.code is Code.LOST_OR_STARTING and hold_ends is not None:
        return NextChange(hold_ends, "lost or starting replicas stop holding the recommendation")
    if not winner.is_hold:
        return None
    ends = []
    for source in spec.metrics_sources:
        since = state.silent_since.get(source.key)
        silent = silences.hold_ends(source, since) if since is not None else None
        partial = coverage.hold_ends(state.coverage.get(source.key), limit)
        ends += [
            NextChange(at, f"{source.key} stops holding the replicas")
            for at in (silent, partial)
            if at is not None and at > now
        ]
    return min(ends, key=lambda change: change.at, default=None)
