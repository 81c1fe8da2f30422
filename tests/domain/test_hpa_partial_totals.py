"""HPA strategy: a total to which only a part contributes is no low load."""

from __future__ import annotations

import pytest

from budaiscaler.domain import readings
from budaiscaler.domain.decision import Code, Decision
from budaiscaler.domain.readings import Observed
from tests import samples
from tests.domain.deciding import DEAD, Story, rung, told

BOUND_S = 600
"""Of a loss, while no start was measured."""


def _sum(value: float, series: int | None, of: int | None = None) -> Observed:
    return readings.reading(value, answered=series, of=of)


def _story() -> Story:
    """Ten replicas at a load of ten from ten series, for a while."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": _sum(10, 10)}).desired_replicas == 10
    return story


def _held(decision: Decision) -> bool:
    return any(rung.code is Code.PARTIAL_DATA for rung in decision.rungs)


@pytest.mark.parametrize(
    ("load", "series", "desired"),
    [
        pytest.param(5, 5, 10, id="half-the-targets-gone"),
        pytest.param(0, 1, 10, id="nearly-all"),
        pytest.param(7.9, 7, 10, id="a-little-more-than-a-fifth"),
        pytest.param(6, 8, 6, id="a-fifth-is-no-alarm"),
        pytest.param(6, 10, 6, id="all-there-and-quiet"),
        pytest.param(14, 5, 14, id="a-part-may-scale-up"),
        pytest.param(6, None, 6, id="nobody-counted"),
    ],
)
def test_a_part_of_a_total_does_not_scale_down(
    load: float, series: int | None, desired: int
) -> None:
    """Ten series were there, and all ten replicas are ready still."""
    assert _story().step(10, {"queue": _sum(load, series)}).desired_replicas == desired


def test_series_that_go_with_their_replicas_are_no_partial_data() -> None:
    """Half the replicas were scaled away, and their series with them."""
    story = _story()
    decision = story.step(5, {"queue": _sum(3, 5)})
    assert (decision.desired_replicas, _held(decision)) == (3, False)


def test_series_that_go_beyond_their_replicas_are() -> None:
    """A tenth of the replicas went, and half of the series."""
    decision = _story().step(9, {"queue": _sum(4, 5)})
    assert (decision.desired_replicas, _held(decision)) == (9, True)


def test_after_the_bound_fewer_series_are_the_new_normal() -> None:
    """For ten minutes they hold, and then somebody has merged exporters."""
    story = _story()
    held = story.step(10, {"queue": _sum(5, 5)})
    almost = story.step(10, {"queue": _sum(5, 5)}, after_s=BOUND_S - 1)
    after = story.step(10, {"queue": _sum(5, 5)}, after_s=1)
    assert [d.desired_replicas for d in (held, almost, after)] == [10, 10, 5]
    assert [_held(d) for d in (held, almost, after)] == [True, True, False]


def test_a_second_loss_is_protected_anew() -> None:
    """Half went and became normal; of the rest, half go again."""
    story = _story()
    story.step(10, {"queue": _sum(5, 5)})
    story.step(10, {"queue": _sum(5, 5)}, after_s=BOUND_S)
    assert story.step(10, {"queue": _sum(2, 2)}).desired_replicas == 10


def test_a_loss_that_grows_begins_its_bound_anew() -> None:
    """Shortly before the end of the first, most of what was left goes too."""
    story = _story()
    story.step(10, {"queue": _sum(5, 5)})
    story.step(10, {"queue": _sum(2, 2)}, after_s=BOUND_S - 1)
    assert story.step(10, {"queue": _sum(2, 2)}, after_s=BOUND_S - 1).desired_replicas == 10


def test_a_silence_in_between_forgets_nothing() -> None:
    """Prometheus itself was away for a moment, and came back with half of its targets."""
    story = _story()
    story.step(10, {"queue": DEAD})
    assert story.step(10, {"queue": _sum(5, 5)}).desired_replicas == 10


def test_who_knows_how_many_there_should_be_is_believed() -> None:
    """A first look says three of five, so what they sum up to may not scale down."""
    story = Story(samples.spec())
    decision = story.step(10, {"queue": _sum(5, 3, of=5)})
    assert decision.desired_replicas == 10
    assert rung(decision, Code.PARTIAL_DATA).message.endswith("3 of 5 contribute, so it holds 10")


def test_who_stays_silent_beyond_the_bound_holds_no_longer() -> None:
    """Two of five pods serve no metrics at all, and that is how it is."""
    story = Story(samples.spec())
    story.step(10, {"queue": _sum(5, 3, of=5)})
    after = story.step(10, {"queue": _sum(5, 3, of=5)}, after_s=BOUND_S)
    assert after.desired_replicas == 5


@pytest.mark.parametrize(
    ("series", "said"),
    [
        pytest.param(5, "queue: 5 of 10 contribute", id="a-total"),
        pytest.param(10, None, id="whole"),
    ],
)
def test_partial_data_is_told(series: int, said: str | None) -> None:
    """The condition names the source and how many of how many."""
    decision = _story().step(10, {"queue": _sum(5, series)})
    messages = [c.message for c in decision.conditions if c.type == "PartialData"]
    assert [said in message for message in messages if said] == [True] * (said is not None)
    assert bool(messages) is (said is not None)


def test_a_level_that_few_pods_answer_is_told_too() -> None:
    """Two of four pods are silent: at target going down, and nothing going up."""
    story = Story(samples.spec(samples.level()))
    decision = story.step(4, {"usage": readings.reading(0.1, answered=2, of=4)})
    assert decision.desired_replicas == 3
    assert told(decision, "PartialData")[2].endswith("usage: 2 of 4 answered")
