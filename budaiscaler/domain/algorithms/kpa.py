"""The KPA strategy: Knative's decider for each source, and the largest verdict of all.

What protects every strategy stands around it: a source without data, a part of a total and lost
replicas hold, and stabilisation, policies, gate, pause and bounds come after. In panic, which one
source alone can begin, policies of growth do not apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from budaiscaler.domain.algorithms import (
    answering,
    gathering,
    kpa_settings,
    policies,
    sleeping,
    tuning,
    verdicts,
    zero,
)
from budaiscaler.domain.algorithms.answering import Wanted
from budaiscaler.domain.algorithms.knative import What
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Stage,
    State,
)
from budaiscaler.domain.memories import Activity

_CODES: Mapping[What, Code] = {
    What.STABLE_AVERAGE: Code.STABLE_AVERAGE,
    What.PANIC_AVERAGE: Code.PANIC_AVERAGE,
    What.CAPPED_UP: Code.RATE_CAPPED,
    What.CAPPED_DOWN: Code.RATE_CAPPED,
    What.ACTIVATION_SCALE: Code.ACTIVATION_SCALE,
    What.NOT_LOWER_IN_PANIC: Code.NOT_LOWER_IN_PANIC,
    What.SCALE_DOWN_DELAY: Code.SCALE_DOWN_DELAY,
    What.INITIAL_SCALE: Code.INITIAL_SCALE,
    What.HELD_ABOVE_ZERO: Code.HELD_ABOVE_ZERO,
    What.TO_ZERO: Code.TO_ZERO,
}


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Decide the replicas; see `budaiscaler.domain.decide.decide`."""
    current = observation.replicas.current
    if current == 0 and spec.min_replicas >= 1:
        activity = Activity(is_initialized=state.activity.is_initialized)
        return verdicts.disabled(spec, observation), State(activity=activity)

    given = tuning.given(observation.annotations)
    spec = tuning.applied(spec, given)
    changes = policies.remember(state.changes, state.asked, current, now)
    deciders = _Deciders.of(spec, given, state)
    gathered = gathering.gather(spec, observation, state, now, deciders.ask)
    count, rungs = _count(spec, given, observation, gathered, in_panic=deciders.in_panic)

    fewest = sleeping.fewest(spec, given)
    rules = kpa_settings.zero_rules(given, can_be_zero=fewest == 0)
    floor, activity = zero.bound(rules, state.activity, count, observation.replicas, now)
    changes_at = deciders.change_at.get(gathered.winner.rung.message)
    if floor.step is not None and (rules.can_be_zero or floor.step.what is What.INITIAL_SCALE):
        rungs = (*rungs, _rung(Stage.STABILIZATION, floor.step, count))
        count, changes_at = floor.desired, floor.changes_at
    ends = NextChange(changes_at, rungs_end(gathered, rungs)) if changes_at is not None else None
    wanted = Wanted(count, fewest, rungs, deciders.in_panic, ends)
    decision, after = answering.answer(
        spec, observation, state, now, gathered=gathered, changes=changes, wanted=wanted
    )
    return decision, replace(after, kpa=deciders.states, activity=activity)
