"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, a dead band that an exact step of ten percent can leave, and a pause for
who reads the load by an HPA of their own. Bounds come last: they are guarantees, and hold in a
pause, too. What the HPA can read itself it does (`native`); then the answer here is what both
halves come to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from budaiscaler.domain.algorithms import (
    gathering,
    gpu,
    limits,
    native,
    needs,
    scheduling,
    verdicts,
)
from budaiscaler.domain.algorithms.gathering import Gathered
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Rung,
    Stage,
    State,
)
from budaiscaler.domain.schedules import Schedule


@dataclass(frozen=True, slots=True)
class _Lane:
    """What one half asks for: the published load, or the metrics that the HPA reads itself.

    Attributes:
        load: in replicas, within the bounds.
        recommended: the same before schedules and bounds.
        is_good: whether it is made of data, or of what a user wants in place of them.
        bounds_rung: the bound that holds it, or the capacity.
        rungs: how it came about.
    """

    load: float
    recommended: float
    is_good: bool
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
    current = observation.replicas.current
    if current == 0 and spec.min_replicas >= 1:
        return verdicts.disabled(spec, observation), State()

    published, natives = native.split(spec, has_child=observation.has_child)
    of_load = spec.model_copy(update={"metrics_sources": published})
    gathered = gathering.gather(of_load, observation, state, now)
    schedule = scheduling.of(spec, observation, state, now)
    lanes = [_published(of_load, gathered, schedule, observation, now)] if published else []
    after = _remembered(state, gathered, lanes[0] if published else None, now)
    if natives:
        lane = _native(spec, natives, observation)
        lanes.append(lane)
        gathered = replace(gathered, has_data=gathered.has_data or lane.is_good)
    # As the HPA does: the largest wins.
    winner = max(lanes, key=lambda lane: lane.desired)
    ladder = [rung for lane in lanes for rung in lane.rungs]
    result = f"{current} -> {winner.desired} replicas"
    ladder.append(Rung(Stage.FINAL, Code.RESULT, current, winner.desired, result))
    decision = Decision(
        desired_replicas=winner.desired,
        desired_load=lanes[0].load,
        bound_by=winner.bound_by,
        rungs=tuple(ladder),
        conditions=tuple(
            verdicts.of_decision(spec, observation, gathered, winner.bounds_rung, now)
        ),
        next_change=winner.next_change,
        publishes=bool(published),
        schedule=schedule,
    )
    return decision, replace(after, begun=schedule.begun)


def _remembered(state: State, gathered: Gathered, lane: _Lane | None, now: datetime) -> State:
    """The state after; of a load that is not published, nothing was recommended."""
    if lane is None:
        return replace(gathered.state, recommended_load=None, good_at=None)
    good_at = now if lane.is_good else state.good_at
    return replace(gathered.state, recommended_load=lane.recommended, good_at=good_at)


def _published(
    spec: ScalerSpec,
    gathered: Gathered,
    schedule: Schedule,
    observation: Observation,
    now: datetime,
) -> _Lane:
    """Compute the load of these sources, and of schedules."""
    winner, current = gathered.winner, observation.replicas.current
    load, tolerance_rung = limits.tolerance(spec, winner.load, current, exact=observation.exact)
    load, gpu_rung = gpu.raised(spec, load, gathered.gpu_needs, observation)
    recommended, _ = limits.pause(observation.paused, load, current)
    by_schedule = scheduling.decides(schedule, load)
    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, gpu_rung):
        bound_by = rung.stage if rung is not None else bound_by
    load, schedule_rung = scheduling.raised_load(schedule, load, spec, observation)
    if schedule_rung is not None and (schedule_rung.moves or (winner.is_hold and by_schedule)):
        bound_by = Stage.SCHEDULE
    load, pause_rung = limits.pause(observation.paused, load, current)
    load, capacity_rung = limits.capacity(observation, load, now)
    bounded, bounds_rung = limits.bounds(load, _fewest(spec), spec.max_replicas)
    for rung in (pause_rung, capacity_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [*gathered.rungs]
    ladder += [tolerance_rung] if tolerance_rung is not None else []
    ladder += [candidate.rung for candidate in gathered.gpu_needs]
    others = (gpu_rung, schedule_rung, pause_rung, capacity_rung, bounds_rung)
    ladder += [rung for rung in others if rung is not None]
    desired = needs.ceil(bounded)
    return _Lane(
        load=quantity.ceil_to_milli(bounded),
        recommended=recommended,
        is_good=gathered.is_decided or by_schedule,
        bound_by=bound_by,
        bounds_rung=bounds_rung or capacity_rung,
        rungs=tuple(ladder),
        next_change=limits.pause_ends(observation.paused, pause_rung)
        or scheduling.earliest(
            gathered.next_change,
            scheduling.next_change(schedule, observation, desired, spec.max_replicas, bound_by),
        ),
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
    load, pause_rung = limits.pause(observation.paused, winner.load, observation.replicas.current)
    bounded, bounds_rung = limits.bounds(load, _fewest(spec), spec.max_replicas)
    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (pause_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [candidate.rung for candidate in candidates]
    return _Lane(
        load=bounded,
        recommended=winner.load,
        is_good=any(candidate.has_data for candidate in candidates),
        bound_by=bound_by,
        bounds_rung=bounds_rung,
        rungs=(*ladder, *(rung for rung in (pause_rung, bounds_rung) if rung is not None)),
        next_change=limits.pause_ends(observation.paused, pause_rung),
    )


def _fewest(spec: ScalerSpec) -> int:
    """The HPA that we own cannot go below 1 in a stock cluster; a user's own one may."""
    return spec.min_replicas if spec.hpa.manage is Manage.NEVER else max(1, spec.min_replicas)
