"""Delays double, stay within their limits, and do not come in step."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.kube.backoff import Backoff


@given(
    seed=st.integers(),
    base_s=st.floats(0.01, 10),
    cap_s=st.floats(10, 300),
    failures=st.integers(0, 2000),
)
def test_within_limits(seed: int, base_s: float, cap_s: float, failures: int) -> None:
    """However many failures, a delay lies between half of its ceiling and the ceiling."""
    backoff = Backoff(base_s, cap_s, random.Random(seed), failures)
    ceiling = min(cap_s, base_s * 2.0 ** min(failures, 60))

    assert ceiling / 2 <= backoff.next_s() <= ceiling


def test_grows_and_is_forgotten() -> None:
    """Delays grow to the cap, and start over after a reset."""
    backoff = Backoff(1.0, 8.0, random.Random(1))

    delays = [backoff.next_s() for _ in range(6)]
    backoff.reset()

    assert [
        ceiling / 2 <= d <= ceiling for d, ceiling in zip(delays, (1, 2, 4, 8, 8, 8), strict=True)
    ]
    assert delays[0] <= 1 < delays[2]
    assert backoff.next_s() <= 1


def test_not_in_step() -> None:
    """Two that fail together do not come back together."""
    first, second = Backoff(), Backoff()

    assert [first.next_s() for _ in range(5)] != [second.next_s() for _ in range(5)]
