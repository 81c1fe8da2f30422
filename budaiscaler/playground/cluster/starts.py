"""How long pods take from their creation to readiness: a model is loaded meanwhile."""

from __future__ import annotations

import random
from dataclasses import dataclass

JITTER = 0.2
STRAGGLERS = 0.05


@dataclass(frozen=True, slots=True)
class Starts:
    """A time that differs from pod to pod, and is the same for the same seed.

    Attributes:
        typical_s: most take that, give or take a fifth; one in twenty takes twice as long.
        seed: what chance begins with.
    """

    typical_s: float = 60.0
    seed: int = 0

    def of(self, number: int) -> float:
        """Seconds that the pod of that number takes."""
        chance = random.Random(f"start-{self.seed}-{number}")  # noqa: S311 - a seed is the point
        takes_s = self.typical_s * chance.uniform(1 - JITTER, 1 + JITTER)
        return 2 * takes_s if chance.random() < STRAGGLERS else takes_s
