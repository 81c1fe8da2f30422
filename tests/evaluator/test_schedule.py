"""When which key is due."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.evaluator.schedule import Schedule
from tests.evaluator.world import loop_s

pytestmark = pytest.mark.looptime


async def _take(schedule: Schedule[str], count: int) -> list[tuple[str, float]]:
    return [(await schedule.next(), round(loop_s(), 2)) for _ in range(count)]


async def test_keys_come_when_they_are_due_and_not_before() -> None:
    """In the order of their times, whatever the order in which they were set."""
    schedule: Schedule[str] = Schedule(loop_s)
    schedule.set("late", 30)
    schedule.set("soon", 10)
    schedule.set("overdue", -5)
    assert await _take(schedule, 3) == [("overdue", 0), ("soon", 10), ("late", 30)]


async def test_in_a_fast_story_keys_come_sooner() -> None:
    """At ten times the speed what is due in 50 s comes after five real seconds."""
    schedule: Schedule[str] = Schedule(lambda: 10 * loop_s(), 10)
    schedule.set("chat", 50)
    assert await _take(schedule, 1) == [("chat", 5)]


async def test_a_key_set_again_moves() -> None:
    """Earlier or later: only the last time counts, and it comes once."""
    schedule: Schedule[str] = Schedule(loop_s)
    schedule.set("earlier", 50)
    schedule.set("later", 5)
    schedule.set("earlier", 10)
    schedule.set("later", 20)
    assert await _take(schedule, 2) == [("earlier", 10), ("later", 20)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(schedule.next(), 100)


async def test_a_key_set_again_for_the_same_time_comes_once() -> None:
    """Two edits in the same moment are one evaluation."""
    schedule: Schedule[str] = Schedule(loop_s)
    schedule.set("key", 5)
    schedule.set("key", 5)
    assert await _take(schedule, 1) == [("key", 5)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(schedule.next(), 100)


async def test_who_waits_wakes_for_a_key_that_is_due_earlier() -> None:
    """A new scaler does not wait for the turn of an old one."""
    schedule: Schedule[str] = Schedule(loop_s)
    schedule.set("old", 100)
    asyncio.get_running_loop().call_later(3, schedule.set, "new", 3.0)
    assert await _take(schedule, 2) == [("new", 3), ("old", 100)]


async def test_who_waits_for_nothing_wakes_for_the_first_key() -> None:
    """An empty schedule is waited at without a time."""
    schedule: Schedule[str] = Schedule(loop_s)
    asyncio.get_running_loop().call_later(7, schedule.set, "first", 7.0)
    assert await _take(schedule, 1) == [("first", 7)]


async def test_a_dropped_key_does_not_come() -> None:
    """Not while it is waited for either; dropping what is not there is nothing."""
    schedule: Schedule[str] = Schedule(loop_s)
    schedule.set("gone", 10)
    schedule.set("here", 20)
    asyncio.get_running_loop().call_later(5, schedule.drop, "gone")
    schedule.drop("never-there")
    assert await _take(schedule, 1) == [("here", 20)]


async def test_lateness_is_that_of_the_most_overdue_key() -> None:
    """Nothing is late before its time, and what was taken or dropped no longer is."""
    schedule: Schedule[str] = Schedule(loop_s)
    assert schedule.lateness_s() == 0
    schedule.set("a", 10)
    schedule.set("b", 20)
    assert schedule.lateness_s() == 0
    await asyncio.sleep(60)
    assert schedule.lateness_s() == pytest.approx(50)
    schedule.drop("a")
    assert schedule.lateness_s() == pytest.approx(40)
    await schedule.next()
    assert schedule.lateness_s() == 0


async def test_a_wait_that_is_nearly_over_does_not_spin() -> None:
    """Timers fire a little early: by a clock that is behind them, less than a tick away is due."""
    schedule: Schedule[str] = Schedule(lambda: 0.0)
    schedule.set("key", 0.0009)
    assert await asyncio.wait_for(schedule.next(), 1) == "key"


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 20) | st.none()), min_size=1, max_size=30
    )
)
def test_a_schedule_gives_each_key_once_at_its_last_time(
    steps: list[tuple[str, int | None]],
) -> None:
    """Set, moved and dropped at will: what comes is what a plain dictionary would say."""
    now_s = [0.0]
    schedule: Schedule[str] = Schedule(lambda: now_s[0])
    expected: dict[str, int] = {}
    for key, at_s in steps:
        if at_s is None:
            schedule.drop(key)
            expected.pop(key, None)
        else:
            schedule.set(key, at_s)
            expected[key] = at_s
    now_s[0] = 1000.0

    async def take_all() -> list[str]:
        return [await schedule.next() for _ in expected]

    taken = asyncio.run(take_all())
    assert sorted(taken) == sorted(expected)
    assert [expected[key] for key in taken] == sorted(expected.values())
    assert schedule.lateness_s() == 0
