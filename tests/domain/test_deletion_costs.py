"""The pods that are named to go first are those with the least to do, and no others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import deletion_costs
from budaiscaler.domain.deletion_costs import MARK, MOST_WRITES, Candidate, Marks


def _pods(*loads: float | None) -> list[Candidate]:
    """Ready pods a, b, c, ... with these loads, and without a cost."""
    return [_pod(chr(ord("a") + i), load) for i, load in enumerate(loads)]


def _pod(
    name: str, load: float | None, *, ready: bool = True, cost: str | None = None
) -> Candidate:
    return Candidate(name, ready, cost, load)


@pytest.mark.parametrize(
    ("pods", "going", "marks"),
    [
        pytest.param(_pods(3, 1, 2), 1, Marks(("b",)), id="the-idlest"),
        pytest.param(_pods(3, 1, 2), 2, Marks(("b", "c")), id="as-many-as-go"),
        pytest.param(_pods(1, 1, 1), 2, Marks(("a", "b")), id="alike-by-name"),
        pytest.param(_pods(3, None, 2), 1, Marks(("c",)), id="not-one-of-which-nothing-is-known"),
        pytest.param(_pods(None, None), 1, Marks(), id="nothing-known-nothing-written"),
        pytest.param(_pods(3, 1), 0, Marks(), id="none-goes"),
        pytest.param(
            [*_pods(3, 1), _pod("lost", None, ready=False)],
            1,
            Marks(),
            id="an-unready-one-goes-first",
        ),
        pytest.param(
            [*_pods(3, 1), _pod("lost", 0.0, ready=False)],
            2,
            Marks(("b",)),
            id="and-then-the-idlest",
        ),
        pytest.param(
            [*_pods(3, 2), _pod("theirs", 1.0, cost="5")],
            1,
            Marks(("b",)),
            id="costs-of-others-stay",
        ),
        pytest.param(
            [*_pods(3, 1), _pod("old", 5.0, cost=MARK)],
            1,
            Marks(("b",), ("old",)),
            id="an-old-mark",
        ),
        pytest.param(
            [*_pods(3, 1), _pod("old", 1.0, cost=MARK)], 1, Marks(), id="a-mark-that-fits-stays"
        ),
        pytest.param(
            [_pod("old", None, cost=MARK)], 1, Marks((), ("old",)), id="an-old-mark-of-one-unknown"
        ),
    ],
)
def test_who_is_named(pods: list[Candidate], going: int, marks: Marks) -> None:
    """Only as many as go, only where the load is known, and old marks are taken away."""
    assert deletion_costs.choose(pods, going) == marks


@given(
    pods=st.lists(
        st.builds(
            Candidate,
            name=st.uuids().map(str),
            ready=st.booleans(),
            cost=st.sampled_from([None, MARK, "0", "7"]),
            load=st.none() | st.floats(0, 1e9),
        ),
        max_size=100,
        unique_by=lambda pod: pod.name,
    ),
    going=st.integers(0, 120),
)
def test_nobody_idler_is_passed_over(pods: list[Candidate], going: int) -> None:
    """After the writes, whoever carries our mark has no more to do than any that could have it."""
    marks = deletion_costs.choose(pods, going)
    assert len(marks.mark) + len(marks.clear) <= MOST_WRITES
    assert not set(marks.mark) & set(marks.clear)
    carrying = {pod.name for pod in pods if pod.cost == MARK} - {*marks.clear} | {*marks.mark}
    by_name = {pod.name: pod for pod in pods}
    named = [by_name[name] for name in marks.mark]
    others = [
        pod
        for pod in pods
        if pod.ready and pod.load is not None and pod.cost is None and pod.name not in carrying
    ]
    assert all(pod.ready and pod.cost is None and pod.load is not None for pod in named)
    assert len(named) <= going
    assert all((one.load or 0) <= (other.load or 0) for one in named for other in others)
