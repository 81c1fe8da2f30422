"""The pretended workload: what starts, what is lost, what finds no node."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.stories import workload
from tests.conftest import NOON

LATER = NOON + timedelta(seconds=90)


def test_new_replicas_take_their_time() -> None:
    """They count at once, and are ready after the start-up."""
    grown = workload.of(2, 90, NOON).scaled(5, NOON)
    assert grown.replicas(NOON) == Replicas(5, 2)
    assert grown.replicas(LATER - timedelta(seconds=1)) == Replicas(5, 2)
    assert grown.replicas(LATER) == Replicas(5, 5)


def test_who_starts_goes_first() -> None:
    """A step down takes no ready replica while others start, and the newest after that."""
    grown = workload.of(3, 90, NOON).scaled(5, NOON)
    assert grown.scaled(3, NOON).replicas(NOON) == Replicas(3, 3)
    assert grown.scaled(2, NOON).replicas(NOON) == Replicas(2, 2)
    assert grown.scaled(0, NOON).replicas(NOON) == Replicas(0, 0)


def test_who_comes_back_goes_before_who_is_ready() -> None:
    """Also where he is the oldest: a step down never takes what serves."""
    lost = workload.of(4, 90, NOON).lost(2, NOON)
    assert lost.scaled(2, NOON).replicas(NOON) == Replicas(2, 2)


def test_lost_replicas_come_back() -> None:
    """As many are asked for, fewer are ready, until the start-up is over."""
    lost = workload.of(4, 90, NOON).lost(2, NOON)
    assert lost.replicas(NOON) == Replicas(4, 2)
    assert lost.replicas(LATER) == Replicas(4, 4)
    assert workload.of(1, 90, NOON).lost(9, NOON).replicas(NOON) == Replicas(1, 0)


def test_without_a_node_nobody_becomes_ready() -> None:
    """Those that start lack it first; who comes later finds none either, until there is room."""
    full = workload.of(4, 90, NOON).scaled(6, NOON).without_node(2, NOON)
    assert full.replicas(LATER) == Replicas(6, 4, 2)
    assert full.placed == 4
    assert full.scaled(8, NOON).replicas(LATER) == Replicas(8, 4, 4)
    room = full.without_node(0, LATER)
    assert room.replicas(LATER) == Replicas(6, 4)
    assert room.replicas(LATER + timedelta(seconds=90)) == Replicas(6, 6)
    assert full.scaled(5, NOON).replicas(LATER) == Replicas(5, 4, 1)


def test_starts_are_measured() -> None:
    """From five on a start-up is known, those of the beginning included."""
    four = workload.of(4, 90, NOON)
    assert four.startup_p95_s(NOON) is None
    assert four.scaled(5, NOON).startup_p95_s(NOON) is None
    assert four.scaled(5, NOON).startup_p95_s(LATER) == 90
    assert four.lost(1, NOON).startup_p95_s(LATER) == 90


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["scale", "lose", "node"]), st.integers(0, 30)), max_size=20
    )
)
def test_it_always_adds_up(steps: list[tuple[str, int]]) -> None:
    """Whatever happens, ready and unplaced replicas are part of those that are asked for."""
    now, there = NOON, workload.of(3, 60, NOON)
    for what, count in steps:
        now += timedelta(seconds=20)
        if what == "scale":
            there = there.scaled(count, now)
            assert there.replicas(now).current == count
        elif what == "lose":
            there = there.lost(count, now)
        else:
            there = there.without_node(count, now)
        replicas = there.replicas(now)
        assert replicas.ready + replicas.unschedulable <= replicas.current
