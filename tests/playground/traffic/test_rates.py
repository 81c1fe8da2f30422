"""Rates over time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.playground.scenarios import SCENARIOS
from budaiscaler.playground.traffic import rates
from budaiscaler.playground.traffic.rates import Burst


def test_a_day_has_one_night_and_one_peak() -> None:
    """Lowest at four in the night, highest at four in the afternoon, and the same the next day."""
    rate = rates.diurnal(4.0, 50.0, begins_at_s=0)

    assert rate(4 * 3600) == pytest.approx(4)
    assert rate(16 * 3600) == pytest.approx(50)
    assert rate(10 * 3600) == pytest.approx(rate(34 * 3600))


def test_a_burst_rises_stays_and_fades() -> None:
    """Nothing before it, its whole height for a while, then less and less."""
    burst = Burst(at_s=60, height=30, rise_s=10, lasts_s=100, decay_s=50)

    assert [burst.rate(at_s) for at_s in (0, 60, 65, 70, 170)] == [0, 0, 15, 30, 30]
    assert 30 > burst.rate(200) > burst.rate(300) > 0


def test_bursts_come_again_and_differ() -> None:
    """The same seed has the same crowds, another has others, and one comes each quarter hour."""
    one, same, other = (
        rates.bursts(8.0, every_s=900, height=24.0, seed=seed) for seed in (1, 1, 2)
    )
    whole = [one(at_s) for at_s in range(0, 3600, 10)]

    assert whole == [same(at_s) for at_s in range(0, 3600, 10)]
    assert whole != [other(at_s) for at_s in range(0, 3600, 10)]
    assert one(60) == 8.0
    for quarter in range(4):
        assert max(one(at_s) for at_s in range(quarter * 900, quarter * 900 + 900)) > 20


@given(
    name=st.sampled_from(sorted(SCENARIOS)),
    seed=st.integers(0, 2**31),
    at_s=st.floats(0, 30 * 86_400),
)
def test_no_rate_is_negative_or_endless(name: str, seed: int, at_s: float) -> None:
    """Whatever the scenario, the seed and the time of a month."""
    assert 0 <= SCENARIOS[name].rate(seed)(at_s) < 1000
