"""Schedules: the fewest replicas that hints ask for at a time.

A hint holds from each time of its cron expression on for its duration; before that, too, if it is
prewarmed. Times are instants: a local time that a clock skips comes when the clock is put forward,
one that it shows twice comes twice, and a duration is time that passes. Of hints that hold at once
the largest counts, and one that comes again while it holds goes on.

What comes when depends on nothing but the hint and the tables of time zones, so it is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from croniter import croniter

from budaiscaler.domain.api import cron, durations, zones
from budaiscaler.domain.api.cron import Cron
from budaiscaler.domain.api.features import PREWARM_AUTO, ScheduleHint

DEFAULT_ZONE = "UTC"
MOST_REPEATS = 128
"""Times that hints come, each before the last one is over, after which no end is in sight."""

LONGEST_START = timedelta(hours=1)
"""What took longer was no start; so no time that is prewarmed for is further ahead."""

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOON = timedelta(seconds=1)

Begun = Mapping[str, datetime]
"""See `State.begun`."""


@dataclass(frozen=True, slots=True)
class Start:
    """When a hint that does not hold begins to.

    Attributes:
        at: with what it is prewarmed by.
        hint: its name.
        replicas: fewest from then on.
    """

    at: datetime
    hint: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """What hints ask for at a time.

    Attributes:
        floor: fewest replicas; 0 while no hint holds.
        hint: name of the hint that asks for most; None while none holds.
        until: when the floor falls; None without a floor, or without an end in sight.
        starts: next ones of the hints that do not hold, earliest first.
        begun: see `State.begun`.
    """

    floor: int = 0
    hint: str | None = None
    until: datetime | None = None
    starts: tuple[Start, ...] = ()
    begun: Begun = field(default_factory=dict)

    @property
    def changes_at(self) -> datetime | None:
        """When the floor is another one by itself."""
        rises = next((start.at for start in self.starts if start.replicas > self.floor), None)
        return min((at for at in (rises, self.until) if at is not None), default=None)


NOTHING = Schedule()


@dataclass(frozen=True, slots=True)
class _Plan:
    """A hint, read.

    Attributes:
        fields: of the expression, with numbers only.
        lead: what it is prewarmed by; None for a measured start.
    """

    name: str
    replicas: int
    fields: str
    zone: str
    duration: timedelta
    lead: timedelta | None


@dataclass(frozen=True, slots=True)
class _Seen:
    """A hint as of a time.

    Attributes:
        lead: what it is prewarmed by now.
        came: its last time, or the one ahead that it is prewarmed for.
        comes: the one after that.
    """

    plan: _Plan
    lead: timedelta
    came: datetime
    comes: datetime

    @property
    def over_at(self) -> datetime:
        """Its end, if it does not come again before."""
        return self.came + self.plan.duration

    @property
    def begins_at(self) -> datetime:
        """When it begins to hold the next time."""
        return self.comes - self.lead


def effective(
    hints: Sequence[ScheduleHint] | None,
    begun: Begun,
    startup_p95_s: float | None,
    now: datetime,
) -> Schedule:
    """Tell what hints ask for.

    Args:
        hints: of a spec that passed `validation.parse_spec`.
        begun: what the call before returned.
        startup_p95_s: measured start, which is what `auto` prewarms by; None until measured, and
            then it does not.
        now: a hint is over from its end on.
    """
    plans = [plan for plan in map(_read, hints or ()) if plan.duration and plan.replicas]
    if not plans:
        return NOTHING
    measured = timedelta(seconds=startup_p95_s or 0)
    seen = [_see(plan, measured, begun, now) for plan in plans]
    holds = [one for one in seen if now < one.over_at]
    starts = [
        Start(one.begins_at, one.plan.name, one.plan.replicas) for one in seen if one.over_at <= now
    ]
    most = min(holds, key=lambda one: (-one.plan.replicas, one.plan.name), default=None)
    return Schedule(
        floor=most.plan.replicas if most is not None else 0,
        hint=most.plan.name if most is not None else None,
        until=_falls_at(most, seen) if most is not None else None,
        starts=tuple(sorted(starts, key=lambda start: (start.at, -start.replicas, start.hint))),
        begun={
            one.plan.name: one.came for one in holds if one.plan.lead is None and one.came > now
        },
    )


def _see(plan: _Plan, measured: timedelta, begun: Begun, now: datetime) -> _Seen:
    if plan.lead is not None:
        return _Seen(plan, plan.lead, *_around(plan, now + plan.lead))
    # A start that is measured shorter by now, or not at all, takes back nothing that began.
    ahead = begun.get(plan.name, now)
    if ahead - now > LONGEST_START:
        ahead = now  # a clock was set back
    return _Seen(plan, measured, *_around(plan, max(now + measured, ahead)))


def _falls_at(most: _Seen, seen: Sequence[_Seen]) -> datetime | None:
    """When nothing holds that is as large as the largest."""
    rivals = [one for one in seen if one.plan.replicas >= most.plan.replicas]
    rivals.sort(key=lambda one: one.plan.name)  # the same in any order, also where it gives up
    return _followed(tuple(rivals), most.over_at)


@lru_cache(maxsize=4096)
def _followed(rivals: tuple[_Seen, ...], end: datetime) -> datetime | None:
    """Follow the hints from one's end to that of the next one that begins before."""
    end = max(end, *(one.over_at for one in rivals))
    now = list(rivals)
    for _ in range(MOST_REPEATS):
        first = min(now, key=lambda one: one.begins_at)
        if first.begins_at > end:
            return end
        now.remove(first)
        now.append(_later(first, end))
        end = max(end, now[-1].over_at)
    return None


