"""What a number must be: `6`, `4..6`, `<=3`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

from budaiscaler.domain.errors import InvalidSpecError

SLACK = 1e-9

_NUMBER = r"\d+(?:\.\d+)?"
_EXACT = re.compile(_NUMBER)
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
_COMPARED = re.compile(rf"(<=|>=|<|>|==)\s*({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Bound:
    """A range of numbers, ends included unless said."""

    low: float
    high: float
    is_open: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one.

        Raises:
            InvalidSpecError: it is none; the message says what one looks like.
        """
        written = text.strip()
        if _EXACT.fullmatch(written):
            return cls(float(written), float(written))
        if (found := _RANGE.fullmatch(written)) is not None:
            return cls(float(found[1]), float(found[2]))
        if (found := _COMPARED.fullmatch(written)) is not None:
            number = float(found[2])
            low = number if found[1] in (">=", ">", "==") else -math.inf
            high = number if found[1] in ("<=", "<", "==") else math.inf
            return cls(low, high, is_open=found[1] in ("<", ">"))
        raise InvalidSpecError(f"{text!r} is no bound; write for example 6, 4..6 or '<=3'")

    def holds(self, number: float) -> bool:
        """Whether a number is one of them."""
        if self.is_open:
            return self.low + SLACK < number < self.high - SLACK
        return self.low - SLACK <= number <= self.high + SLACK
