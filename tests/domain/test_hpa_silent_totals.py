"""HPA strategy: a total over pods that were asked themselves lacks those that do not answer."""

from __future__ import annotations

import pytest

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


def test_the_ladder_says_who_is_silent() -> None:
    """The rung of the source tells how many do not answer, and that it holds."""
    decision = _story().step(8, {"queue": reading(50, answered=4, of=8)})
    told = rung(decision, Code.PARTIAL_DATA)
    assert "4 do not answer" in told.message
    assert (told.before, told.after) == (8, 8)


def test_series_of_a_server_are_no_pods() -> None:
    """How many series a PromQL total is made of says nothing of which pods are in it.

    So for a time it is a part of a total, and then it is what there is.
    """
    says = {"queue": reading(40, answered=4, of=8)}
    story = _story("prometheus")
    assert story.step(8, says).desired_load == 8.0
    assert story.step(8, says, after_s=BOUND_S).desired_load == 4.0
