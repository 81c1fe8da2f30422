"""Requests as they arrive: a Poisson process whose rate changes, the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from budaiscaler.playground.traffic.rates import Rate

STEP_S = 1.0
"""Requests are counted by the second, and the rate is that at its beginning."""


@dataclass(slots=True)
class Arrivals:
    """How many requests arrive in each second of a story, one second after the other.

    Attributes:
        rate: requests a second.
        seed: what chance begins with.
        second: the next one.
    """

    rate: Rate
    seed: int
    second: int = 0
    _chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(f"arrivals-{self.seed}")  # noqa: S311 - a seed is the point

    def next(self) -> int:
        """Count those of the next second."""
        rate = self.rate(self.second * STEP_S)
        self.second += 1
        count, at_s = 0, 0.0
        while rate > 0:
            at_s += self._chance.expovariate(rate)
            if at_s >= STEP_S:
                break
            count += 1
        return count
