"""A leader that changes in the middle of a story: nothing is lower for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import samples
from tests.explaining import worlds
from tests.stories.telling import told

POLICIES = {
    "scaleUp": {"policies": [{"type": "Pods", "value": 3, "periodSeconds": 60}]},
    "scaleDown": {
        "stabilizationWindowSeconds": 120,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    },
}

series = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda run: f"{run[0]}x{run[1]}"),
        st.integers(1, 8).map(lambda count: f"_x{count}"),
    ),
    min_size=2,
    max_size=6,
).map(lambda terms: " ".join([*terms, "5x60"]))


def counts(strategy: str, behavior: Any, total: str, *events: Any) -> list[int]:
    """What is asked for in ten minutes, decision by decision."""
    fields = {} if behavior is None else {"behavior": behavior}
    scaler = worlds.document(samples.total(), strategy=strategy, **fields)
    steps = told({"at": "10m", "desired": ">=0"}, scaler=scaler, total=total, events=list(events))
    return [step.desired for step in steps]


@pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
@settings(max_examples=10)  # each is two stories of ten minutes
@given(
    behavior=st.sampled_from([None, POLICIES]),
    total=series,
    at_s=st.integers(0, 600),
)
def test_never_lower_than_uninterrupted(
    strategy: str, behavior: Any, total: str, at_s: int
) -> None:
    """Wherever it is restarted, every decision after asks for as many as without, or more."""
    before = counts(strategy, behavior, total)
    after = counts(strategy, behavior, total, {"at": f"{at_s}s", "restart": "evaluator"})
    assert all(one <= other for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
def test_at_rest_a_restart_changes_nothing(strategy: str) -> None:
    """The same decisions, one for one."""
    restart = {"at": "5m", "restart": "evaluator"}
    plain, interrupted = (counts(strategy, None, "5x200", *events) for events in ((), (restart,)))
    assert plain == interrupted


@pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
def test_a_window_is_not_forgotten(strategy: str) -> None:
    """Restarted just after a peak, the replicas stay as long as they would have."""
    restart = {"at": "2m", "restart": "evaluator"}
    plain, interrupted = (
        counts(strategy, POLICIES, "5x3 12x3 5x200", *events) for events in ((), (restart,))
    )
    assert plain == interrupted
