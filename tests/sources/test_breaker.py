"""A breaker stops asking a server that fails, and finds out when it is well again."""

from __future__ import annotations

import itertools

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.breaker import Breaker

DOWN = NoData(NoDataReason.TIMEOUT, "it did not answer in time")


def opened(now_s: float = 0.0) -> Breaker:
    """One that has just opened."""
    breaker = Breaker(threshold=3, base_s=2.0, cap_s=30.0, trial_s=10.0)
    for _ in range(3):
        breaker.failed(DOWN, now_s)
    return breaker


def test_opens_after_failures_in_a_row() -> None:
    """Failures in a row open it; a success in between starts the count over."""
    breaker = Breaker(threshold=3)
    for _ in range(10):
        breaker.failed(DOWN, 0)
        breaker.failed(DOWN, 0)
        breaker.succeeded()
    breaker.failed(DOWN, 0)
    breaker.failed(DOWN, 0)
    assert breaker.refusal(0) is None

    breaker.failed(DOWN, 0)

    assert breaker.refusal(0) == DOWN


def test_refuses_with_the_last_failure() -> None:
    """Who is refused is told what was found last."""
    breaker = opened()
    other = NoData(NoDataReason.UNREACHABLE, "it is gone")
    breaker.failed(other, 1)

    assert breaker.refusal(2) == other


def test_lets_one_through() -> None:
    """After the pause one caller tries, and all others wait for what it finds."""
    breaker = opened()
    assert breaker.refusal(1.9) == DOWN

    assert [breaker.refusal(2.0) for _ in range(3)] == [None, DOWN, DOWN]
    assert breaker.refusal(11.9) == DOWN


def test_success_closes() -> None:
    """When the one that tried succeeds everybody may ask again, and failures count anew."""
    breaker = opened()
    assert breaker.refusal(2) is None
    breaker.succeeded()

    assert [breaker.refusal(2.1) for _ in range(5)] == [None] * 5
    breaker.failed(DOWN, 3)
    assert breaker.refusal(3) is None


def test_trial_without_an_end() -> None:
    """When the one that tried never came back, another one tries after as long as that takes."""
    breaker = opened()
    assert breaker.refusal(2) is None

    assert breaker.refusal(11.9) == DOWN
    assert breaker.refusal(12.0) is None


def test_ever_less_often() -> None:
    """Each trial that fails doubles the pause, up to half a minute, and no further for ever."""
    breaker, now_s, tries = opened(), 0.0, []
    while now_s < 300:
        if breaker.refusal(now_s) is None:
            tries.append(now_s)
            breaker.failed(DOWN, now_s)
        now_s += 0.5

    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert tries[0] == 2.0
    assert pauses[:4] == [4, 8, 16, 30]
    assert set(pauses[3:]) == {30}


@pytest.mark.parametrize("failures", [3, 100, 5000])
def test_any_number_of_failures(failures: int) -> None:
    """However often it has failed, it is tried again within the longest pause."""
    breaker = Breaker()
    for _ in range(failures):
        breaker.failed(DOWN, 0)

    assert breaker.refusal(30) is None
