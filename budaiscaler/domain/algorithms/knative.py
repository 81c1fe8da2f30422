"""Knative's decider: from a stable and a panic average to replicas.

Exactly Knative's, by its own test cases, but for one thing: models take minutes to load, so
replicas that start are supply. One surge does not panic again at each look while they load, and a
limit of growth never asks for fewer than there are. Where none starts, nothing differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from budaiscaler.domain import times, windows
from budaiscaler.domain.algorithms.needs import MAX_NEED
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import TICK_S, Memory
from budaiscaler.domain.windows import Window

SLACK = 1e-9
"""Of a replica: 1.1 x 10 computed as 11.000000000000002 is 11."""

_NO_MEMORY = Memory()

MOST_DELAYED = 300
"""Buckets at most; a delay of more than ten minutes has coarser ones."""


class What(StrEnum):
    """What a step of a verdict does. Stable codes."""

    STABLE_AVERAGE = "StableAverage"
    PANIC_AVERAGE = "PanicAverage"
    CAPPED_UP = "ScaleUpRate"
    CAPPED_DOWN = "ScaleDownRate"
    ACTIVATION_SCALE = "ActivationScale"
    NOT_LOWER_IN_PANIC = "NotLowerInPanic"
    SCALE_DOWN_DELAY = "ScaleDownDelay"
    INITIAL_SCALE = "InitialScale"
    HELD_ABOVE_ZERO = "HeldAboveZero"
    TO_ZERO = "ToZero"


@dataclass(frozen=True, slots=True)
class Step:
    """One step from the averages to the verdict; `before` and `after` are replicas."""

    what: What
    before: int
    after: int
    message: str


@dataclass(frozen=True, slots=True)
class Config:
    """What is asked for. The defaults are Knative's.

    Attributes:
        target: load of one replica, in the unit of the averages.
        stable_window_s: what the stable average is over, and how long panic lasts.
        panic_window_s: what the panic average is over.
        panic_threshold: need of the panic average, as a multiple of the supply, that is panic.
        max_scale_up_rate: most that the ready replicas are multiplied by at once.
        max_scale_up_rate_in_panic: the same in panic, and when waking from 0; None for no
            difference.
        scale_down_to: share of the ready replicas that stays at least; Knative writes it as its
            inverse, 2 for the half.
        activation_scale: fewest replicas while there is any need.
        scale_down_delay_s: for how long the largest verdict stands.
        is_reachable: whether anybody may still send requests; if not, nothing slows the way down.
    """

    target: float
    stable_window_s: float = 60.0
    panic_window_s: float = 6.0
    panic_threshold: float = 2.0
    max_scale_up_rate: float = 1000.0
    max_scale_up_rate_in_panic: float | None = None
    scale_down_to: float = 0.5
    activation_scale: int = 1
    scale_down_delay_s: float = 0.0
    is_reachable: bool = True


@dataclass(frozen=True, slots=True)
class Averages:
    """Load over all replicas, of the two windows."""

    stable: float
    panic: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Replicas, and how they came about.

    Attributes:
        desired: replicas.
        load: the same before rounding up; equal to `desired` where something else bound it.
        averages: what it was made of.
        panic_since: when panic began; None outside of it.
        steps: from the averages to `desired`; those that changed nothing are left out.
        changes_at: when it may fall without new data; None if it would not.
    """

    desired: int
    load: float
    averages: Averages
    panic_since: datetime | None
    steps: tuple[Step, ...]
    changes_at: datetime | None = None


def start(replicas: Replicas, now: datetime) -> Memory:
    """Begin without history: in panic where more than one replica runs.

    A first average over too little would scale down; panic keeps what there is until a stable
    window has been seen.
    """
    ready = _ready(replicas)
    if ready <= 1:
        return Memory()
    return Memory(panic_since=now, over_at=now, peak=ready)


