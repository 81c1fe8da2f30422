"""HPA strategy: bounds are applied last and at once; zero belongs to the owner."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from budaiscaler.domain.decision import Code, Stage, State
from budaiscaler.kube.port import Json
from tests import samples
from tests.domain.deciding import DEAD, Story, rung, told

NEVER = {"hpa": {"manage": "Never"}}


@pytest.mark.parametrize(
    ("load", "desired", "reason", "bound_by"),
    [
        pytest.param(3, 5, "TooFewReplicas", Stage.BOUNDS, id="below"),
        pytest.param(5, 5, "DesiredWithinRange", Stage.COMBINE, id="at-the-fewest"),
        pytest.param(20, 20, "DesiredWithinRange", Stage.COMBINE, id="at-the-most"),
        pytest.param(20.001, 20, "TooManyReplicas", Stage.BOUNDS, id="a-little-above"),
        pytest.param(1e308, 20, "TooManyReplicas", Stage.BOUNDS, id="far-above"),
    ],
)
def test_the_result_lies_within_the_bounds(
    load: float, desired: int, reason: str, bound_by: Stage
) -> None:
    """And where they bind, the condition and the decision say so."""
    decision = Story(samples.spec(minReplicas=5, maxReplicas=20)).step(10, {"queue": load})
    assert (decision.desired_replicas, decision.bound_by) == (desired, bound_by)
    assert told(decision, "ScalingLimited")[1] == reason


@pytest.mark.parametrize(
    ("fields", "desired"),
    [
        pytest.param({"maxReplicas": 8}, 8, id="a-lower-maximum"),
        pytest.param({"minReplicas": 12}, 12, id="a-higher-minimum"),
    ],
)
@pytest.mark.parametrize("said", [10.0, DEAD], ids=["with-data", "without-data"])
def test_new_bounds_act_at_once(fields: dict[str, int], desired: int, said: float) -> None:
    """Neither the dead band nor a hold stands between an edit and its effect."""
    story = Story(samples.spec())
    story.step(10, {"queue": 10})
    story.spec = samples.spec(**fields)
    assert story.step(10, {"queue": said}).desired_replicas == desired


def test_lost_replicas_hold_nothing_above_the_maximum() -> None:
    """A maximum that was lowered during a loss is kept, too."""
    story = Story(samples.spec())
    story.step(10, {"queue": 10})
    story.spec = samples.spec(maxReplicas=6)
    assert story.step(10, {"queue": 5}, ready=5).desired_replicas == 6


def test_the_recommendation_is_remembered_before_the_bounds() -> None:
    """What a loss holds is the need: raised again, the maximum lets it through."""
    story = Story(samples.spec(maxReplicas=10))
    assert story.step(10, {"queue": 14}).desired_replicas == 10
    story.spec = samples.spec(maxReplicas=20)
    assert story.step(10, {"queue": 7}, ready=7).desired_replicas == 14


@pytest.mark.parametrize(
    ("load", "target"),
    [
        pytest.param(1.7976931348623157e308, "1e-99", id="the-ratio-overflows"),
        pytest.param(1.7976931348623157e308, "1", id="the-largest-float"),
        pytest.param(2.0**31, "1", id="one-more-than-an-int32"),
    ],
)
@pytest.mark.parametrize("make", [samples.total, samples.level], ids=["total", "level"])
def test_a_huge_number_asks_for_the_maximum_and_overflows_nothing(
    load: float, target: str, make: Callable[..., Json]
) -> None:
    """Neither an infinity nor a number that an API could not carry comes of it."""
    spec = samples.spec(make(target, name="load"), maxReplicas=2**31 - 1)
    decision = Story(spec).step(3, {"load": load})
    assert decision.desired_replicas == 2**31 - 1
    assert all(rung.after <= 2**31 - 1 for rung in decision.rungs)
    assert math.isfinite(decision.desired_load)


def test_a_workload_that_was_switched_off_is_left_alone() -> None:
    """At 0 with minReplicas of 1 or more its owner wants it off, whatever the queue says."""
    story = Story(samples.spec(minReplicas=2), state=State(recommended_load=8.0))
    decision = story.step(0, {"queue": 50})
    assert (decision.desired_replicas, decision.desired_load) == (0, 0.0)
    assert decision.bound_by is Stage.GATE
    assert told(decision, "ScalingActive")[:2] == ("False", "ScalingDisabled")
    assert told(decision, "ScalingLimited")[0] == "False"
    assert [rung.code for rung in decision.rungs] == [Code.SCALING_DISABLED, Code.RESULT]


def test_a_workload_that_was_switched_off_forgets_what_it_needed() -> None:
    """Switched on again it starts from what stands, not from yesterday's recommendation."""
    story = Story(samples.spec(minReplicas=2))
    story.step(10, {"queue": 10})
    story.step(0, {"queue": 0})
    assert story.state == State()
    assert story.step(3, {"queue": 0}, ready=0).desired_replicas == 3


@pytest.mark.parametrize(
    ("fields", "current", "load", "desired"),
    [
        pytest.param({}, 3, 0, 1, id="our-hpa-cannot-go-below-one"),
        pytest.param({}, 0, 0, 1, id="nor-stay-there"),
        pytest.param(NEVER, 3, 0, 0, id="a-users-own-may"),
        pytest.param(NEVER, 0, 0, 0, id="and-stay-there"),
        pytest.param(NEVER, 0, 0.2, 1, id="and-come-back"),
        pytest.param(NEVER, 0, 7.5, 8, id="as-many-as-needed"),
    ],
)
def test_min_replicas_zero_is_for_who_can_do_it(
    fields: dict[str, object], current: int, load: float, desired: int
) -> None:
    """The HPA of the controller gets 1 in a stock cluster; who brings his own gets the truth."""
    decision = Story(samples.spec(minReplicas=0, **fields)).step(current, {"queue": load})
    assert decision.desired_replicas == desired


def test_the_bounds_say_what_they_cut() -> None:
    """The rung starts from the load and ends at the bound."""
    decision = Story(samples.spec(maxReplicas=20)).step(10, {"queue": 31.5})
    cut = rung(decision, Code.MAX_REPLICAS)
    assert (cut.before, cut.after) == (32, 20)
    assert cut.message == "a load of 31.5 is above maxReplicas 20"
    raised = rung(Story(samples.spec(minReplicas=4)).step(10, {"queue": 0}), Code.MIN_REPLICAS)
    assert raised.message == "a load of 0 is below the fewest replicas, 4"
