"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, and a dead band that an exact step of ten percent can leave. What it can
read itself it does (`native`); then the answer here is what both halves come to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import limits, native, needs, shortfalls, verdicts
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


@dataclass(frozen=True, slots=True)
class _Lane:
    """What one half asks for: the published load, or the metrics that the HPA reads itself.

    Attributes:
        load: in replicas, within the bounds.
        recommended: the same before bounds.
        has_data: a source of it answered.
        bounds_rung: the bound that holds it.
        rungs: how it came about.
    """

    load: float
    recommended: float
    has_data: bool
    bound_by: Stage
    bounds_rung: Rung | None
    rungs: tuple[Rung, ...]
    next_change: NextChange | None = None

    @property
    def desired(self) -> int:
        """Whole replicas."""
        return math.ceil(self.load)


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
    published, natives = native.split(spec, has_child=observation.has_child)
    lanes: list[_Lane] = []
    if published:
        of_load = spec.model_copy(update={"metrics_sources": published})
        lanes.append(_published(of_load, observation, state, now, limit))
        has_data = lanes[0].has_data
        state = replace(
            state,
            recommended_load=lanes[0].recommended,
            good_at=now if has_data else state.good_at,
        )
    else:
        state = replace(state, recommended_load=None, good_at=None)
    if natives:
        lanes.append(_native(spec, natives, observation))
    # As the HPA does: the largest wins.
    winner = max(lanes, key=lambda lane: lane.desired)
    ladder = [rung for lane in lanes for rung in lane.rungs]
    result = f"{replicas.current} -> {winner.desired} replicas"
    ladder.append(Rung(Stage.FINAL, Code.RESULT, replicas.current, winner.desired, result))
    has_data = any(lane.has_data for lane in lanes)
    decision = Decision(
        desired_replicas=winner.desired,
        desired_load=lanes[0].load,
        bound_by=winner.bound_by,
        rungs=tuple(ladder),
        conditions=tuple(
            verdicts.of_decision(
                spec, observation, has_data=has_data, bounds_rung=winner.bounds_rung
            )
        ),
        next_change=winner.next_change,
        publishes=bool(published),
    )
    return decision, state


def _published(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime, limit: timedelta
) -> _Lane:
    """Compute the load of these sources."""
    replicas = observation.replicas
    candidates = [
        needs.candidate(source, observation, state, now) for source in spec.metrics_sources
    ]
    has_data = any(candidate.has_data for candidate in candidates)
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
    bounded, bounds_rung = limits.bounds(spec, load)
    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [candidate.rung for candidate in candidates]
    ladder += [rung for rung in (combined, tolerance_rung, bounds_rung) if rung is not None]
    return _Lane(
        load=quantity.ceil_to_milli(bounded),
        recommended=load,
        has_data=has_data,
        bound_by=bound_by,
        bounds_rung=bounds_rung,
        rungs=tuple(ladder),
        next_change=_next_change(winner, hold_ends),
    )


def _native(
    spec: ScalerSpec, natives: Mapping[str, native.Target], observation: Observation
) -> _Lane:
    """Tell what the HPA makes of the metrics that it reads itself."""
    candidates = [
        native.candidate(source, spec, observation)
        for source in spec.metrics_sources
        if source.key in natives
    ]
    winner = max(candidates, key=lambda candidate: (candidate.load, not candidate.is_hold))
    bounded, bounds_rung = limits.bounds(spec, winner.load)
    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    ladder = [candidate.rung for candidate in candidates]
    return _Lane(
        load=bounded,
        recommended=winner.load,
        has_data=any(candidate.has_data for candidate in candidates),
        bound_by=bound_by if bounds_rung is None else bounds_rung.stage,
        bounds_rung=bounds_rung,
        rungs=(*ladder, *([bounds_rung] if bounds_rung is not None else ())),
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
