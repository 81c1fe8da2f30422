"""How long pods take to be ready."""

from __future__ import annotations

from budaiscaler.playground.cluster.starts import Starts


def test_they_differ_by_a_fifth_and_some_take_twice_as_long() -> None:
    """Of two hundred about ten are slow, and none is quicker than a fifth below the typical."""
    times_s = [Starts(60, seed=1).of(number) for number in range(200)]

    slow = [one for one in times_s if one > 72]
    assert min(times_s) >= 48
    assert max(times_s) <= 144
    assert 3 <= len(slow) <= 25


def test_the_same_seed_gives_the_same_starts() -> None:
    """Pod for pod."""
    assert Starts(60, 1).of(7) == Starts(60, 1).of(7) != Starts(60, 2).of(7)
