"""HPA strategy: a source without data may let others scale up, and never scales down."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest

from budaiscaler.domain.decision import Code, Stage, State
from budaiscaler.domain.readings import NoData, NoDataReason, Observed
from tests import samples
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Story, rung, told

TWO = samples.spec(samples.total(name="a"), samples.total(name="b"))


@pytest.mark.parametrize(
    ("says", "desired"),
    [
        pytest.param({"a": 20, "b": DEAD}, 20, id="the-other-scales-up"),
        pytest.param({"a": DEAD, "b": 20}, 20, id="whichever-it-is"),
        pytest.param({"a": 3, "b": DEAD}, 10, id="the-other-does-not-scale-down"),
        pytest.param({"a": DEAD, "b": 0}, 10, id="nor-to-nothing"),
        pytest.param({"a": DEAD, "b": DEAD}, 10, id="none-has-data"),
        pytest.param({"a": 3}, 10, id="one-was-never-read"),
        pytest.param({}, 10, id="none-was-ever-read"),
    ],
)
def test_missing_data_never_scales_down(says: dict[str, Observed], desired: int) -> None:
    """At ten replicas, whoever is missing stands for ten."""
    assert Story(TWO).step(10, says).desired_replicas == desired


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(math.nan, NoDataReason.NOT_A_NUMBER, id="nan"),
        pytest.param(math.inf, NoDataReason.NOT_A_NUMBER, id="infinity"),
        pytest.param(-math.inf, NoDataReason.NOT_A_NUMBER, id="minus-infinity"),
        pytest.param(-5.0, NoDataReason.NEGATIVE, id="negative"),
    ],
)
def test_what_is_no_number_holds_the_replicas(value: float, reason: NoDataReason) -> None:
    """An idle counter's 0/0 neither scales to the minimum nor an overflow to the maximum."""
    decision = Story(samples.spec()).step(10, {"queue": value})
    assert (decision.desired_replicas, decision.desired_load) == (10, 10.0)
    assert told(decision, "ScalingActive")[2].startswith(f"no source has data: queue ({reason})")


def test_while_one_source_answers_scaling_is_active_and_the_other_is_named() -> None:
    """One dead of two is worth a word, not an alarm."""
    status, reason, message = told(Story(TWO).step(10, {"a": 12, "b": DEAD}), "ScalingActive")
    assert (status, reason) == ("True", "ValidMetricFound")
    assert message == (
        "the load could be computed; without data, so holding scale-down: "
        "b (Unreachable): the server is down"
    )


def test_without_any_data_it_holds_since_the_last_good_decision() -> None:
    """The time of the last data is remembered for as long as there is none, and then renewed."""
    story = Story(TWO)
    story.step(10, {"a": 9, "b": 9})
    good_at = story.now
    held = [story.step(10, {"a": DEAD, "b": DEAD}) for _ in range(10)]
    assert story.state.good_at == good_at
    assert {decision.bound_by for decision in held} == {Stage.SOURCE}
    assert told(held[-1], "ScalingActive")[:2] == ("False", "NoData")
    story.step(10, {"a": DEAD, "b": 9})
    assert story.state.good_at == story.now


def test_a_scaler_that_never_had_data_holds_since_never() -> None:
    """Nothing is made up for it, so nothing can be published."""
    story = Story(TWO)
    story.step(10, {"a": DEAD, "b": DEAD})
    assert story.state.good_at is None


def test_a_source_that_was_not_read_yet_is_said_to_be() -> None:
    """The first seconds of a scaler do not read as an outage."""
    decision = Story(samples.spec()).step(10)
    assert told(decision, "ScalingActive")[2] == (
        "no source has data: queue (NotYetRead): the source was not read yet"
    )


def test_a_level_says_nothing_while_no_replica_is_ready() -> None:
    """A mean over nothing is no zero: it holds, and the condition says why."""
    decision = Story(samples.spec(samples.level())).step(10, {"usage": 0.0}, ready=0)
    assert decision.desired_replicas == 10
    status, _, message = told(decision, "ScalingActive")
    assert status == "False"
    assert "usage (NoReadyPods): a level per replica says nothing" in message


def test_a_level_says_nothing_where_the_replicas_cannot_be_counted() -> None:
    """A kind whose scale has no selector counts those that start: 4 -> 8 -> 16 -> 32 it went."""
    story = Story(samples.spec(samples.level()))
    decision = story.step(4, {"usage": 2}, are_counted=False)
    assert decision.desired_replicas == 4
    status, _, message = told(decision, "ScalingActive")
    assert status == "False"
    assert "usage (PodsUnknown)" in message
    assert "targetType: AverageValue" in message


def test_a_total_counts_where_the_replicas_cannot_be_counted() -> None:
    """It needs no count; what is missing as far as the scale tells holds it as anywhere."""
    story = Story(samples.spec())
    assert story.step(4, {"queue": 8}, are_counted=False).desired_replicas == 8
    assert story.step(8, {"queue": 4}, ready=5, are_counted=False).desired_replicas == 8
    assert story.step(8, {"queue": 4}, are_counted=False).desired_replicas == 4


def test_a_level_without_ready_replicas_is_named_beside_a_total_that_answers() -> None:
    """The total may scale up; what keeps it from scaling down is not left out."""
    story = Story(samples.spec(samples.total(), samples.level()))
    decision = story.step(10, {"queue": 20, "usage": 0.0}, ready=0)
    assert decision.desired_replicas == 20
    assert "usage (NoReadyPods)" in told(decision, "ScalingActive")[2]


def test_a_total_counts_although_no_replica_is_ready() -> None:
    """The queue in front of a dead workload still grows, and needs replicas."""
    assert Story(samples.spec()).step(2, {"queue": 6}, ready=0).desired_replicas == 6


def test_each_missing_source_has_its_rung() -> None:
    """The ladder shows who holds, with the code that alerts filter by."""
    decision = Story(TWO).step(10, {"a": 3, "b": NoData(NoDataReason.TIMEOUT, "too slow")})
    held = rung(decision, Code.NO_DATA)
    assert (held.before, held.after) == (10, 10)
    assert held.message == "b: no data (Timeout), so it holds 10"
    assert rung(decision, Code.HOLD).after == 10


def test_data_that_comes_back_acts_at_once() -> None:
    """A hold is over with the first reading; what it asks for is done."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": DEAD}).desired_replicas == 10
    assert story.step(10, {"queue": 4}).desired_replicas == 4


def test_a_good_reading_makes_the_state_good_as_of_now() -> None:
    """What a later hold counts from is the time of the decision."""
    story = Story(samples.spec(), state=State(good_at=NOON - timedelta(hours=1)))
    story.step(10, {"queue": 4}, after_s=0)
    assert story.state.good_at == NOON
