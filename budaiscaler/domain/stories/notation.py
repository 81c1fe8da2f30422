"""promtool's expanding notation: a series of samples in few characters.

`a+bxn` is a, and n more samples each b larger; `a-bxn` each b smaller; `axn` is a and n more of the
same; `_` is one sample without data and `_xn` n of them. Source: `promtool test rules`.
"""

from __future__ import annotations

import re

from budaiscaler.domain.errors import InvalidSpecError

MOST_SAMPLES = 100_000

Series = tuple[float | None, ...]
"""Samples one interval apart; None is one without data."""

_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+|nan|inf)(?:e[-+]?\d+)?"
_TERM = re.compile(
    rf"(?P<start>{_NUMBER})(?:(?P<step>[-+](?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)?x(?P<more>\d+))?",
    re.IGNORECASE,
)
_GAP = re.compile(r"_(?:x(?P<count>\d+))?")
_HELP = "write for example '38x8 12+2x10 _x30'"


def expand(text: str) -> Series:
    """Expand a text into its samples.

    Raises:
        InvalidSpecError: it is none; the message says what one looks like.
    """
    samples: list[float | None] = []
    terms = text.split()
    for term in terms:
        samples += _expand(term)
        if len(samples) > MOST_SAMPLES:
            raise InvalidSpecError(f"more than {MOST_SAMPLES} samples; tell a shorter story")
    if not samples:
        raise InvalidSpecError(f"no samples; {_HELP}")
    return tuple(samples)


def _expand(term: str) -> list[float | None]:
    gap = _GAP.fullmatch(term)
    if gap is not None:
        return [None] * _count(gap["count"] or "1")
    found = _TERM.fullmatch(term)
    if found is None:
        raise InvalidSpecError(f"{term!r} is no series; {_HELP}")
    start, step = float(found["start"]), float(found["step"] or 0)
    # A product and no sum of steps, so that the last sample is exact.
    return [start + step * index for index in range(_count(found["more"] or "0") + 1)]


def _count(digits: str) -> int:
    """Read a repetition; a longer text than any allowed number is as good as too many."""
    return int(digits) if len(digits) < len(str(MOST_SAMPLES)) + 1 else MOST_SAMPLES + 1
