"""The first replicas of a workload, and the last: initial scale, to zero and back.

Knative keeps a request waiting until a replica is there to take it. Nobody does that for us, so
zero is only for who has a source outside of the pods, and is reached as Knative reaches it: idle
for a stable window, then inactive for a grace, then 0. One who wakes up is given time to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from budaiscaler.domain import times
from budaiscaler.domain.algorithms.knative import Step, What
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import Activity

GRACE_S = 30.0
WAKING_S = 630.0
"""Knative's deadline of a rollout, and half a minute more."""


@dataclass(frozen=True, slots=True)
class ZeroRules:
    """What is asked for.

    Attributes:
        can_be_zero: whether the bounds allow 0 and something would notice a need then.
        initial_scale: fewest replicas until so many have once been ready.
        stable_window_s: how long one that has become active stays.
        grace_s: for how long it is inactive before it goes.
        retention_s: the same, as a user asks for; the longer one counts.
        waking_s: how long one may take to become ready before it is given up.
    """

    can_be_zero: bool
    initial_scale: int = 1
    stable_window_s: float = 180.0
    grace_s: float = GRACE_S
    retention_s: float = 0.0
    waking_s: float = WAKING_S


@dataclass(frozen=True, slots=True)
class Floor:
    """What became of a wish.

    Attributes:
        desired: replicas.
        step: how it came to differ from the wish, if it does, or why it may be 0.
        changes_at: when it would fall without new data.
    """

    desired: int
    step: Step | None = None
    changes_at: datetime | None = None


def bound(
    rules: ZeroRules, activity: Activity, wanted: int, replicas: Replicas, now: datetime
) -> tuple[Floor, Activity]:
    """Keep to the initial scale, and let go of the last replica only when it is time.

    Args:
        rules: what is asked for.
        activity: what the call before returned.
        wanted: replicas, of all sources together; the bounds come after.
        replicas: as they stand now.
        now: time of the decision.
    """
    is_initialized = activity.is_initialized or replicas.ready >= rules.initial_scale
    if not is_initialized and wanted < rules.initial_scale:
        message = f"{rules.initial_scale} are the fewest until so many have been ready once"
        step = Step(What.INITIAL_SCALE, wanted, rules.initial_scale, message)
        return Floor(rules.initial_scale, step), _wanted(activity, replicas, now)
    awake = _wanted(activity, replicas, now)
    if wanted > 0:
        return Floor(wanted), _known(awake, is_initialized=is_initialized)
    floor, after = _idle(rules, activity, awake, replicas, now)
    return floor, _known(after, is_initialized=is_initialized)


def _wanted(activity: Activity, replicas: Replicas, now: datetime) -> Activity:
    """Follow one that is wanted: it wakes until a replica is ready, and is active then."""
    if replicas.ready > 0:
        return Activity(activity.is_initialized, active_since=_no_later(activity.active_since, now))
    return Activity(activity.is_initialized, waking_since=_no_later(activity.waking_since, now))


def _idle(
    rules: ZeroRules, activity: Activity, awake: Activity, replicas: Replicas, now: datetime
) -> tuple[Floor, Activity]:
    if not rules.can_be_zero:
        message = "nothing is needed, and 1 is the fewest: 0 is not allowed or nobody would notice"
        return Floor(1, Step(What.HELD_ABOVE_ZERO, 0, 1, message)), awake
    if replicas.current == 0:
        return Floor(0), Activity(activity.is_initialized)
    if activity.inactive_since is not None:
        return _inactive(rules, activity, _no_later(activity.inactive_since, now), now)
    if awake.waking_since is not None:
        return _waking(rules, awake.waking_since, replicas, now), awake
    settles = (awake.active_since or now) + timedelta(seconds=rules.stable_window_s)
    if now < settles:
        return _held(1, f"active for less than {rules.stable_window_s:g} s", settles), awake
    return _inactive(rules, activity, now, now)


def _waking(rules: ZeroRules, since: datetime, replicas: Replicas, now: datetime) -> Floor:
    gives_up = since + timedelta(seconds=rules.waking_s)
    if now < gives_up:
        return _held(replicas.current, "it is waking up", gives_up)
    message = f"not ready within {rules.waking_s:g} s, and no longer needed"
    return Floor(0, Step(What.TO_ZERO, 0, 0, message))


def _inactive(
    rules: ZeroRules, activity: Activity, since: datetime, now: datetime
) -> tuple[Floor, Activity]:
    after = Activity(activity.is_initialized, inactive_since=since)
    wait_s = max(rules.grace_s, rules.retention_s)
    goes = since + timedelta(seconds=wait_s)
    if now < goes:
        return _held(1, f"inactive for less than {wait_s:g} s", goes), after
    message = f"inactive since {times.rfc3339(since)}"
    return Floor(0, Step(What.TO_ZERO, 0, 0, message)), after


def _held(replicas: int, why: str, until: datetime) -> Floor:
    message = f"nothing is needed, but {why}: {replicas} until {times.rfc3339(until)}"
    return Floor(replicas, Step(What.HELD_ABOVE_ZERO, 0, replicas, message), until)


def _no_later(since: datetime | None, now: datetime) -> datetime:
    return now if since is None else min(since, now)


def _known(activity: Activity, *, is_initialized: bool) -> Activity:
    return Activity(
        is_initialized, activity.waking_since, activity.active_since, activity.inactive_since
    )