def resume(memory: Memory, replicas: Replicas, now: datetime) -> Memory:
    """Go on after a time of which nothing is known: as a new one, and not below what was held.

    What was decided in that time is not known either, so a delay of scale-down begins anew.
    """
    begun = start(replicas, now)
    verdicts = windows.keep_peak(memory.verdicts, replicas.current, now)
    if begun.panic_since is None and memory.panic_since is None:
        return replace(memory, verdicts=verdicts)
    return Memory(
        panic_since=memory.panic_since or now,
        over_at=now,
        peak=max(memory.peak, begun.peak),
        verdicts=verdicts,
    )


def decide(
    config: Config, memory: Memory, averages: Averages, replicas: Replicas, now: datetime
) -> tuple[Verdict, Memory]:
    """Decide on one pair of averages; without them ask nothing and keep the memory as it is."""
    stable, panic = averages.stable / config.target, averages.panic / config.target
    is_over = ceil(panic) >= config.panic_threshold * max(1, _standing(replicas)) - SLACK
    since, over_at = _panic(config, memory, now, is_over=is_over)
    steps = [_stable_step(config, averages.stable, stable, replicas)]
    load = stable
    if since is not None:
        load = max(stable, panic)
        steps.append(_panic_step(config, averages.panic, panic, replicas, load, is_over=is_over))

    asked = ceil(load)
    steps += limited(config, asked, replicas, in_panic=since is not None)
    desired = steps[-1].after
    if asked > 0 and desired < config.activation_scale:
        message = f"{config.activation_scale} are the fewest while there is any need"
        steps.append(Step(What.ACTIVATION_SCALE, desired, config.activation_scale, message))
        desired = config.activation_scale
    peak, changes_at = 0, None
    if since is not None and over_at is not None:
        peak = max(desired, memory.peak)
        if peak > desired:
            steps.append(_peak_step(config, desired, peak, since, over_at))
            # Until its end each decision in panic is one of the delay as well.
            lasts_s = config.stable_window_s + _delay_s(config)
            changes_at = over_at + timedelta(seconds=lasts_s)
        desired = peak
    delayed, verdicts = _delayed(config, memory.verdicts, desired, now)
    if delayed > desired:
        changes_at = windows.oldest_leaves_at(verdicts)
        steps.append(_delay_step(config, desired, delayed, changes_at))
        desired = delayed
    verdict = Verdict(
        desired=desired,
        load=min(load, MAX_NEED) if ceil(load) == desired else float(desired),
        averages=averages,
        panic_since=since,
        steps=tuple(steps),
        changes_at=changes_at,
    )
    return verdict, Memory(since, over_at, peak, verdicts)


def excess_burst_capacity(
    ready: int, replica_capacity: float, target_burst: float, panic_average: float
) -> float:
    """Tell what the ready replicas have left beyond a wanted reserve; below 0 it is too little.

    Args:
        ready: replicas that are ready, as counted.
        replica_capacity: load that one replica can take; Knative's target before utilisation.
        target_burst: the reserve; 0 never lacks any, and -1 always does.
        panic_average: load over all replicas.
    """
    if target_burst <= 0:
        return target_burst
    return math.floor(ready * replica_capacity - target_burst - panic_average)


def ceil(load: float) -> int:
    """Whole replicas for a load; the least of any need is one."""
    if load <= 0:
        return 0
    return max(1, math.ceil(min(load, MAX_NEED) - SLACK))


def _ready(replicas: Replicas) -> int:
    """Ready replicas, without those that a rollout has beyond what was asked for."""
    return min(replicas.ready, replicas.current)


def _standing(replicas: Replicas) -> int:
    return _ready(replicas) + replicas.lost_or_starting


def _panic(
    config: Config, memory: Memory, now: datetime, *, is_over: bool
) -> tuple[datetime | None, datetime | None]:
    """Begin, extend or leave panic: since when it is, and when it was over the threshold last."""
    if is_over:
        return memory.panic_since or now, now
    if memory.panic_since is None or memory.over_at is None:
        return None, None
    # A clock that was set back must not make panic last until it has caught up.
    over_at = min(memory.over_at, now)
    if over_at + timedelta(seconds=config.stable_window_s) < now:
        return None, None
    return min(memory.panic_since, now), over_at


