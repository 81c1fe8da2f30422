"""HPA strategy: what a total and a level ask for, and which source wins."""

from __future__ import annotations

import pytest

from budaiscaler.domain.decision import Code, Stage
from tests import samples
from tests.domain.deciding import Story, rung, told


@pytest.mark.parametrize(
    ("target", "current", "ready", "total", "load", "desired"),
    [
        pytest.param("4", 5, 5, 12, 3.0, 3, id="divided-by-the-target-of-a-replica"),
        pytest.param("4", 5, 5, 29, 7.25, 8, id="a-part-of-a-replica-is-a-replica"),
        pytest.param("500m", 5, 5, 4, 8.0, 8, id="a-target-in-milli-units"),
        pytest.param("4", 5, 8, 12, 3.0, 3, id="a-rollouts-surge-changes-nothing"),
        pytest.param("4", 5, 5, 0, 1.0, 1, id="no-load-is-the-fewest-replicas"),
        pytest.param("1", 1, 1, 40, 40.0, 40, id="any-step-at-once"),
    ],
)
def test_a_total_is_shared_by_the_replicas_it_needs(
    target: str, current: int, ready: int, total: float, load: float, desired: int
) -> None:
    """Need is the total over the target, however many replicas there are."""
    story = Story(samples.spec(samples.total(target)))
    decision = story.step(current, {"queue": total}, ready=ready)
    assert (decision.desired_load, decision.desired_replicas) == (load, desired)


@pytest.mark.parametrize(
    ("target", "current", "ready", "level", "load", "desired"),
    [
        pytest.param("0.8", 4, 4, 1.6, 8.0, 8, id="twice-the-target-doubles"),
        pytest.param("70", 4, 4, 35, 2.0, 2, id="half-the-target-halves"),
        pytest.param("1", 4, 4, 1.3, 5.2, 6, id="a-part-of-a-replica-is-a-replica"),
        pytest.param("1", 8, 4, 2, 8.0, 8, id="counted-over-the-ready-ones"),
        pytest.param("1", 8, 4, 3, 12.0, 12, id="more-although-some-still-start"),
        pytest.param("1", 4, 5, 0.8, 4.0, 4, id="a-rollouts-surge-changes-nothing"),
        pytest.param("1", 4, 4, 0, 1.0, 1, id="no-load-is-the-fewest-replicas"),
    ],
)
def test_a_level_is_weighed_with_the_replicas_it_is_the_mean_of(
    target: str, current: int, ready: int, level: float, load: float, desired: int
) -> None:
    """Need is the number of ready replicas times level over target."""
    story = Story(samples.spec(samples.level(target)))
    decision = story.step(current, {"usage": level}, ready=ready)
    assert (decision.desired_load, decision.desired_replicas) == (load, desired)


def test_a_slow_model_load_does_not_compound() -> None:
    """Four ready at twice the target, four loading for six minutes: eight, all six minutes."""
    story = Story(samples.spec(samples.level("0.5")))
    asked = story.step(4, {"usage": 1.0}).desired_replicas
    during = [story.step(asked, {"usage": 1.0}, ready=4).desired_replicas for _ in range(6 * 4)]
    assert (asked, set(during)) == (8, {8})
    assert story.step(8, {"usage": 0.5}).desired_replicas == 8


def test_replicas_that_start_keep_a_falling_level_from_shrinking_them_away() -> None:
    """The queue is short again while four load: they are not sent home before they helped."""
    story = Story(samples.spec(samples.level()))
    assert story.step(8, {"usage": 0.25}, ready=4).desired_replicas == 8
    assert story.step(8, {"usage": 0.25}, ready=8, after_s=75).desired_replicas == 2


@pytest.mark.parametrize(
    ("says", "desired", "winner"),
    [
        pytest.param({"queue": 30, "tokens": 2, "usage": 1.2}, 30, "queue", id="first"),
        pytest.param({"queue": 3, "tokens": 20, "usage": 1.2}, 20, "tokens", id="second"),
        pytest.param({"queue": 3, "tokens": 2, "usage": 1.2}, 12, "usage", id="third"),
    ],
)
def test_the_largest_need_wins(says: dict[str, float], desired: int, winner: str) -> None:
    """Of several sources, the one that needs most decides, and is named."""
    sources = (samples.total(), samples.total(name="tokens"), samples.level())
    decision = Story(samples.spec(*sources)).step(10, says)
    assert decision.desired_replicas == desired
    assert rung(decision, Code.LARGEST_NEED).message == f"the largest need wins: {winner}"
    assert decision.bound_by is Stage.COMBINE


def test_a_guessed_unit_is_told_with_the_line_to_paste() -> None:
    """A source that says what it is raises nothing; one that does not is named."""
    guessed = samples.total(targetType=None)
    decision = Story(samples.spec(guessed, samples.level(), samples.level(name="b"))).step(
        2, {"queue": 2, "usage": 1, "b": 1}
    )
    status, reason, message = told(decision, "UnitAssumed")
    assert (status, reason) == ("True", "TargetTypeNotSet")
    assert message.endswith("to fix it, queue: set targetType: AverageValue")


def test_a_unit_that_is_written_raises_no_condition() -> None:
    """Where nothing is guessed, nothing is said."""
    decision = Story(samples.spec(samples.total())).step(2, {"queue": 2})
    assert "UnitAssumed" not in [condition.type for condition in decision.conditions]
