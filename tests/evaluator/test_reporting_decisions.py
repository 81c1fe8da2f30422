"""A decision as a status: what is published, what is held, and since when."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.status import ScalerStatus
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.readings import NoData, NoDataReason
from tests import samples
from tests.evaluator.reports import Reporter

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")
WRONG = NoData(NoDataReason.BAD_QUERY, "it does not parse")
TWO = samples.spec(samples.total(), samples.level())


def test_a_status_fits_the_schema_and_nothing_in_it_is_lost() -> None:
    """Every field that is written exists in the CRD, so no server prunes it."""
    reporter = Reporter(TWO)
    reporter.decided({"queue": 120, "usage": DEAD})
    parsed = ScalerStatus.model_validate(reporter.status)
    assert parsed.model_dump(by_alias=True, exclude_none=True, mode="json") == reporter.status


def test_values_are_written_as_they_were_read() -> None:
    """To the last bit: another leader goes on with the same number."""
    reporter = Reporter()
    reporter.decided({"queue": 0.1 + 0.2})
    assert reporter.source() == {"value": "0.30000000000000004"}


def test_a_hold_tells_when_it_ends_by_itself() -> None:
    """Nobody has to wait for what never comes; what only new data change has no time."""
    reporter = Reporter()
    reporter.decided({"queue": 4})
    assert "next" not in reporter.status
    reporter.decided({"queue": 3}, ready=3)
    assert reporter.status["next"] == {
        "time": "2026-01-05T12:10:30Z",
        "message": "lost or starting replicas stop holding the recommendation",
    }
    parsed = ScalerStatus.model_validate(reporter.status)
    assert parsed.model_dump(by_alias=True, exclude_none=True, mode="json") == reporter.status
    reporter.decided({"queue": 4}, ready=3)
    assert "next" not in reporter.status


def test_a_source_is_named_and_published_under_its_own_names() -> None:
    """One for the user, one for the path."""
    reporter = Reporter(samples.spec(samples.total(name="Tokens/s")))
    reporter.decided({"Tokens/s": 3})
    (entry,) = reporter.status["sources"]
    assert (entry["name"], entry["metric"]) == ("Tokens/s", "tokens_s")


def test_a_silent_source_keeps_its_last_value_and_says_since_when() -> None:
    """For as long as it is silent, and not a moment after it speaks again."""
    reporter = Reporter()
    reporter.decided({"queue": 5})
    for _ in range(3):
        reporter.decided({"queue": DEAD})
        assert reporter.source() == {
            "value": "5.0",
            "noDataSince": "2026-01-05T12:00:30Z",
            "reason": "Unreachable",
        }
    reporter.decided({"queue": 6})
    assert reporter.source() == {"value": "6.0"}


def test_a_source_that_never_spoke_has_no_value() -> None:
    """Nothing is made up for it."""
    reporter = Reporter()
    reporter.decided({"queue": DEAD})
    assert reporter.source() == {"noDataSince": "2026-01-05T12:00:15Z", "reason": "Unreachable"}


def test_an_edited_source_does_not_keep_the_value_of_the_old_query() -> None:
    """An HPA that reads it must not get, under the same name, another query's number."""
    reporter = Reporter()
    reporter.decided({"queue": 500})
    reporter.edit(samples.spec(samples.total(promQL="sum(in_seconds_now)")))
    reporter.decided({"queue": DEAD})
    assert "value" not in reporter.source()
    reporter.decided({"queue": DEAD})
    assert "value" not in reporter.source()


