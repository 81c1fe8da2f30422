"""Look-back: a recommendation that does not last moves nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.algorithms import stabilization
from budaiscaler.domain.algorithms.stabilization import Recommendations
from tests.conftest import NOON


def _s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _past(*entries: tuple[int, int]) -> Recommendations:
    """What was recommended, by seconds ago."""
    return tuple((NOON - _s(ago), count) for ago, count in entries)


@pytest.mark.parametrize(
    ("wanted", "past", "up_s", "down_s", "answer"),
    [
        pytest.param(2, _past((100, 5)), 0, 300, 5, id="down-waits-for-the-window"),
        pytest.param(2, _past((300, 5)), 0, 300, 2, id="and-no-longer"),
        pytest.param(2, _past((100, 9), (50, 3)), 0, 300, 5, id="never-above-what-stands"),
        pytest.param(2, _past((100, 3), (50, 4)), 0, 300, 4, id="down-to-the-most"),
        pytest.param(8, _past((10, 5)), 30, 300, 5, id="up-waits-too-if-asked-to"),
        pytest.param(8, _past((30, 5)), 30, 300, 8, id="and-no-longer-than-asked"),
        pytest.param(8, _past((10, 2)), 0, 300, 8, id="up-at-once-by-default"),
        pytest.param(8, _past((20, 7), (10, 6)), 30, 300, 6, id="up-to-the-fewest"),
        pytest.param(8, _past((10, 2)), 30, 300, 5, id="a-dip-keeps-what-stands"),
        pytest.param(2, (), 30, 300, 2, id="without-a-past"),
    ],
)
def test_of_a_window_the_safest_is_taken(
    wanted: int, past: Recommendations, up_s: float, down_s: float, answer: int
) -> None:
    """Five stand; the window of each direction looks back over raw recommendations."""
    got, rung = stabilization.stabilize(5, wanted, past, up=_s(up_s), down=_s(down_s), now=NOON)
    assert got == answer
    assert (rung is not None) == (got != wanted)


@given(
    past=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 20)), max_size=60),
    wanted=st.integers(0, 20),
    up_s=st.integers(0, 3600),
    down_s=st.integers(0, 3600),
)
def test_what_is_forgotten_makes_no_difference(
    past: list[tuple[int, int]], wanted: int, up_s: int, down_s: int
) -> None:
    """What is kept of any past gives the answer that the whole of it gives."""
    whole = _past(*sorted(past, reverse=True))
    kept: Recommendations = ()
    for at, count in whole:
        kept = stabilization.remember(kept, count, _s(3600), at)
    answers = {
        stabilization.stabilize(10, wanted, entries, up=_s(up_s), down=_s(down_s), now=NOON)[0]
        for entries in (whole, kept)
    }
    assert len(answers) == 1
    assert len(kept) <= 41


def test_when_a_window_lets_go_is_known() -> None:
    """The last larger recommendation was a minute ago, so in four minutes the five may shrink."""
    past = _past((200, 6), (60, 5), (10, 2))
    assert stabilization.ends(5, 2, past, _s(300), NOON) == NOON + _s(240)