def limited(config: Config, asked: int, replicas: Replicas, *, in_panic: bool) -> list[Step]:
    """Keep to the rates; nothing is said where they allow what is asked for."""
    ready, standing = _ready(replicas), _standing(replicas)
    base = max(1, ready)
    rate = config.max_scale_up_rate
    # From 0 nothing is known of how the load divides, and waiting for it helps nobody.
    if config.max_scale_up_rate_in_panic is not None and (in_panic or replicas.current == 0):
        rate = max(rate, config.max_scale_up_rate_in_panic)
    most = max(standing, math.ceil(min(rate * base, MAX_NEED) - SLACK))
    least = math.floor(config.scale_down_to * base + SLACK) if config.is_reachable else 0
    if asked > most:
        if most == standing:
            why = "as many as are ready or start, and the rate allows no more yet"
        else:
            why = f"one decision multiplies {base} ready by {rate:.4g} at most"
        message = f"capped at {most}: {why}"
        return [Step(What.CAPPED_UP, asked, most, message)]
    if asked < least:
        message = (
            f"not below {least}: one decision keeps {config.scale_down_to:.4g} of {base} ready"
        )
        return [Step(What.CAPPED_DOWN, asked, least, message)]
    return []


def _delay_s(config: Config) -> float:
    return config.scale_down_delay_s if config.is_reachable else 0.0


def _delayed(config: Config, verdicts: Window, desired: int, now: datetime) -> tuple[int, Window]:
    """Answer the largest verdict of the delay, this one included."""
    if config.scale_down_delay_s <= 0:
        return desired, _NO_MEMORY.verdicts
    if _delay_s(config) <= 0:
        return desired, verdicts
    bucket_s = max(TICK_S, math.ceil(config.scale_down_delay_s / MOST_DELAYED))
    sized = windows.resized(verdicts, config.scale_down_delay_s, bucket_s)
    sized = windows.keep_peak(sized, desired, now)
    return int(windows.largest(sized) or 0), sized


def _stable_step(config: Config, average: float, need: float, replicas: Replicas) -> Step:
    message = (
        f"average of {config.stable_window_s:g} s: {average:.4g} / {config.target:.4g} a replica = "
        f"{need:.4g} replicas"
    )
    return Step(What.STABLE_AVERAGE, replicas.current, ceil(need), message)


def _panic_step(
    config: Config,
    average: float,
    need: float,
    replicas: Replicas,
    load: float,
    *,
    is_over: bool,
) -> Step:
    message = (
        f"in panic: average of {config.panic_window_s:g} s: {average:.4g} / {config.target:.4g} a "
        f"replica = {need:.4g} replicas"
    )
    if is_over:
        supply = f"{_standing(replicas)} that are ready or start"
        message += f", rounded up at least {config.panic_threshold:.4g} x the {supply}"
    return Step(What.PANIC_AVERAGE, replicas.current, ceil(load), message)


def _peak_step(config: Config, desired: int, peak: int, since: datetime, over_at: datetime) -> Step:
    ends = times.rfc3339(over_at + timedelta(seconds=config.stable_window_s))
    message = (
        f"in panic since {times.rfc3339(since)}, so not lower than {peak}; it ends after {ends} "
        "unless the need is over the threshold again"
    )
    return Step(What.NOT_LOWER_IN_PANIC, desired, peak, message)


def _delay_step(config: Config, desired: int, delayed: int, leaves_at: datetime | None) -> Step:
    until = f", until {times.rfc3339(leaves_at)}" if leaves_at is not None else ""
    message = (
        f"delayed by {config.scale_down_delay_s:g} s: {delayed} is the most that was decided in "
        f"them{until}"
    )
    return Step(What.SCALE_DOWN_DELAY, desired, delayed, message)
