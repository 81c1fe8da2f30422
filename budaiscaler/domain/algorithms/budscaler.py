"""The BudScaler strategy: replicas for the controller to ask for.

In the original's order, as the design corrects it: the largest need, tolerance, damping and rate;
then stabilisation, policies, the gate of starting replicas, and the bounds at last.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import (
    damping,
    gathering,
    limits,
    needs,
    policies,
    stabilization,
    verdicts,
)
from budaiscaler.domain.algorithms.gathering import Gathered
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.api.budaiscaler import Mode, ScalerSpec
from budaiscaler.domain.api.sources import SourceType, TargetType
from budaiscaler.domain.decision import (
    Code,
    Decision,
    NextChange,
    Observation,
    Rung,
    Stage,
    State,
)

UP_WINDOW_S = 0
DOWN_WINDOW_S = 300

_OUTSIDE_PODS = frozenset({SourceType.PROMETHEUS, SourceType.EXTERNAL, SourceType.CUSTOM})
"""Sources that can tell of a load while there is no pod to ask."""


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Decide the replicas; see `budaiscaler.domain.decide.decide`."""
    current = observation.replicas.current
    if current == 0 and spec.min_replicas >= 1:
        return verdicts.disabled(spec, observation), State()

    changes = policies.remember(state.changes, state.asked, current, now)
    gathered = gathering.gather(spec, observation, state, now)
    winner = gathered.winner
    steps: tuple[Rung, ...] = ()
    if winner.is_hold:
        count = max(current, needs.ceil(winner.load))
    else:
        count, steps = damping.step(spec, winner.load, current, changes, now)
    count, by_gpus = _raised(spec, count, gathered, observation, changes, now)
    windows = {"up": _window(spec, up=True), "down": _window(spec, up=False)}
    # What stood when we came is a recommendation of whoever was before us: as Kubernetes' HPA does,
    # nothing scales down before a whole window was seen.
    past = state.recommendations or ((now, current),)
    stabilized, held = stabilization.stabilize(current, count, past, **windows, now=now)
    up, down = _rules(spec, up=True), _rules(spec, up=False)
    allowed, limited = policies.limit(current, stabilized, changes, up=up, down=down, now=now)
    opened, gate = _gate(up, observation, gathered, allowed, now)
    unpaused, pause_rung = limits.pause(observation.paused, opened, current)
    bounded, bounds_rung = limits.bounds(unpaused, _fewest(spec), spec.max_replicas)
    desired = int(bounded)

    rungs = [*gathered.rungs, *steps, *by_gpus]
    rungs += [rung for rung in (held, limited, gate, pause_rung, bounds_rung) if rung is not None]
    moved = [rung for rung in rungs if rung.before != rung.after and rung.stage != Stage.SOURCE]
    bound_by = moved[-1].stage if moved else Stage.COMBINE
    if winner.is_hold and bound_by is Stage.COMBINE:
        bound_by = Stage.SOURCE
    result = f"{current} -> {desired} replicas"
    rungs.append(Rung(Stage.FINAL, Code.RESULT, current, desired, result))
    decision = Decision(
        desired_replicas=desired,
        desired_load=float(desired),
        bound_by=bound_by,
        rungs=tuple(rungs),
        conditions=tuple(verdicts.of_decision(spec, observation, gathered, bounds_rung)),
        next_change=limits.pause_ends(observation.paused, pause_rung)
        or _next_change(gathered, held, limited, past, windows, changes, spec, now),
    )
    # A change counts from when it was asked for. If it was not made, the next look takes it back.
    asked = desired if spec.mode is Mode.AUTO else current
    after = replace(
        gathered.state,
        recommended_load=float(count),
        good_at=now if gathered.is_decided else state.good_at,
        recommendations=stabilization.remember(past, count, stabilization.LONGEST_WINDOW, now),
        changes=policies.remember(changes, current, asked, now),
        asked=asked,
    )
    return decision, after


def _raised(
    spec: ScalerSpec,
    count: int,
    gathered: Gathered,
    observation: Observation,
    changes: policies.Changes,
    now: datetime,
) -> tuple[int, tuple[Rung, ...]]:
    """Raise the count to what the GPUs need, with the tolerance and damping of metrics."""
    if not gathered.gpu_needs:
        return count, ()
    told = tuple(candidate.rung for candidate in gathered.gpu_needs)
    most = max(gathered.gpu_needs, key=lambda candidate: candidate.load)
    current = observation.replicas.current
    needed, _ = damping.step(spec, most.load, current, changes, now)
    if needed <= count:
        return count, told
    name = most.rung.message.partition(":")[0]
    message = f"{name} asks for {needed} replicas, more than the {count} of the metrics"
    return needed, (*told, Rung(Stage.GPU, Code.LARGEST_NEED, count, needed, message))


def can_sleep(spec: ScalerSpec) -> bool:
    """Whether something could wake the workload from 0: a total that lives outside its pods."""
    return any(
        source.source_type in _OUTSIDE_PODS
        and promql.target_type(source)[0] is TargetType.AVERAGE_VALUE
        for source in spec.metrics_sources
    )


def _fewest(spec: ScalerSpec) -> int:
    return spec.min_replicas if can_sleep(spec) else max(1, spec.min_replicas)


def _rules(spec: ScalerSpec, *, up: bool) -> ScalingRules | None:
    if spec.behavior is None:
        return None
    return spec.behavior.scale_up if up else spec.behavior.scale_down


def _window(spec: ScalerSpec, *, up: bool) -> timedelta:
    rules = _rules(spec, up=up)
    if rules is None or rules.stabilization_window_seconds is None:
        return timedelta(seconds=UP_WINDOW_S if up else DOWN_WINDOW_S)
    return timedelta(seconds=rules.stabilization_window_seconds)


def _gate(
    rules: ScalingRules | None,
    observation: Observation,
    gathered: Gathered,
    wanted: int,
    now: datetime,
) -> tuple[int, Rung | None]:
    """Ask for no more while many start, if the user says so; and not for ever."""
    current = observation.replicas.current
    starting = observation.replicas.lost_or_starting
    gates = rules.starting_pods if rules is not None else None
    if wanted <= current or gates is None or not starting:
        return wanted, None
    if gathered.shortfall_ends is None or now >= gathered.shortfall_ends:
        return wanted, None
    most, percent = gates.max_starting_pods or 0, gates.max_starting_pod_percent or 0
    is_closed = 0 < most <= starting or 0 < percent <= 100 * starting // max(1, current)
    if not is_closed:
        return wanted, None
    message = f"{wanted} are wanted, and {starting} of {current} are starting (startingPods)"
    return current, Rung(Stage.GATE, Code.STARTING_GATE, wanted, current, message)


def _next_change(
    gathered: Gathered,
    held: Rung | None,
    limited: Rung | None,
    past: stabilization.Recommendations,
    windows: dict[str, timedelta],
    changes: policies.Changes,
    spec: ScalerSpec,
    now: datetime,
) -> NextChange | None:
    """What ends by itself: the hold that won, the window, or the period of a policy."""
    if gathered.next_change is not None:
        return gathered.next_change
    if limited is not None:
        rules = _rules(spec, up=limited.before > limited.after)
        at = policies.frees_at(limited.after, limited.before, changes, rules, now)
        return NextChange(at, "a period of the policies ends") if at is not None else None
    if held is not None:
        is_down = held.before < held.after
        window = windows["down" if is_down else "up"]
        at = stabilization.ends(held.after, held.before, past, window, now)
        return NextChange(at, "the stabilisation window lets go") if at is not None else None
    return None