def _later(one: _Seen, at: datetime) -> _Seen:
    """The same hint later; at a full hour, if that is a time further, since others look there."""
    came, comes = _looked_up(one.plan.fields, one.plan.zone, _whole(at + one.lead, _HOUR))
    if came <= one.came:
        came, comes = _around(one.plan, at + one.lead)
    return _Seen(one.plan, one.lead, came, comes)


def _around(plan: _Plan, at: datetime) -> tuple[datetime, datetime]:
    """Give the last time up to an instant, and the first after it.

    Between two times of most hints lie many hours, so those around the hour often do.
    """
    last, following = _looked_up(plan.fields, plan.zone, _whole(at, _HOUR))
    if following > at:
        return last, following
    return _looked_up(plan.fields, plan.zone, _whole(at, _MINUTE))


def _whole(at: datetime, unit: timedelta) -> datetime:
    return at - (at - _EPOCH) % unit


@lru_cache(maxsize=16384)
def _looked_up(fields: str, zone: str, minute: datetime) -> tuple[datetime, datetime]:
    """The same of a whole minute; croniter looks for what is strictly before or after."""
    inside, local = ((minute + by).astimezone(zones.find(zone)) for by in (_SOON, timedelta()))
    last: datetime = croniter(fields, inside, ret_type=datetime).get_prev()
    following: datetime = croniter(fields, local, ret_type=datetime).get_next()
    return last.astimezone(UTC), following.astimezone(UTC)


@lru_cache(maxsize=8192)
def _read(hint: ScheduleHint) -> _Plan:
    parsed = cron.parse(hint.cron_expression)
    prewarm = None if hint.prewarm == PREWARM_AUTO else durations.parse_s(hint.prewarm or "0s")
    return _Plan(
        name=hint.name,
        replicas=hint.target_replicas,
        fields=_fields(parsed),
        zone=hint.time_zone or parsed.time_zone or DEFAULT_ZONE,
        duration=timedelta(seconds=durations.parse_s(hint.duration)),
        lead=None if prewarm is None else timedelta(seconds=prewarm),
    )


def _fields(parsed: Cron) -> str:
    """Write what was read as numbers and stars, which no version of croniter reads otherwise."""
    days, weekdays = _numbers(parsed.days, 31), _numbers(parsed.weekdays, 7)
    if parsed.either_day and "*" in {days, weekdays}:
        days = weekdays = "*"  # every day is one of the two kinds; a star alone means both
    minutes, hours = _numbers(parsed.minutes, 60), _numbers(parsed.hours, 24)
    return f"{minutes} {hours} {days} {_numbers(parsed.months, 12)} {weekdays}"


def _numbers(values: frozenset[int], every: int) -> str:
    return "*" if len(values) == every else ",".join(map(str, sorted(values)))
