"""The HPA strategy: the load, in replicas, for a native HPA to act on.

The native HPA stabilises, limits rates and acts. What it cannot do is done here: totals and levels,
missing data, lost pods, a dead band that an exact step of ten percent can leave, and a pause for
who reads the load by an HPA of their own. Bounds come last: they are guarantees, and hold in a
pause, too.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

from budaiscaler.domain.algorithms import gathering, gpu, limits, verdicts
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec
from budaiscaler.domain.decision import Code, Decision, Observation, Rung, Stage, State


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Compute the load to publish; see `budaiscaler.domain.decide.decide`."""
    current = observation.replicas.current
    if current == 0 and spec.min_replicas >= 1:
        return verdicts.disabled(spec, observation), State()

    gathered = gathering.gather(spec, observation, state, now)
    winner = gathered.winner
    load, tolerance_rung = limits.tolerance(spec, winner.load, current, exact=observation.exact)
    load, gpu_rung = gpu.raised(spec, load, gathered.gpu_needs, observation)
    load, pause_rung = limits.pause(observation.paused, load, current)
    # The HPA that we own cannot go below 1 in a stock cluster; a user's own one may.
    low = spec.min_replicas if spec.hpa.manage is Manage.NEVER else max(1, spec.min_replicas)
    bounded, bounds_rung = limits.bounds(load, low, spec.max_replicas)
    bounded = quantity.ceil_to_milli(bounded)
    desired = math.ceil(bounded)

    bound_by = Stage.SOURCE if winner.is_hold else Stage.COMBINE
    for rung in (tolerance_rung, gpu_rung, pause_rung, bounds_rung):
        bound_by = rung.stage if rung is not None else bound_by
    ladder = [*gathered.rungs]
    ladder += [tolerance_rung] if tolerance_rung is not None else []
    ladder += [candidate.rung for candidate in gathered.gpu_needs]
    ladder += [rung for rung in (gpu_rung, pause_rung, bounds_rung) if rung is not None]
    result = f"{current} -> {desired} replicas"
    ladder.append(Rung(Stage.FINAL, Code.RESULT, current, desired, result))
    decision = Decision(
        desired_replicas=desired,
        desired_load=bounded,
        bound_by=bound_by,
        rungs=tuple(ladder),
        conditions=tuple(verdicts.of_decision(spec, observation, gathered, bounds_rung)),
        next_change=limits.pause_ends(observation.paused, pause_rung) or gathered.next_change,
    )
    good_at = now if gathered.is_decided else state.good_at
    return decision, replace(gathered.state, recommended_load=load, good_at=good_at)
