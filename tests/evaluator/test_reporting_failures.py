"""When no decision can be made: what is kept, what is taken back, and which events it is worth."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import (
    InvalidSpecError,
    KubeUnreachableError,
    NotFoundError,
    OverloadedError,
)
from budaiscaler.domain.readings import NoData, NoDataReason
from tests import samples
from tests.evaluator.reports import Reporter

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")
WRONG = NoData(NoDataReason.BAD_QUERY, "it does not parse")
INVALID = InvalidSpecError("spec.maxReplicas: too small: raise it")
MISSING = NotFoundError(404, "NotFound", "Deployment chat does not exist")
OVERLOADED = OverloadedError(503, "", "etcd is slow")
BUG = ZeroDivisionError("a bug")

GUESSED = samples.spec(samples.total(targetType=None))


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        pytest.param(INVALID, "InvalidSpec", "raise it", id="the-spec"),
        pytest.param(MISSING, "TargetNotFound", "check scaleTargetRef", id="the-target"),
        pytest.param(OVERLOADED, "TargetNotReadable", "etcd is slow", id="the-server"),
        pytest.param(
            KubeUnreachableError("refused"), "TargetNotReadable", "refused", id="no-server"
        ),
        pytest.param(BUG, "InternalError", "the log of the leader has it", id="ourselves"),
    ],
)
def test_a_failure_says_what_is_wrong_and_whose_it_is(
    error: Exception, reason: str, message: str
) -> None:
    """Neither ready nor active, with a remedy where there is one, and a bug is not quoted."""
    reporter = Reporter()
    assert reporter.failed(error) == [("Warning", reason)]
    assert reporter.condition("Ready") == ("False", reason)
    assert reporter.condition("ScalingActive") == ("False", reason)
    (ready,) = (c for c in reporter.status["conditions"] if c["type"] == "Ready")
    assert message in ready["message"]
    assert "a bug" not in ready["message"].partition(";")[0]


@pytest.mark.parametrize("error", [INVALID, MISSING], ids=["the-spec", "the-target"])
def test_what_cannot_be_used_publishes_nothing(error: Exception) -> None:
    """Figures of another spec, or for a workload that is gone, help nobody."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    reporter.failed(error)
    assert set(reporter.status) == {"observedGeneration", "decisionTime", "conditions"}


@pytest.mark.parametrize("error", [OVERLOADED, BUG], ids=["the-server", "ourselves"])
def test_a_failure_that_may_pass_holds_the_last_figures(error: Exception) -> None:
    """For as long as it lasts, marked with the time of the last good decision."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    before = reporter.status
    for _ in range(3):
        reporter.failed(error)
    kept = ("desiredLoad", "desiredScale", "actualScale", "boundBy", "reasons")
    assert all(reporter.status[key] == before[key] for key in kept)
    assert reporter.status["holdingSince"] == "2026-01-05T12:00:15Z"


def test_the_sources_of_held_figures_are_held_too() -> None:
    """An HPA that reads a source itself must not take the value for one of now."""
    reporter = Reporter(samples.spec(samples.total(), samples.level()))
    reporter.decided({"queue": 6, "usage": 1})
    reporter.decided({"queue": 6, "usage": DEAD})
    reporter.failed(OVERLOADED)
    assert reporter.source(0) == {
        "value": "6.0",
        "noDataSince": "2026-01-05T12:00:30Z",
        "reason": "TargetNotReadable",
    }
    assert reporter.source(1) == {
        "value": "1.0",
        "noDataSince": "2026-01-05T12:00:30Z",
        "reason": "Unreachable",
    }
    reporter.decided({"queue": 7, "usage": 1})
    assert reporter.source(0) == {"value": "7.0"}


def test_the_figures_of_another_spec_are_not_held() -> None:
    """Pointed at another workload whose scale cannot be read, it does not get the old load."""
    reporter = Reporter()
    reporter.decided({"queue": 60})
    reporter.edit(samples.spec(scaleTargetRef={"name": "other"}))
    reporter.failed(OVERLOADED)
    assert "desiredLoad" not in reporter.status
    assert "holdingSince" not in reporter.status


def test_without_any_good_decision_there_is_nothing_to_hold() -> None:
    """A scaler that begins with a failure publishes nothing."""
    reporter = Reporter()
    reporter.failed(OVERLOADED)
    assert set(reporter.status) == {"observedGeneration", "decisionTime", "conditions"}


def test_a_scaler_that_is_well_from_the_start_is_no_news() -> None:
    """A thousand new scalers write no thousand events."""
    assert Reporter().decided({"queue": 6}) == []


def test_one_cause_is_one_event_and_one_recovery() -> None:
    """A dead source turns two conditions over; it is told once, and once that it is back."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    assert reporter.decided({"queue": DEAD}) == [("Warning", "NoData")]
    assert reporter.decided({"queue": DEAD}) == []
    assert reporter.decided({"queue": 6}) == [("Normal", "Recovered")]
    assert reporter.decided({"queue": 6}) == []


def test_a_cause_that_turns_into_another_is_no_new_event() -> None:
    """It was not well before, and is not well now; the condition says why."""
    reporter = Reporter()
    assert reporter.decided({"queue": WRONG}) == [("Warning", "BadQuery")]
    assert reporter.failed(OVERLOADED) == []
    assert reporter.condition("Ready") == ("False", "TargetNotReadable")
    assert reporter.decided({"queue": 6}) == [("Normal", "Recovered")]


def test_switching_a_workload_off_and_on_is_told() -> None:
    """It is ready, but nothing is scaled; then something is again."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    assert reporter.decided({"queue": 0}, current=0) == [("Warning", "ScalingDisabled")]
    assert reporter.decided({"queue": 6}) == [("Normal", "ValidMetricFound")]


def test_being_limited_is_a_condition_and_no_event() -> None:
    """Who runs at his maximum every noon needs no event each day."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    assert reporter.decided({"queue": 600}) == []
    assert reporter.condition("ScalingLimited") == ("True", "TooManyReplicas")


def test_a_guessed_unit_is_told_once() -> None:
    """Not again after each failure that passed, nor after a target that was gone for a while."""
    reporter = Reporter(GUESSED)
    assert reporter.decided({"queue": 6}) == [("Warning", "UnitAssumed")]
    for error in (OVERLOADED, BUG, MISSING):
        assert [reason for _, reason in reporter.failed(error)] != ["UnitAssumed"]
        assert reporter.condition("UnitAssumed") == ("True", "TargetTypeNotSet")
        assert reporter.decided({"queue": 6}) == [("Normal", "Recovered")]


def test_a_guess_that_is_no_longer_one_goes() -> None:
    """Once targetType is set, or the spec cannot be read at all, nothing is assumed."""
    reporter = Reporter(GUESSED)
    reporter.decided({"queue": 6})
    reporter.failed(INVALID)
    assert reporter.condition("UnitAssumed") is None
    reporter.edit(samples.spec())
    reporter.decided({"queue": 6})
    assert reporter.condition("UnitAssumed") is None
