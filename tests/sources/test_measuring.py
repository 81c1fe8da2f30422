"""Figures of fetches: how long they took, and why they failed."""

from __future__ import annotations

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.coalescing import MOST_ANSWERS, Coalescer
from budaiscaler.sources.measuring import BOUNDS_S, Flights

GOOD = Sample((1.0,), 0.0)
BAD = NoData(NoDataReason.TIMEOUT, "late")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_buckets() -> None:
    """A latency counts in the first bucket that holds it; a bound belongs to its own."""
    flights = Flights()
    for latency_s in (0.0, BOUNDS_S[0], 0.2, BOUNDS_S[-1], 99.0):
        flights.record(latency_s, None)

    assert flights.counts == [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    assert flights.total_s == 109.205
    assert not flights.errors


async def test_what_is_counted() -> None:
    """A fetch counts once, with its time and its failure, however many share it."""
    clock = Clock()
    coalescer: Coalescer[str] = Coalescer(clock)

    async def succeed() -> Sample | NoData:
        clock.now_s += 0.3
        return GOOD

    async def fail() -> Sample | NoData:
        clock.now_s += 0.3
        return BAD

    for _ in range(2):
        assert await coalescer.get("a", 60, succeed) is GOOD
        assert await coalescer.get("b", 60, fail) is BAD

    assert sum(coalescer.flights.counts) == coalescer.fetches == 2
    assert dict(coalescer.flights.errors) == {NoDataReason.TIMEOUT: 1}


async def test_answers_have_a_bound() -> None:
    """Of any number of different queries only the youngest answers are kept."""
    coalescer: Coalescer[int] = Coalescer(Clock())

    async def fly() -> Sample:
        return GOOD

    for number in range(MOST_ANSWERS + 10):
        await coalescer.get(number, 60, fly)

    assert len(coalescer._answers) == MOST_ANSWERS
    assert 0 not in coalescer._answers


async def test_failures_of_another_age() -> None:
    """Where that is said, a failure is forgotten sooner than an answer."""
    clock = Clock()
    coalescer: Coalescer[str] = Coalescer(clock)
    answer: Sample | NoData = BAD

    async def fly() -> Sample | NoData:
        return answer

    assert await coalescer.get("k", 60, fly, failure_max_age_s=10) is BAD
    answer = GOOD
    clock.now_s = 10.0
    assert await coalescer.get("k", 60, fly, failure_max_age_s=10) is BAD
    clock.now_s = 11.0
    assert await coalescer.get("k", 60, fly, failure_max_age_s=10) is GOOD
    clock.now_s = 70.0
    assert await coalescer.get("k", 60, fly, failure_max_age_s=10) is GOOD
    assert coalescer.fetches == 2
