"""Durations of flags: `"15s"`, `"1m30s"`, `"500ms"`, or plain seconds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator

_PLAIN = re.compile(r"[+-]?\d+(?:\.\d+)?")
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_WHOLE = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_seconds(value: str | float) -> float:
    """Read a duration as seconds.

    Raises:
        ValueError: when it is none; the message says what one looks like.
    """
    if isinstance(value, int | float):
        return float(value)
    text = value.strip()
    if _WHOLE.fullmatch(text):
        return sum(float(number) * _SECONDS[unit] for number, unit in _PARTS.findall(text))
    if not _PLAIN.fullmatch(text):
        raise ValueError(f'{value!r} is no duration; write for example "15s" or "1m30s"')
    return float(text)


Seconds = Annotated[float, BeforeValidator(parse_seconds)]
