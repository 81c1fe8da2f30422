"""Cron expressions: exactly five fields, as the original read them, and an optional time zone.

Minute, hour, day of the month, month, day of the week from 0 for Sunday to 6. Each is `*` or `?`, a
number or a range, all of them with or without a step, or a list of those; months and days of the
week have English names, too. If both kinds of day are restricted, one of them is enough. `TZ=` or
`CRON_TZ=` and a name may stand in front. No seconds, no `@daily`, and nothing is random.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from budaiscaler.domain.errors import CronError


@dataclass(frozen=True, slots=True)
class _Field:
    """What may stand in one field; `number` is a regular expression."""

    label: str
    first: int
    last: int
    number: str
    names: tuple[str, ...] = ()

    @property
    def pattern(self) -> str:
        """The form of the field: everything but the order of a range."""
        value = f"({'|'.join((f'0*{self.number}', *self.names))})"
        item = f"([*?]|{value}(-{value})?)(/0*[1-9][0-9]{{0,3}})?"
        return f"{item}(,{item})*"

    def number_of(self, text: str) -> int:
        """A number, or what a name stands for."""
        return self.names.index(text) + self.first if text in self.names else int(text)


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FIELDS = (
    _Field("minute", 0, 59, "[1-5]?[0-9]"),
    _Field("hour", 0, 23, "(1?[0-9]|2[0-3])"),
    _Field("day of the month", 1, 31, "([1-9]|[12][0-9]|3[01])"),
    _Field("month", 1, 12, "([1-9]|1[0-2])", _MONTHS),
    _Field("day of the week", 0, 6, "[0-6]", _WEEKDAYS),
)

ZONE_PATTERN = "[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*"
_GAP = "[ \\t]+"
_FIVE = _GAP.join(field.pattern for field in _FIELDS)
PATTERN = f"^((CRON_)?TZ={ZONE_PATTERN}{_GAP})?(?i:{_FIVE})$"
"""RE2 and Python agree on it; the rules of the CRD carry it."""

_WHOLE = re.compile(PATTERN, re.ASCII)


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression: the numbers for which each field holds.

    Attributes:
        either_day: whether both kinds of day are restricted, so that one of them is enough.
        time_zone: of the prefix; None without one.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    time_zone: str | None


def parse(expression: str) -> Cron:
    """Read an expression.

    Raises:
        CronError: when it is none or its time never comes; the message says why.
    """
    if _WHOLE.fullmatch(expression) is None:
        raise CronError(
            f"{expression!r} is not five fields of cron; write for example '0 9 * * 1-5'"
        )
    *prefix, minute, hour, day, month, weekday = expression.lower().split()
    texts = (minute, hour, day, month, weekday)
    minutes, hours, days, months, weekdays = (
        _numbers(field, text) for field, text in zip(_FIELDS, texts, strict=True)
    )
    days_restricted, weekdays_restricted = (not _has_star(text) for text in (day, weekday))
    if not weekdays_restricted and min(days) > max(_LONGEST_MONTH[month - 1] for month in months):
        raise CronError(f"{expression!r} never comes: no such month has a day {min(days)}")
    return Cron(
        minutes,
        hours,
        days,
        months,
        weekdays,
        either_day=days_restricted and weekdays_restricted,
        time_zone=expression.split(maxsplit=1)[0].partition("=")[2] if prefix else None,
    )


def _has_star(text: str) -> bool:
    """Whether every day is meant; a star with a step restricts."""
    return any(re.fullmatch("[*?](/0*1)?", item) for item in text.split(","))


def _numbers(field: _Field, text: str) -> frozenset[int]:
    found: set[int] = set()
    for item in text.split(","):
        span, has_step, step = item.partition("/")
        if span in {"*", "?"}:
            first, last = field.first, field.last
        else:
            start, is_range, end = span.partition("-")
            first = field.number_of(start)
            last = field.number_of(end) if is_range else field.last if has_step else first
        if first > last:
            raise CronError(f"{span!r} of the {field.label} goes backwards: write two ranges")
        found.update(range(first, last + 1, int(step) if has_step else 1))
    return frozenset(found)
