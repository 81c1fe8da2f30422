"""HPA strategy: a total over pods that were asked themselves lacks those that do not answer."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.decision import Code
from budaiscaler.domain.readings import reading
from tests import samples
from tests.domain.deciding import Story, rung

BOUND_S = 600
"""Of partial data, while no start was measured."""


def _story(kind: str = "pod") -> Story:
    source = samples.total("10", name="queue", metricSourceType=kind)
    return Story(samples.spec(source))


@pytest.mark.parametrize(
    ("total", "answered", "load"),
    [
        pytest.param(80, 8, 8.0, id="all-answer"),
        pytest.param(40, 8, 4.0, id="all-answer-and-less-is-less"),
        pytest.param(40, 4, 8.0, id="half-are-silent-at-target"),
        pytest.param(20, 4, 6.0, id="down-the-silent-count-as-at-target"),
        pytest.param(70, 4, 8.0, id="not-down-while-those-that-answer-are-full"),
        pytest.param(120, 4, 12.0, id="up-the-silent-count-as-nothing"),
    ],
)
def test_a_silent_pod_is_no_low_load(total: float, answered: int, load: float) -> None:
    """Half of the pods gone silent halve the total, and nobody left.

    For a time that alone keeps the replicas; this is what holds for as long as they stay silent.
    """
    says = {"queue": reading(total, answered=answered, of=8)}
    story = _story()
    assert story.step(8, says).desired_load == (load if answered == 8 else max(8.0, load))
    assert story.step(8, says, after_s=BOUND_S).desired_load == load


@pytest.mark.parametrize(
    ("strategy", "total", "desired"),
    [
        pytest.param(Strategy.HPA, 80, 10, id="hpa"),
        pytest.param(Strategy.KPA, 80, 10, id="kpa"),
        pytest.param(Strategy.BUD_SCALER, 80, 10, id="budscaler"),
        pytest.param(Strategy.HPA, 30, 5, id="and-less-is-less"),
    ],
)
def test_pods_that_come_back_are_not_in_it_yet(
    strategy: Strategy, total: float, desired: int
) -> None:
    """Lost pods are ready again, and what stands was read over the others while they were away."""
    source = samples.total("10", name="queue", metricSourceType="pod")
    at_once = {"scaleDown": {"stabilizationWindowSeconds": 0, "maxScaleRate": "1"}}
    story = Story(samples.spec(source, scalingStrategy=str(strategy), behavior=at_once))
    story.step(10, {"queue": reading(100, answered=10, of=10)})
    away = story.step(10, {"queue": reading(total, answered=8, of=8)}, ready=8, after_s=300)
    says = {"queue": reading(total, age_s=2, answered=8, of=8)}
    assert away.desired_replicas == 10
    assert story.step(10, says, after_s=2).desired_replicas == desired


def test_the_ladder_says_who_is_silent() -> None:
    """The rung of the source tells how many do not answer, and that it holds."""
    decision = _story().step(8, {"queue": reading(50, answered=4, of=8)})
    told = rung(decision, Code.PARTIAL_DATA)
    assert "4 have not answered" in told.message
    assert (told.before, told.after) == (8, 8)


def test_series_of_a_server_are_no_pods() -> None:
    """How many series a PromQL total is made of says nothing of which pods are in it.

    So for a time it is a part of a total, and then it is what there is.
    """
    says = {"queue": reading(40, answered=4, of=8)}
    story = _story("prometheus")
    assert story.step(8, says).desired_load == 8.0
    assert story.step(8, says, after_s=BOUND_S).desired_load == 4.0
