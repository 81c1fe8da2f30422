"""The first and the last replica: initial scale, to zero and back, as stories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.algorithms import zero
from budaiscaler.domain.algorithms.knative import What
from budaiscaler.domain.algorithms.zero import Floor, ZeroRules
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import Activity
from tests.conftest import NOON

RULES = ZeroRules(can_be_zero=True, initial_scale=0)


@dataclass(slots=True)
class Story:
    """What is wanted and what is ready, over time."""

    rules: ZeroRules = RULES
    activity: Activity = field(default_factory=Activity)
    passed_s: float = 0

    def look(
        self, wanted: int, current: int, *, ready: int | None = None, after_s: float = 2
    ) -> Floor:
        """Bound a wish `after_s` later; all replicas are ready unless told."""
        self.passed_s += after_s
        replicas = Replicas(current, current if ready is None else ready)
        now = NOON + timedelta(seconds=self.passed_s)
        floor, self.activity = zero.bound(self.rules, self.activity, wanted, replicas, now)
        return floor

    def desired(
        self, wanted: int, current: int, *, ready: int | None = None, after_s: float = 2
    ) -> int:
        return self.look(wanted, current, ready=ready, after_s=after_s).desired


def test_an_idle_workload_goes_to_zero_after_its_grace() -> None:
    """Active for long, it is found idle, stays for half a minute more, and goes."""
    story = Story()
    story.desired(1, 1)
    story.desired(1, 1, after_s=600)
    held = story.look(0, 1)
    assert (held.desired, held.step and held.step.what) == (1, What.HELD_ABOVE_ZERO)
    assert held.step is not None
    assert held.step.message == (
        "nothing is needed, but inactive for less than 30 s: 1 until 2026-01-05T12:10:34Z"
    )
    assert story.desired(0, 1, after_s=29) == 1
    gone = story.look(0, 1, after_s=1)
    assert (gone.desired, gone.step and gone.step.what) == (0, What.TO_ZERO)
    assert story.desired(0, 0) == 0


def test_a_young_one_stays_for_a_stable_window() -> None:
    """It became active just now; its grace begins when the window is over."""
    story = Story()
    story.desired(1, 1)
    assert [story.desired(0, 1, after_s=179), story.desired(0, 1, after_s=1)] == [1, 1]
    assert [story.desired(0, 1, after_s=29), story.desired(0, 1, after_s=1)] == [1, 0]


def test_a_retention_lengthens_the_grace() -> None:
    """The longer of both counts."""
    story = Story(ZeroRules(can_be_zero=True, stable_window_s=6, retention_s=300))
    story.desired(1, 1)
    story.desired(0, 1, after_s=10)
    assert [story.desired(0, 1, after_s=299), story.desired(0, 1, after_s=1)] == [1, 0]


def test_a_need_in_between_begins_anew() -> None:
    """What was idle and is wanted again is active again, for a stable window at least."""
    story = Story()
    story.desired(1, 1)
    story.desired(0, 1, after_s=200)
    assert story.desired(3, 1, after_s=10) == 3
    assert story.desired(0, 1, after_s=100) == 1
    assert story.desired(0, 1, after_s=79) == 1
    assert story.desired(0, 1, after_s=1) == 1
    assert [story.desired(0, 1, after_s=29), story.desired(0, 1, after_s=1)] == [1, 0]


def test_who_wakes_up_is_given_time() -> None:
    """No longer wanted while its model loads: it stays until it is ready or given up."""
    story = Story()
    assert story.desired(0, 0) == 0
    assert story.desired(2, 0) == 2
    held = story.look(0, 2, ready=0, after_s=60)
    assert held.step is not None
    assert (held.desired, held.changes_at) == (2, NOON + timedelta(seconds=4 + 630))
    assert story.desired(0, 2, ready=1, after_s=60) == 1
    assert story.desired(0, 1, after_s=180) == 1
    assert story.desired(0, 1, after_s=30) == 0


def test_who_never_wakes_up_is_given_up() -> None:
    """After Knative's deadline, if nobody wants it any more; else it goes on trying."""
    story = Story()
    story.desired(2, 0)
    assert story.desired(2, 2, ready=0, after_s=700) == 2
    assert story.desired(0, 2, ready=0) == 0
    again = Story()
    again.desired(2, 0)
    assert [again.desired(0, 2, ready=0, after_s=s) for s in (629, 1)] == [2, 0]


