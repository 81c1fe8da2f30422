"""Durations of the API: as Go writes them, and with days: `90s`, `1h30m`, `500ms`, `1d`.

No sign: nothing that is configured here lasts for less than no time.
"""

from __future__ import annotations

import math
import re

from budaiscaler.domain.errors import InvalidSpecError

_NUMBER = r"([0-9]+([.][0-9]*)?|[.][0-9]+)"
_UNIT = r"(ns|us|µs|μs|ms|s|m|h|d)"

PATTERN = rf"^(0|({_NUMBER}{_UNIT})+)$"
"""RE2 and Python agree on it, so a rule of the CRD may carry it."""

LONGEST_S = 366 * 86400.0
"""So that any time plus any duration is still a time."""

_WHOLE = re.compile(PATTERN)
_PART = re.compile(rf"(?P<number>{_NUMBER})(?P<unit>{_UNIT})")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,  # the micro sign
    "μs": 1e-6,  # the letter mu, which Go takes too
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


def parse_s(text: str) -> float:
    """Read a duration as seconds.

    Raises:
        InvalidSpecError: when `text` is no duration; the message says what one looks like.
    """
    if not _WHOLE.fullmatch(text):
        raise InvalidSpecError(f'{text!r} is no duration; write for example "90s", "1h30m" or "1d"')
    seconds = math.fsum(
        float(part["number"]) * _SECONDS[part["unit"]] for part in _PART.finditer(text)
    )
    if not seconds <= LONGEST_S:
        raise InvalidSpecError(f"{text!r} is out of range: nothing here lasts for years")
    return seconds


def text(seconds: float) -> str:
    """Write seconds in their largest units, as `parse_s` reads them: `1d2h30m`."""
    days, rest = divmod(seconds, _SECONDS["d"])
    hours, rest = divmod(rest, _SECONDS["h"])
    minutes, rest = divmod(rest, _SECONDS["m"])
    parts = ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s"))
    return "".join(f"{count:g}{unit}" for count, unit in parts if count) or "0s"
