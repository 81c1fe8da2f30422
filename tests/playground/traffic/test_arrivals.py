"""Requests by the second."""

from __future__ import annotations

import pytest

from budaiscaler.playground.traffic import rates
from budaiscaler.playground.traffic.arrivals import Arrivals


def count(seed: int, seconds: int, per_s: float = 10.0) -> list[int]:
    arrivals = Arrivals(rates.steady(per_s), seed)
    return [arrivals.next() for _ in range(seconds)]


def test_the_same_seed_gives_the_same_requests() -> None:
    """Second for second; another seed gives others."""
    assert count(1, 300) == count(1, 300)
    assert count(1, 300) != count(2, 300)


def test_they_are_a_poisson_process() -> None:
    """Their mean is the rate, and so is their variance."""
    counts = count(3, 4000)
    mean = sum(counts) / len(counts)

    assert mean == pytest.approx(10, rel=0.03)
    assert sum((one - mean) ** 2 for one in counts) / len(counts) == pytest.approx(10, rel=0.1)


def test_without_a_rate_nobody_comes() -> None:
    """A rate of nothing is no request, and no endless wait for one."""
    assert count(1, 10, per_s=0.0) == [0] * 10


def test_they_follow_the_rate_of_their_second() -> None:
    """A rate that begins after a minute has nobody come in the first."""
    arrivals = Arrivals(lambda at_s: 50.0 if at_s >= 60 else 0.0, 1)
    counts = [arrivals.next() for _ in range(90)]

    assert counts[:60] == [0] * 60
    assert min(counts[60:]) > 10