def test_without_any_data_the_load_is_held_since_the_last_good_decision() -> None:
    """What stands is published, marked with its age, so that readers can give it up."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    reporter.decided({"queue": DEAD}, current=5)
    assert reporter.status["desiredLoad"] == "5"
    assert reporter.status["holdingSince"] == "2026-01-05T12:00:15Z"
    assert reporter.condition("ScalingActive") == ("False", "NoData")
    reporter.decided({"queue": 6})
    assert "holdingSince" not in reporter.status


def test_one_source_that_answers_is_enough_for_a_good_decision() -> None:
    """Nothing is held while the other one is silent."""
    reporter = Reporter(TWO)
    reporter.decided({"queue": DEAD, "usage": 1})
    assert reporter.status["desiredLoad"] == "4"
    assert "holdingSince" not in reporter.status
    assert reporter.condition("ScalingActive") == ("True", "ValidMetricFound")


def test_without_any_data_ever_nothing_is_published() -> None:
    """An HPA gets an error, and freezes; it does not get a number that nobody measured."""
    reporter = Reporter()
    reporter.decided({"queue": DEAD})
    assert "desiredLoad" not in reporter.status
    assert "holdingSince" not in reporter.status
    assert reporter.status["desiredScale"] == 4


def test_a_workload_that_is_switched_off_publishes_nothing() -> None:
    """Its 0 would be read once more by the HPA when the owner switches it on again."""
    reporter = Reporter()
    reporter.decided({"queue": 6})
    reporter.decided({"queue": 0}, current=0)
    assert "desiredLoad" not in reporter.status
    assert "holdingSince" not in reporter.status
    assert reporter.condition("ScalingActive") == ("False", "ScalingDisabled")
    assert reporter.condition("Ready") == ("True", "ScalerReady")


@pytest.mark.parametrize(
    ("spec", "says", "ready"),
    [
        pytest.param(TWO, {"queue": 1, "usage": 1}, ("True", "ScalerReady"), id="all-is-well"),
        pytest.param(TWO, {"queue": 1, "usage": DEAD}, ("True", "ScalerReady"), id="one-is-silent"),
        pytest.param(TWO, {"queue": DEAD, "usage": DEAD}, ("False", "NoData"), id="all-are-silent"),
        pytest.param(TWO, {"queue": 1, "usage": WRONG}, ("False", "BadQuery"), id="one-is-wrong"),
        pytest.param(
            TWO, {"queue": DEAD, "usage": WRONG}, ("False", "BadQuery"), id="what-can-be-mended"
        ),
    ],
)
def test_ready_says_whether_somebody_has_to_do_something(
    spec: ScalerSpec, says: dict[str, float | NoData], ready: tuple[str, str]
) -> None:
    """What only an edit mends comes first, then an outage; one silent source of two is neither."""
    reporter = Reporter(spec)
    reporter.decided(says)
    assert reporter.condition("Ready") == ready


def test_a_ladder_of_many_dead_sources_still_fits() -> None:
    """Thirty-two sources with the longest names and messages stay within the schema's bounds."""
    names = [f"{i:02}" + "x" * 251 for i in range(32)]
    reporter = Reporter(samples.spec(*(samples.total(name=name) for name in names)))
    reporter.decided({name: NoData(NoDataReason.TIMEOUT, "y" * 5000) for name in names})
    assert len(reporter.status["reasons"]) <= 64
    texts = [rung["message"] for rung in reporter.status["reasons"]]
    texts += [condition["message"] for condition in reporter.status["conditions"]]
    assert max(map(len, texts)) <= 1024


def test_a_scaler_that_cannot_scale_is_not_ready() -> None:
    """`kubectl get` shows it at a glance, and why; the event of it is told by whoever found out."""
    reporter = Reporter()
    taken = Condition("AbleToScale", "False", "ForeignAutoscaler", "HPA mine is on it")
    assert reporter.decided({"queue": 5}, able=taken) == []
    assert reporter.condition("Ready") == ("False", "ForeignAutoscaler")
    assert reporter.condition("ScalingActive") == ("True", "ValidMetricFound")
    assert reporter.decided({"queue": 5}, able=taken) == []

    free = Condition("AbleToScale", "True", "HPAOwned", "HPA chat-hpa scales it")
    assert reporter.decided({"queue": 5}, able=free) == [("Normal", "Recovered")]
    assert reporter.condition("Ready") == ("True", "ScalerReady")


def test_what_only_an_edit_mends_comes_before_who_else_is_there() -> None:
    """Of two reasons the one that no other object can end is told."""
    reporter = Reporter(TWO)
    taken = Condition("AbleToScale", "False", "ForeignAutoscaler", "HPA mine is on it")
    assert reporter.decided({"queue": WRONG, "usage": 1}, able=taken) == [("Warning", "BadQuery")]
    assert reporter.condition("Ready") == ("False", "BadQuery")
