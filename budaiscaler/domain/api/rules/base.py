"""A rule in its two languages, and what several of them are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from budaiscaler.domain.api import durations, quantity
from budaiscaler.domain.errors import InvalidSpecError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A rule on one type of the spec.

    Attributes:
        cel: the rule for the API server; `self` is the object. It may accept more than `holds`
            where CEL cannot tell, and is None where it can tell nothing.
        message: what is wrong and what to write instead; names the field.
        holds: the same rule on the parsed type.
    """

    cel: str | None
    message: str
    holds: Callable[[T], bool]


PORT_NUMBER = (
    "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
"""From 1 to 65535."""
_HOST = (
    r"^([hH][tT][tT][pP][sS]?://)?([^/?#\s@]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#\s:@\[\]]+)"
    rf"(:{PORT_NUMBER})?"
)
URL = _HOST + r"([/?#]\S*)?$"
BASE_URL = _HOST + r"(/[^?#\s]*)?$"
"""One to which paths are added."""


API_VERSION = "([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*"
KIND = "[A-Za-z][A-Za-z0-9]*"
"""They become part of a path that is asked for with our rights, not with the author's."""


def matches(pattern: str, text: str) -> bool:
    """Tell whether all of a text has a form, as CEL's `matches` does with ^ and $."""
    return re.fullmatch(pattern, text, re.ASCII) is not None


def cel_number(field: str, bound: str, *, inclusive: bool) -> str:
    """CEL for a text that is a quantity above a bound, or at least it."""
    number = f"quantity(self.{field})"
    compared = (
        f"!{number}.isLessThan(quantity('{bound}'))"
        if inclusive
        else f"{number}.isGreaterThan(quantity('{bound}'))"
    )
    return f"self.{field}.matches('{quantity.PATTERN}') && {compared}"


def number(text: str) -> float | None:
    """A quantity; None where the text is none."""
    try:
        return quantity.parse(text)
    except InvalidSpecError:
        return None


def is_above_zero(text: str) -> bool:
    """Tell whether a text is a quantity above 0."""
    value = number(text)
    return value is not None and value > 0


def is_at_least_zero(text: str) -> bool:
    """Tell whether a text is a quantity of 0 or more."""
    value = number(text)
    return value is not None and value >= 0


def cel_duration(field: str, *, zero: bool = False) -> str:
    """CEL for a text that is a duration; above 0 where it has a digit that is not."""
    form = f"self.{field}.matches('{durations.PATTERN}')"
    return form if zero else f"{form} && self.{field}.matches('[1-9]')"


def is_duration(text: str, *, zero: bool = False) -> bool:
    """Tell whether a text is a duration above 0, or 0 where that is allowed."""
    try:
        durations.parse_s(text)
    except InvalidSpecError:
        return False
    return zero or re.search("[1-9]", text) is not None
