"""What strategies that act share: from the replicas that are wanted to those that are asked for.

Stabilisation, policies, the gate of starting replicas and a pause, and the bounds at last. What a
schedule asks for waits for neither the window of growth nor the gate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import (
    limits,
    policies,
    scheduling,
    sleeping,
    stabilization,
    verdicts,
)
from budaiscaler.domain.algorithms.gathering import Gathered
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.api.budaiscaler import Mode, ScalerSpec
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

UP_WINDOW_S = 0
DOWN_WINDOW_S = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted before anything limits it.

    Attributes:
        count: replicas.
        by_sources: the same without what schedules add to it.
        fewest: replicas of the bounds.
        rungs: how the count came about, after what the sources ask for.
        schedule: what schedules ask for, which is in the count.
        in_panic: whether limits of growth stand back.
        next_change: when the count would change by itself.
    """

    count: int
    by_sources: int
    fewest: int
    rungs: tuple[Rung, ...]
    schedule: Schedule
    in_panic: bool = False
    next_change: NextChange | None = None


@dataclass(frozen=True, slots=True)
class _Rules:
    """What limits both directions."""

    up: ScalingRules | None
    down: ScalingRules | None
    up_window: timedelta
    down_window: timedelta


def answer(
    spec: ScalerSpec,
    observation: Observation,
    state: State,
    now: datetime,
    *,
    gathered: Gathered,
    changes: policies.Changes,
    wanted: Wanted,
) -> tuple[Decision, State]:
    """Limit what is wanted to what may be asked for.

    Args:
        spec: with what annotations say in it.
        observation: the world as seen at `now`.
        state: what the previous decision returned.
        now: time of the decision.
        gathered: what the sources ask for.
        changes: of the replicas, by whomever, up to what stands.
        wanted: the count that the strategy makes of it.
    """
    current, winner, count = observation.replicas.current, gathered.winner, wanted.count
    rules = _rules(spec, in_panic=wanted.in_panic)
    # What stood when we came is a recommendation of whoever was before us: as Kubernetes' HPA does,
    # nothing scales down before a whole window was seen.
    past = state.recommendations or ((now, current),)
    stabilized, held = stabilization.stabilize(
        current, count, past, up=rules.up_window, down=rules.down_window, now=now
    )
    floor = wanted.schedule.floor
    stabilized, held = limits.not_below(floor, stabilized, held)
    stabilized, held = limits.only_placed(observation.replicas.placed, stabilized, held)
    allowed, limited = policies.limit(
        current, stabilized, changes, up=rules.up, down=rules.down, now=now
    )
    allowed, limited = limits.only_placed(observation.replicas.placed, allowed, limited)
    opened, gate = _gate(rules.up, observation, gathered, allowed, now, in_panic=wanted.in_panic)
    opened, gate = limits.not_below(min(floor, allowed), opened, gate)
    unpaused, pause_rung = limits.pause(observation.paused, opened, current)
    housed, capacity_rung = limits.capacity(observation, unpaused, now)
    bounded, bounds_rung = limits.bounds(housed, wanted.fewest, spec.max_replicas)
    desired = int(bounded)

    rungs = [*gathered.rungs, *wanted.rungs]
    limited_by = (held, limited, gate, pause_rung, capacity_rung, bounds_rung)
    rungs += [rung for rung in limited_by if rung is not None]
    by_schedule = scheduling.decides(wanted.schedule, wanted.by_sources)
    moved = [rung for rung in rungs if rung.moves and not rung.is_need]
    bound_by = moved[-1].stage if moved else Stage.COMBINE
    if winner.is_hold and bound_by is Stage.COMBINE:
        bound_by = Stage.SCHEDULE if by_schedule else Stage.SOURCE
    result = f"{current} -> {desired} replicas"
    rungs.append(Rung(Stage.FINAL, Code.RESULT, current, desired, result))
    decision = Decision(
        desired_replicas=desired,
        desired_load=float(desired),
        bound_by=bound_by,
        rungs=tuple(rungs),
        conditions=(
            *verdicts.of_decision(spec, observation, gathered, bounds_rung or capacity_rung, now),
            *sleeping.told(spec),
        ),
        next_change=limits.pause_ends(observation.paused, pause_rung)
        or scheduling.earliest(
            gathered.next_change
            or _limits_end(held, limited, past, changes, rules, now)
            or wanted.next_change,
            scheduling.next_change(
                wanted.schedule, observation, desired, spec.max_replicas, bound_by
            ),
        ),
        schedule=wanted.schedule,
    )
    # A change counts from when it was asked for. If it was not made, the next look takes it back.
    asked = desired if spec.mode is Mode.AUTO else current
    after = replace(
        gathered.state,
        recommended_load=float(wanted.by_sources),
        good_at=now if gathered.is_decided or by_schedule else state.good_at,
        begun=wanted.schedule.begun,
        recommendations=stabilization.remember(past, count, stabilization.LONGEST_WINDOW, now),
        changes=policies.remember(changes, current, asked, now),
        asked=asked,
        kpa={},  # what was seen before a time with another strategy is no steady view
    )
    return decision, after


