"""Durations of users: `"90s"`, `"1h30m"`, `"1.5h"`, and with days `"1d"`.

Source of the grammar: Go's `time.ParseDuration`, which the original used, and days.
"""

from __future__ import annotations

import re

from budaiscaler.domain.errors import DurationError

PATTERN = r"^[+]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h|d))+)$"
"""RE2 and Python agree on it; the rules of the CRD carry it."""

LONGEST_S = 3650 * 86400.0
"""What is longer counts as that, so that nobody computes a date beyond the calendar."""

_WHOLE = re.compile(PATTERN)
_PART = re.compile(r"([0-9.]+)([a-zµμ]+)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "μs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def parse_s(text: str) -> float:
    """Read a duration as seconds; a day has 24 hours.

    Raises:
        DurationError: when `text` is none; the message says what one looks like.
    """
    if _WHOLE.fullmatch(text) is None:
        raise DurationError(f'{text!r} is no duration; write for example "90s", "1h30m" or "1d"')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return min(seconds, LONGEST_S)
