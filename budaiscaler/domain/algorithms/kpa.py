"""The KPA strategy: Knative's decider for each source, and the largest verdict of all.

What protects every strategy stands around it: a source without data, a part of a total and lost
replicas hold, and stabilisation, policies, gate, pause and bounds come after. In panic, which one
source alone can begin, policies of growth do not apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import (
    answering,
    coverage,
    gathering,
    knative,
    kpa_settings,
    kpa_source,
    needs,
    policies,
    scheduling,
    shortfalls,
    sleeping,
    tuning,
    verdicts,
    zero,
)
from budaiscaler.domain.algorithms.answering import Wanted
from budaiscaler.domain.algorithms.gathering import Gathered
from budaiscaler.domain.algorithms.knative import Step, Verdict, What
from budaiscaler.domain.algorithms.kpa_source import NoVerdict, Sample
from budaiscaler.domain.algorithms.limits import SLACK
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api.annotations import Annotations
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
from budaiscaler.domain.memories import Activity, KpaState
from budaiscaler.domain.readings import Reading

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

    schedule = scheduling.of(spec, observation, state, now)
    by_sources = count
    count, by_schedule = scheduling.raised(schedule, count)
    rungs = (*rungs, *by_schedule)

    fewest = sleeping.fewest(spec, given)
    rules = kpa_settings.zero_rules(given, can_be_zero=fewest == 0)
    floor, activity = zero.bound(rules, state.activity, count, observation.replicas, now)
    next_change = _next(gathered.winner.changes_at, "the average may let the replicas fall")
    if floor.step is not None and (rules.can_be_zero or floor.step.what is What.INITIAL_SCALE):
        rungs = (*rungs, _rung(Stage.STABILIZATION, floor.step, count))
        count = floor.desired
        by_sources = max(by_sources, count)
        next_change = _next(floor.changes_at, "the last replicas may go")
    wanted = Wanted(
        count=count,
        by_sources=by_sources,
        fewest=fewest,
        rungs=rungs,
        schedule=schedule,
        in_panic=deciders.in_panic,
        next_change=next_change,
    )
    decision, after = answering.answer(
        spec, observation, state, now, gathered=gathered, changes=changes, wanted=wanted
    )
    return decision, replace(after, kpa=deciders.states, activity=activity)


@dataclass(slots=True)
class _Deciders:
    """A decider for each source of one decision.

    Attributes:
        states: by the name of the source; of those that were asked, the ones after.
        in_panic: whether one of those that were asked is.
    """

    spec: ScalerSpec
    given: Annotations
    states: dict[str, KpaState]
    in_panic: bool = False

    @classmethod
    def of(cls, spec: ScalerSpec, given: Annotations, state: State) -> _Deciders:
        """Go on with what is remembered of the sources that there are."""
        keys = {source.key for source in spec.metrics_sources}
        return cls(spec, given, {key: one for key, one in state.kpa.items() if key in keys})

    def ask(
        self,
        source: MetricsSource,
        found: Reading,
        observation: Observation,
        state: State,
        now: datetime,
    ) -> Candidate:
        """Take a reading in and decide by it; see `gathering.Ask`."""
        replicas = observation.replicas
        asked = needs.candidate(source, found, observation, state, now)
        config = kpa_settings.config(self.spec.behavior, self.given, target=source.target)
        before = self.states.get(source.key) or kpa_source.start(replicas, now)
        sample = Sample(asked.load * source.target, now - timedelta(seconds=found.age_s))
        if _may_lack(source, observation, state, now):
            sample = kpa_source.at_average(config, before, sample, now)
        verdict, self.states[source.key] = kpa_source.step(config, before, sample, replicas, now)
        if isinstance(verdict, NoVerdict):
            message = f"{source.key}: {verdict.message}, so it holds {replicas.current}"
            rung = Rung(Stage.SOURCE, Code.NO_DATA, replicas.current, replicas.current, message)
            return Candidate(float(replicas.current), rung, is_hold=True)
        self.in_panic = self.in_panic or verdict.panic_since is not None
        return _candidate(source, verdict)


def _may_lack(source: MetricsSource, observation: Observation, state: State, now: datetime) -> bool:
    """Whether a sample may be of a part of the load: some contribute not, or replicas are lost."""
    limit = shortfalls.bound(observation.startup_p95_s)
    ends = (
        coverage.hold_ends(state.coverage.get(source.key), limit),
        shortfalls.hold_ends(state.shortfall, limit),
    )
    return any(end is not None and now < end for end in ends)


def _candidate(source: MetricsSource, verdict: Verdict) -> Candidate:
    first, *others = verdict.steps
    rung = _rung(Stage.SOURCE, first, first.before)
    steps: list[Rung] = []
    for step in others:
        steps.append(_rung(Stage.COMBINE, step, (steps[-1] if steps else rung).after))
    # The two round the last millionth of a replica differently.
    is_whole = needs.ceil(verdict.load) != verdict.desired
    return Candidate(
        load=float(verdict.desired) if is_whole else verdict.load,
        rung=replace(rung, message=f"{source.key}: {rung.message}"),
        has_data=True,
        steps=tuple(steps),
        changes_at=verdict.changes_at,
    )


def _rung(stage: Stage, step: Step, before: int) -> Rung:
    return Rung(stage, _CODES[step.what], before, step.after, step.message)


def _count(
    spec: ScalerSpec,
    given: Annotations,
    observation: Observation,
    gathered: Gathered,
    *,
    in_panic: bool,
) -> tuple[int, tuple[Rung, ...]]:
    """Make replicas of the largest need, and raise them to what the GPUs need."""
    current, winner = observation.replicas.current, gathered.winner
    bands = kpa_settings.tolerances(spec.behavior, given)
    count, rungs = needs.ceil(winner.load), tuple[Rung, ...]()
    if not winner.is_hold and _is_within(bands, winner.load, current):
        message = f"a load of {winner.load:.4g} is within the tolerance of {current}"
        rungs = (Rung(Stage.TOLERANCE, Code.WITHIN_TOLERANCE, count, current, message),)
        count = current
    config = kpa_settings.config(spec.behavior, given, target=1.0)

    def step(load: float) -> int:
        if _is_within(bands, load, current):
            return current
        asked = needs.ceil(load)
        capped = knative.limited(config, asked, observation.replicas, in_panic=in_panic)
        return capped[-1].after if capped else asked

    count, by_gpus = answering.by_gpus(gathered, count, step)
    return count, (*rungs, *by_gpus)


def _is_within(bands: tuple[float, float], load: float, current: int) -> bool:
    """Whether a load is inside a dead band; there is none unless it is asked for."""
    band = bands[0] if load > current else bands[1]
    return band > 0 and current > 0 and load != current and abs(load / current - 1) <= band + SLACK


def _next(at: datetime | None, message: str) -> NextChange | None:
    return NextChange(at, message) if at is not None else None