def by_gpus(
    gathered: Gathered, count: int, step: Callable[[float], int]
) -> tuple[int, tuple[Rung, ...]]:
    """Raise a count to what the GPUs need.

    Args:
        gathered: has what they ask for.
        count: what the metrics need.
        step: makes replicas of a load, as the strategy does for metrics.
    """
    if not gathered.gpu_needs:
        return count, ()
    told = tuple(candidate.rung for candidate in gathered.gpu_needs)
    most = max(gathered.gpu_needs, key=lambda candidate: candidate.load)
    needed = step(most.load)
    if needed <= count:
        return count, told
    name = most.rung.message.partition(":")[0]
    message = f"{name} asks for {needed} replicas, more than the {count} of the metrics"
    return needed, (*told, Rung(Stage.GPU, Code.LARGEST_NEED, count, needed, message))


def _rules(spec: ScalerSpec, *, in_panic: bool) -> _Rules:
    up = spec.behavior.scale_up if spec.behavior is not None else None
    down = spec.behavior.scale_down if spec.behavior is not None else None
    windows = _window(up, UP_WINDOW_S), _window(down, DOWN_WINDOW_S)
    if in_panic and up is not None:
        # That nothing may grow at all is no limit of a rate: it holds in panic, too.
        up = up.model_copy(update={"policies": None})
    return _Rules(up, down, *windows)


def _window(rules: ScalingRules | None, default_s: int) -> timedelta:
    if rules is None or rules.stabilization_window_seconds is None:
        return timedelta(seconds=default_s)
    return timedelta(seconds=rules.stabilization_window_seconds)


def _gate(
    rules: ScalingRules | None,
    observation: Observation,
    gathered: Gathered,
    wanted: int,
    now: datetime,
    *,
    in_panic: bool,
) -> tuple[int, Rung | None]:
    """Ask for no more while many start, if the user says so; and not for ever."""
    current = observation.replicas.current
    starting = observation.replicas.lost_or_starting
    gates = rules.starting_pods if rules is not None else None
    if wanted <= current or gates is None or not starting:
        return wanted, None
    if gathered.shortfall_ends is None or now >= gathered.shortfall_ends:
        return wanted, None
    if in_panic and gates.bypass_gate_on_panic:
        return wanted, None
    most, percent = gates.max_starting_pods or 0, gates.max_starting_pod_percent or 0
    is_closed = 0 < most <= starting or 0 < percent <= 100 * starting // max(1, current)
    if not is_closed:
        return wanted, None
    message = f"{wanted} are wanted, and {starting} of {current} are starting (startingPods)"
    return current, Rung(Stage.GATE, Code.STARTING_GATE, wanted, current, message)


def _limits_end(
    held: Rung | None,
    limited: Rung | None,
    past: stabilization.Recommendations,
    changes: policies.Changes,
    rules: _Rules,
    now: datetime,
) -> NextChange | None:
    """What ends by itself: the period of a policy, or the window."""
    if limited is not None:
        grows = limited.before > limited.after
        of = rules.up if grows else rules.down
        at = policies.frees_at(limited.after, limited.before, changes, of, now)
        return NextChange(at, "a period of the policies ends") if at is not None else None
    if held is not None:
        window = rules.down_window if held.before < held.after else rules.up_window
        at = stabilization.ends(held.after, held.before, past, window, now)
        return NextChange(at, "the stabilisation window lets go") if at is not None else None
    return None
