"""Schedules: the fewest replicas that hints ask for at a time.

A hint holds from each time of its cron expression on for its duration; before that, too, if it is
prewarmed. Times are instants: a local time that a clock skips comes when the clock is put forward,
one that it shows twice comes twice, and a duration is time that passes. Of hints that hold at once
the largest counts, and one that comes again while it holds goes on.

What comes when depends on nothing but the hint and the tables of time zones, so it is remembered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from croniter import croniter

from budaiscaler.domain.api import cron, durations, zones
from budaiscaler.domain.api.cron import Cron
from budaiscaler.domain.api.features import PREWARM_AUTO, ScheduleHint

DEFAULT_ZONE = "UTC"
MOST_REPEATS = 64
"""Times of a hint, each before the last one is over, after which it has no end in sight."""

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
class _Hold:
    """A hint that holds.

    Attributes:
        came: its time, which is still ahead while it is prewarmed.
        until: its end; None without one in sight.
    """

    plan: _Plan
    came: datetime
    until: datetime | None


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
    measured = timedelta(seconds=startup_p95_s or 0)
    plans = [
        (plan, measured if plan.lead is None else plan.lead)
        for plan in map(_read, hints or ())
        if plan.duration and plan.replicas
    ]
    if not plans:
        return NOTHING
    holds = list(_holds(plans, begun, now))
    starts = [_start(plan, lead, now) for plan, lead in plans if not _is_in(plan, holds)]
    most = min(holds, key=lambda hold: (-hold.plan.replicas, hold.plan.name), default=None)
    return Schedule(
        floor=most.plan.replicas if most is not None else 0,
        hint=most.plan.name if most is not None else None,
        until=_falls_at(plans, holds, begun, now),
        starts=tuple(sorted(starts, key=lambda start: (start.at, -start.replicas, start.hint))),
        begun={
            hold.plan.name: hold.came
            for hold in holds
            if hold.plan.lead is None and hold.came > now
        },
    )


def _holds(
    plans: Sequence[tuple[_Plan, timedelta]], begun: Begun, now: datetime
) -> Iterator[_Hold]:
    for plan, lead in plans:
        ahead = now + lead
        # A start that is measured shorter by now, or not at all, takes back nothing that began.
        if plan.lead is None:
            ahead = max(ahead, begun.get(plan.name, ahead))
        came, _ = _around(plan, ahead)
        if now < came + plan.duration:
            yield _Hold(plan, came, _over_at(plan, lead, came))


def _is_in(plan: _Plan, holds: Sequence[_Hold]) -> bool:
    return any(hold.plan is plan for hold in holds)


def _start(plan: _Plan, lead: timedelta, now: datetime) -> Start:
    _, comes = _around(plan, now + lead)
    return Start(comes - lead, plan.name, plan.replicas)


def _falls_at(
    plans: Sequence[tuple[_Plan, timedelta]], holds: Sequence[_Hold], begun: Begun, now: datetime
) -> datetime | None:
    """Follow the hints that are as large from one's end to the next one's."""
    floor = max((hold.plan.replicas for hold in holds), default=0)
    rivals = [(plan, lead) for plan, lead in plans if plan.replicas >= floor]
    at, found = now, [hold for hold in holds if hold.plan.replicas >= floor]
    for _ in range(MOST_REPEATS):
        if not found:
            break
        ends = [hold.until for hold in found if hold.until is not None]
        if len(ends) < len(found):
            return None
        at = max(ends)
        found = list(_holds(rivals, begun, at))
    return at if at > now and not found else None


@lru_cache(maxsize=8192)
def _over_at(plan: _Plan, lead: timedelta, came: datetime) -> datetime | None:
    """When a hint that came is over, with what comes of it before."""
    for _ in range(MOST_REPEATS):
        end = came + plan.duration
        latest, _ = _around(plan, end + lead)
        if latest <= came:
            return end
        came = latest
    return None


def _around(plan: _Plan, at: datetime) -> tuple[datetime, datetime]:
    """Give the last time up to an instant, and the first after it.

    Between two times of most hints lie many hours, so those around the hour often do.
    """
    hour = at - (at - _EPOCH) % _HOUR
    last, following = _looked_up(plan.fields, plan.zone, hour)
    if following > at:
        return last, following
    return _looked_up(plan.fields, plan.zone, at - (at - _EPOCH) % _MINUTE)


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
