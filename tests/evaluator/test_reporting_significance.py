"""Which difference between two statuses cannot wait, and which is none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator import restoring, significance
from tests import samples, strategies
from tests.conftest import NOON
from tests.evaluator.reports import Reporter

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")
TWO = samples.spec(samples.total(), samples.level())


def _nobody(_: str) -> bool:
    return False


def _everybody(_: str) -> bool:
    return True


def _status(queue: float | NoData = 40.0, usage: float | NoData = 1.0) -> dict[str, Any]:
    reporter = Reporter(TWO)
    reporter.decided({"queue": 40.0, "usage": 1.0}, current=40)
    reporter.decided({"queue": queue, "usage": usage}, current=40)
    return reporter.status


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"desiredScale": 41}, id="the-replicas-wanted"),
        pytest.param({"actualScale": 41}, id="the-replicas-there-are"),
        pytest.param({"observedGeneration": 2}, id="the-spec"),
        pytest.param({"holdingSince": "2026-01-05T12:00:00Z"}, id="a-hold"),
        pytest.param({"desiredLoad": None}, id="nothing-is-published-any-more"),
        pytest.param({"conditions": []}, id="a-condition"),
        pytest.param({"sources": []}, id="the-sources"),
        pytest.param({"predictionStatus": {"activeScheduleHint": "day"}}, id="a-schedule-hint"),
    ],
)
def test_what_a_reader_acts_on_cannot_wait(changed: dict[str, Any]) -> None:
    """In whichever direction it changes."""
    before = _status()
    after = {key: value for key, value in {**before, **changed}.items() if value is not None}
    assert significance.is_significant(before, after, _nobody)
    assert significance.is_significant(after, before, _nobody)


def test_a_condition_with_another_reason_cannot_wait_but_with_another_message_can() -> None:
    """The reason is what machines read."""
    before, after = _status(), _status()
    (ready,) = (c for c in after["conditions"] if c["type"] == "Ready")
    ready["message"] = "in other words"
    assert not significance.is_significant(before, after, _everybody)
    ready["reason"] = "AnotherReason"
    assert significance.is_significant(before, after, _nobody)


def test_the_words_about_a_pause_cannot_wait() -> None:
    """Who moves its end looks whether it was understood, and no figure in them jitters."""
    before, after = _status(), _status()
    (paused,) = (c for c in after["conditions"] if c["type"] == "Paused")
    paused["message"] = "until five o'clock"
    assert significance.is_significant(before, after, _nobody)


def test_a_source_that_falls_silent_or_speaks_again_cannot_wait() -> None:
    """Also where the decision stays the same."""
    speaking, silent = _status(), _status(usage=DEAD)
    assert significance.is_significant(speaking, silent, _nobody)
    assert significance.is_significant(silent, speaking, _nobody)


@pytest.mark.parametrize(
    ("value", "cannot_wait"),
    [
        pytest.param(40.0, False, id="the-same"),
        pytest.param(42.0, False, id="five-percent-up"),
        pytest.param(42.1, True, id="more-than-that"),
        pytest.param(38.0, False, id="five-percent-down"),
        pytest.param(37.9, True, id="less-than-that"),
    ],
)
def test_a_value_that_an_hpa_reads_cannot_wait_once_it_moved(
    value: float, *, cannot_wait: bool
) -> None:
    """By more than five percent; what nobody reads can always wait."""
    before, after = _status(), _status(queue=value)
    assert significance.is_significant(before, after, _everybody) is cannot_wait
    assert not significance.is_significant(before, after, _nobody)
    assert significance.is_significant(before, after, lambda name: name == "queue") is cannot_wait
    assert not significance.is_significant(before, after, lambda name: name == "usage")


@pytest.mark.parametrize("junk", [None, "eight", "NaN", "-1"])
def test_a_value_that_was_none_cannot_wait_for_a_good_one(junk: str | None) -> None:
    """Whoever wrote it there, an HPA that reads it gets the real one at once."""
    before, after = _status(), _status()
    before["sources"][0]["value"] = junk
    assert significance.is_significant(before, after, _everybody)


def test_time_alone_changes_nothing() -> None:
    """The same decision a minute later is the same status."""
    reporter = Reporter(TWO)
    reporter.decided({"queue": 40.0, "usage": 1.0}, current=40)
    before = reporter.status
    reporter.now += timedelta(minutes=1)
    reporter.decided({"queue": 40.0, "usage": 1.0}, current=40)
    assert before["decisionTime"] != reporter.status["decisionTime"]
    assert not significance.is_changed(before, reporter.status)
    assert not significance.is_significant(before, reporter.status, _everybody)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        pytest.param("12:10:00", "12:11:00", False, id="a-minute-later"),
        pytest.param("12:10:00", "12:09:00", False, id="a-minute-earlier"),
        pytest.param("12:10:00", "12:11:01", True, id="more-than-that"),
        pytest.param(None, "12:10:00", True, id="it-begins"),
        pytest.param("12:10:00", None, True, id="it-is-over"),
        pytest.param(None, None, False, id="there-is-none"),
    ],
)
def test_when_it_would_change_by_itself_can_wait_and_a_little_of_it_is_nothing(
    before: str | None, after: str | None, *, changed: bool
) -> None:
    """A bound that each start measures anew costs no writes."""
    old, new = _status(), _status()
    for status, at in ((old, before), (new, after)):
        if at is not None:
            status["next"] = {"time": f"2026-01-05T{at}Z", "message": "a hold ends"}
    assert significance.is_changed(old, new) is changed
    assert not significance.is_significant(old, new, _everybody)


def test_anything_else_is_a_change_that_can_wait() -> None:
    """A load that differs within the same replicas, or a number in a message."""
    reporter = Reporter()
    reporter.decided({"queue": 35.9}, current=50)
    before = reporter.status
    reporter.decided({"queue": 35.8}, current=50)
    after = reporter.status
    assert (before["desiredLoad"], after["desiredLoad"]) == ("35900m", "35800m")
    assert significance.is_changed(before, after)
    assert not significance.is_significant(before, after, _nobody)


@pytest.mark.parametrize(
    ("queue", "jitters"),
    [
        pytest.param(40.1, False, id="no-change-is-none"),
        pytest.param(40.8, True, id="figures-that-moved-a-little"),
        pytest.param(43.0, False, id="one-that-moved-more"),
        pytest.param(90.0, False, id="another-course"),
        pytest.param(DEAD, False, id="a-silent-source"),
    ],
)
def test_jitter_is_a_little_of_the_same(queue: float | NoData, *, jitters: bool) -> None:
    """Only figures and their wording differ, and none by more than five percent."""
    assert significance.is_jitter(_status(queue=40.1), _status(queue=queue)) is jitters


def test_our_part_of_a_status_is_what_we_wrote() -> None:
    """Read back from beside the fields and conditions of others, in whatever order."""
    ours = _status()
    theirs = {
        "lastScaleTime": "2026-01-05T11:00:00Z",
        "conditions": [{"type": "AbleToScale", "status": "True"}, *reversed(ours["conditions"])],
    }
    assert restoring.own_part({**ours, **theirs}, acts=False) == ours
    assert restoring.own_part({}, acts=False) == {"conditions": []}


@given(strategies.worlds())
def test_a_status_that_is_read_back_is_no_change(world: strategies.World) -> None:
    """For any decision: a new leader that decides the same has nothing to write."""
    reporter = Reporter(world.spec, state=world.state)
    replicas = world.observation.replicas
    reporter.decided(world.observation.readings, current=replicas.current, ready=replicas.ready)
    read_back = restoring.own_part(reporter.status, acts=False)
    assert not significance.is_changed(read_back, reporter.status)
    assert not significance.is_significant(read_back, reporter.status, _everybody)


@pytest.mark.parametrize(
    ("status", "good_at"),
    [
        pytest.param({"desiredLoad": "7250m"}, NOON, id="fresh"),
        pytest.param(
            {"desiredLoad": "7", "holdingSince": "2026-01-05T11:00:00Z"},
            NOON - timedelta(hours=1),
            id="held",
        ),
        pytest.param({"desiredLoad": "seven"}, None, id="junk"),
        pytest.param({}, None, id="never-published"),
    ],
)
def test_a_status_tells_since_when_it_is_good(status: dict[str, Any], good_at: Any) -> None:
    """As of the leader's word, or since it holds; of what was never published, nobody knows."""
    state = restoring.state_of(status, NOON)
    assert state.good_at == good_at
    assert state.activity.is_initialized == (good_at is not None)
