"""How long to wait before trying again: exponential, with jitter, capped."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Delays of one retried activity.

    With jitter, since a hundred watches that break together must not come back together.

    Attributes:
        base_s: upper end of the first delay, in seconds.
        cap_s: upper end of every delay, in seconds.
    """

    base_s: float = 0.2
    cap_s: float = 30.0
    random: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def next_s(self) -> float:
        """Count one more failure and give the seconds to wait."""
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return ceiling * self.random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Forget the failures after a success."""
        self.failures = 0