def test_where_zero_is_not_allowed_one_stays() -> None:
    """Nobody would notice a need from zero, or the bounds forbid it."""
    story = Story(ZeroRules(can_be_zero=False))
    floor = story.look(0, 1, after_s=10_000)
    assert (floor.desired, floor.changes_at) == (1, None)
    assert floor.step is not None
    assert floor.step.what is What.HELD_ABOVE_ZERO


def test_an_initial_scale_is_a_floor_until_it_is_reached() -> None:
    """From then on it counts no more, also below it."""
    story = Story(ZeroRules(can_be_zero=True, initial_scale=5))
    floor = story.look(1, 1)
    assert (floor.desired, floor.step and floor.step.what) == (5, What.INITIAL_SCALE)
    assert story.desired(1, 5, ready=4) == 5
    assert story.desired(7, 5, ready=4) == 7
    assert story.desired(1, 7, ready=5) == 1
    assert story.desired(1, 1) == 1


@pytest.mark.parametrize(
    ("initial", "desired"),
    [pytest.param(0, 0, id="zero"), pytest.param(1, 1, id="one"), pytest.param(3, 3, id="three")],
)
def test_a_new_workload_begins_at_its_initial_scale(initial: int, desired: int) -> None:
    """Without any need yet."""
    story = Story(ZeroRules(can_be_zero=True, initial_scale=initial))
    assert story.desired(0, 0) == desired


def test_one_that_is_taken_over_has_no_initial_scale() -> None:
    """Its owner scaled it as it stands."""
    story = Story(ZeroRules(can_be_zero=True, initial_scale=5), Activity(is_initialized=True))
    assert story.desired(2, 2) == 2


def test_a_clock_that_was_set_back_keeps_nothing_for_longer() -> None:
    """Times of the future count as now."""
    later = NOON + timedelta(days=1)
    story = Story(activity=Activity(is_initialized=True, inactive_since=later))
    assert [story.desired(0, 1), story.desired(0, 1, after_s=30)] == [1, 0]


looks = st.tuples(
    st.sampled_from([0, 0, 0, 1, 3]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([2, 2, 20, 100, 700]),
)


@given(st.booleans(), st.integers(0, 4), st.lists(looks, max_size=40))
def test_a_wish_is_never_lowered(
    can_be_zero: bool,  # noqa: FBT001 - drawn
    initial: int,
    history: list[tuple[int, int, int, int]],
) -> None:
    """A floor only holds: it answers at least the wish, and 0 only where that is allowed."""
    story = Story(ZeroRules(can_be_zero=can_be_zero, initial_scale=initial))
    for wanted, current, ready, after_s in history:
        floor = story.look(wanted, current, ready=min(ready, current), after_s=after_s)
        assert floor.desired >= wanted
        assert floor.desired > 0 or can_be_zero
        if floor.step is not None:
            assert (floor.step.before, floor.step.after) == (wanted, floor.desired)


@given(st.lists(looks, max_size=40))
def test_the_last_replica_goes_only_after_half_a_minute_of_idleness(
    history: list[tuple[int, int, int, int]],
) -> None:
    """From a standing workload to 0 only when nothing was wanted for the grace at least."""
    story = Story(activity=Activity(is_initialized=True))
    idle_since: float | None = None
    for wanted, current, ready, after_s in history:
        floor = story.look(wanted, current, ready=min(ready, current), after_s=after_s)
        if wanted > 0:
            idle_since = None
        elif idle_since is None:
            idle_since = story.passed_s
        if current > 0 and min(ready, current) > 0 and floor.desired == 0:
            assert idle_since is not None
            assert story.passed_s - idle_since >= 30
