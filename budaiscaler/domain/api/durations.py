"""Durations as Go writes them, and with days: `"90s"`, `"1h30m"`, `"1d"`."""

from __future__ import annotations

import re

from budaiscaler.domain.errors import InvalidSpecError

PATTERN = r"^(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|ms|s|m|h|d))+$"
"""RE2 and Python agree on it; the rules of the CRD carry it."""

_WHOLE = re.compile(PATTERN)
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_LONGEST_S = 366 * 86400.0


def parse_s(text: str) -> float:
    """Read a duration as seconds.

    Raises:
        InvalidSpecError: when it is none, or longer than a year; the message says what one is.
    """
    if not _WHOLE.fullmatch(text):
        raise InvalidSpecError(f'{text!r} is no duration; write for example "90s", "1h30m" or "1d"')
    total_s = sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text))
    if not total_s <= _LONGEST_S:
        raise InvalidSpecError(f"{text!r} is longer than a year")
    return total_s
