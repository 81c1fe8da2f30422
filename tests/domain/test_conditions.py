"""Conditions: a transition is a change of status, and of nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import conditions, times
from budaiscaler.domain.conditions import Condition, Transition, Truth
from tests.conftest import NOON

LATER = NOON + timedelta(hours=1)


def _at_noon(*wanted: Condition) -> list[dict[str, Any]]:
    rendered, _ = conditions.merge([], wanted, generation=1, now=NOON)
    return rendered


def test_a_first_condition_is_a_transition_from_nothing() -> None:
    """It carries the generation it is about and the time at which it appeared."""
    told = Condition("Ready", "True", "ScalerReady", "all is well")
    rendered, transitions = conditions.merge([], [told], generation=3, now=NOON)
    assert rendered == [
        {
            "type": "Ready",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-01-05T12:00:00Z",
            "reason": "ScalerReady",
            "message": "all is well",
        }
    ]
    assert transitions == [Transition(None, told)]


def test_a_new_reason_or_message_is_no_transition() -> None:
    """The time stays while the status does, whatever is said about it."""
    before = _at_noon(Condition("Ready", "False", "NoData", "a is dead"))
    told = Condition("Ready", "False", "BadQuery", "b is dead")
    rendered, transitions = conditions.merge(before, [told], generation=2, now=LATER)
    assert rendered[0]["lastTransitionTime"] == times.rfc3339(NOON)
    assert (rendered[0]["reason"], rendered[0]["observedGeneration"]) == ("BadQuery", 2)
    assert transitions == []


def test_a_new_status_is_a_transition() -> None:
    """The time moves with it, and what it was before is told."""
    before = _at_noon(Condition("Ready", "False", "NoData", "a is dead"))
    told = Condition("Ready", "True", "ScalerReady", "it is back")
    rendered, transitions = conditions.merge(before, [told], generation=1, now=LATER)
    assert rendered[0]["lastTransitionTime"] == times.rfc3339(LATER)
    assert transitions == [Transition("False", told)]


def test_what_is_no_longer_wanted_goes_and_what_others_own_is_not_repeated() -> None:
    """Only what the caller wants is rendered: an apply takes back the rest of its own."""
    before = _at_noon(
        Condition("UnitAssumed", "True", "Guess", ""), Condition("AbleToScale", "True", "Other", "")
    )
    rendered, _ = conditions.merge(
        before, [Condition("Ready", "True", "ScalerReady", "")], generation=1, now=NOON
    )
    assert [condition["type"] for condition in rendered] == ["Ready"]


def test_a_message_is_cut_to_what_a_status_can_carry() -> None:
    """Thirty-two dead sources with long messages still fit, and show that they were cut."""
    assert conditions.shorten("x" * 1024) == "x" * 1024
    cut = _at_noon(Condition("Ready", "False", "NoData", "x" * 5000))[0]["message"]
    assert len(cut) == 1024
    assert cut.endswith("x…")


_truths: st.SearchStrategy[Truth] = st.sampled_from(["True", "False", "Unknown"])
_wanted = st.lists(
    st.builds(
        Condition,
        type=st.sampled_from(["Ready", "ScalingActive", "ScalingLimited", "UnitAssumed"]),
        status=_truths,
        reason=st.text(max_size=3),
        message=st.text(max_size=3),
    ),
    unique_by=lambda condition: condition.type,
)


@given(_wanted, _wanted)
def test_the_transition_time_moves_exactly_with_the_status(
    first: list[Condition], second: list[Condition]
) -> None:
    """For any two reports in a row: same status, same time; another status, the new time."""
    before = {condition.type: condition.status for condition in first}
    rendered, transitions = conditions.merge(_at_noon(*first), second, generation=2, now=LATER)
    for condition in rendered:
        kept = before.get(condition["type"]) == condition["status"]
        assert condition["lastTransitionTime"] == times.rfc3339(NOON if kept else LATER)
    changed = {c.type for c in second if before.get(c.type) != c.status}
    assert {transition.now.type for transition in transitions} == changed


@given(_wanted)
def test_the_same_report_again_changes_nothing(wanted: list[Condition]) -> None:
    """Merged with itself, a report is what it was, in whatever order it is given."""
    once = _at_noon(*wanted)
    again, transitions = conditions.merge(
        list(reversed(once)), list(reversed(wanted)), generation=1, now=LATER
    )
    assert (again, transitions) == (once, [])
