"""The BudScaler strategy: replicas for the controller to ask for.

In the original's order, as the design corrects it: the largest need, tolerance, damping and rate;
then GPUs, schedules, stabilisation, policies, the gate of starting replicas, and the bounds at
last.
"""

from __future__ import annotations

from datetime import datetime

from budaiscaler.domain.algorithms import (
    answering,
    damping,
    gathering,
    needs,
    policies,
    scheduling,
    sleeping,
    tuning,
    verdicts,
)
from budaiscaler.domain.algorithms.answering import Wanted
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Decision, Observation, Rung, State


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Decide the replicas; see `budaiscaler.domain.decide.decide`."""
    current = observation.replicas.current
    if current == 0 and spec.min_replicas >= 1:
        return verdicts.disabled(spec, observation), State()

    given = tuning.given(observation.annotations)
    spec = tuning.applied(spec, given)
    changes = policies.remember(state.changes, state.asked, current, now)
    gathered = gathering.gather(spec, observation, state, now)
    winner = gathered.winner
    steps: tuple[Rung, ...] = ()
    if winner.is_hold:
        count = needs.ceil(winner.load)
    else:
        count, steps = damping.step(spec, winner.load, current, changes, now)
    count, by_gpus = answering.by_gpus(
        gathered, count, lambda load: damping.step(spec, load, current, changes, now)[0]
    )
    schedule = scheduling.of(spec, observation, state, now)
    floored, by_schedule = scheduling.raised(schedule, count)
    wanted = Wanted(
        count=floored,
        by_sources=count,
        fewest=sleeping.fewest(spec, given),
        rungs=(*steps, *by_gpus, *by_schedule),
        schedule=schedule,
    )
    return answering.answer(
        spec, observation, state, now, gathered=gathered, changes=changes, wanted=wanted
    )
