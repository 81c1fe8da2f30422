"""Rates of requests over time: pure functions of the seconds since a story began."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

Rate = Callable[[float], float]
"""Requests a second at so many seconds of the story; never negative."""

DAY_S = 86_400.0


def steady(requests_per_s: float) -> Rate:
    """The same all the time."""
    return lambda _: requests_per_s


def diurnal(low: float, high: float, *, begins_at_s: float = 6 * 3600.0) -> Rate:
    """A day: lowest at four in the night, highest at four in the afternoon.

    Args:
        low: at its lowest.
        high: at its highest.
        begins_at_s: time of the day at which the story begins.
    """

    def rate(at_s: float) -> float:
        phase = 2 * math.pi * (begins_at_s + at_s - 4 * 3600.0) / DAY_S
        return low + (high - low) * (1 - math.cos(phase)) / 2

    return rate


@dataclass(frozen=True, slots=True)
class Burst:
    """A crowd that comes at once and goes slowly.

    Attributes:
        at_s: when it comes.
        height: requests a second that it adds at its highest.
        rise_s: until it is that high.
        lasts_s: how long it stays so.
        decay_s: in which it falls to a third, again and again.
    """

    at_s: float
    height: float
    rise_s: float = 120.0
    lasts_s: float = 300.0
    decay_s: float = 120.0

    def rate(self, at_s: float) -> float:
        """What it adds."""
        since_s = at_s - self.at_s
        if since_s < 0:
            return 0.0
        if since_s < self.rise_s:
            return self.height * since_s / self.rise_s
        over_s = since_s - self.rise_s - self.lasts_s
        return self.height * (math.exp(-over_s / self.decay_s) if over_s > 0 else 1.0)


def bursts(base: float, *, every_s: float, height: float, seed: int) -> Rate:
    """A steady base, and crowds about every so often, each of another height.

    The first comes two minutes into the story, so that nobody waits long to see something.
    """

    def rate(at_s: float) -> float:
        newest = int(max(0.0, at_s) // every_s)
        return base + sum(
            _nth_burst(number, every_s, height, seed).rate(at_s)
            for number in range(max(0, newest - 2), newest + 1)
        )

    return rate


def _nth_burst(number: int, every_s: float, height: float, seed: int) -> Burst:
    """One of them, without those before it: a story of weeks needs no list."""
    chance = random.Random(f"burst-{seed}-{number}")  # noqa: S311 - a seed is the point
    late_s = 120.0 if number == 0 else chance.uniform(0.1, 0.4) * every_s
    return Burst(number * every_s + late_s, height * chance.uniform(0.6, 1.2))
