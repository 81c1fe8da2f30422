"""HPA strategy: a pause keeps the load at the replicas that stand, and bounds outrank it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from budaiscaler.domain import pausing
from budaiscaler.domain.decision import Code, Stage
from budaiscaler.domain.pausing import Pausing
from tests import samples
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Story, rung, told

LATER = NOON + timedelta(hours=1)
UP = Pausing(up=True, until=LATER, reason=pausing.BY_ANNOTATION, message="up is paused")
DOWN = Pausing(down=True, reason=pausing.BY_SPEC, message="down is paused")
BOTH = Pausing(up=True, down=True, until=LATER, reason=pausing.BY_ANNOTATION, message="paused")


@pytest.mark.parametrize(
    ("paused", "load", "desired", "bound_by"),
    [
        pytest.param(UP, 20, 10, Stage.GATE, id="up-holds-more"),
        pytest.param(UP, 5, 5, Stage.COMBINE, id="up-lets-fewer"),
        pytest.param(DOWN, 5, 10, Stage.GATE, id="down-holds-fewer"),
        pytest.param(DOWN, 20, 20, Stage.COMBINE, id="down-lets-more"),
        pytest.param(BOTH, 20, 10, Stage.GATE, id="both-hold-more"),
        pytest.param(BOTH, 5, 10, Stage.GATE, id="both-hold-fewer"),
        pytest.param(BOTH, 10, 10, Stage.COMBINE, id="nothing-to-hold"),
        pytest.param(UP, 10.5, 10, Stage.TOLERANCE, id="inside-the-dead-band"),
    ],
)
def test_a_paused_direction_is_held(
    paused: Pausing, load: float, desired: int, bound_by: Stage
) -> None:
    """Replicas stay where they are in that direction, and the other one is free."""
    decision = Story(samples.spec()).step(10, {"queue": load}, paused=paused)
    assert (decision.desired_replicas, decision.bound_by) == (desired, bound_by)
    assert decision.desired_load == desired


def test_a_pause_explains_itself() -> None:
    """The rung says what would have been, and the decision when it ends."""
    decision = Story(samples.spec()).step(10, {"queue": 20}, paused=UP)
    held = rung(decision, Code.PAUSED)
    assert (held.stage, held.before, held.after) == (Stage.GATE, 20, 10)
    assert held.message == "a load of 20 would need more than 10, but up is paused"
    assert decision.next_change is not None
    assert (decision.next_change.at, decision.next_change.message) == (LATER, "the pause ends")
    assert told(decision, "Paused") == ("True", "PausedByAnnotation", "up is paused")


def test_a_pause_without_an_end_announces_none() -> None:
    """Nor does one that holds nothing."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": 5}, paused=DOWN).next_change is None
    assert story.step(10, {"queue": 10}, paused=BOTH).next_change is None


@pytest.mark.parametrize(
    ("fields", "desired"),
    [
        pytest.param({"maxReplicas": 8}, 8, id="a-lower-maximum"),
        pytest.param({"minReplicas": 12}, 12, id="a-higher-minimum"),
    ],
)
def test_bounds_outrank_a_pause(fields: dict[str, int], desired: int) -> None:
    """They are guarantees, applied last: who edits them during a pause means it."""
    decision = Story(samples.spec(**fields)).step(10, {"queue": 10}, paused=BOTH)
    assert (decision.desired_replicas, decision.bound_by) == (desired, Stage.BOUNDS)


def test_missing_data_in_a_pause_are_still_missing() -> None:
    """A pause hides nothing: the conditions are those of any other time."""
    decision = Story(samples.spec()).step(10, {"queue": DEAD}, paused=BOTH)
    assert decision.desired_replicas == 10
    assert told(decision, "ScalingActive")[:2] == ("False", "NoData")


def test_what_a_pause_held_does_not_come_back_after_it() -> None:
    """A peak that is over when the pause ends is asked for by nobody, also after a loss of pods."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": 40}, paused=UP).desired_replicas == 10
    assert story.step(10, {"queue": 10}, ready=8).desired_replicas == 10


def test_a_workload_that_is_switched_off_says_that_it_is_paused() -> None:
    """Whoever pauses it while it is at 0 sees that it will be when it is back."""
    decision = Story(samples.spec()).step(0, {"queue": 10}, paused=BOTH)
    assert decision.desired_replicas == 0
    assert told(decision, "Paused")[0] == "True"


@pytest.mark.parametrize(
    ("fields", "is_told"),
    [pytest.param({}, True, id="auto"), pytest.param({"mode": "Recommend"}, False, id="recommend")],
)
@pytest.mark.parametrize("current", [4, 0], ids=["running", "switched-off"])
def test_a_contest_is_told(fields: dict[str, str], current: int, *, is_told: bool) -> None:
    """Who writes replicas against us is named; who only recommends has no contest."""
    story = Story(samples.spec(**fields))
    decision = story.step(current, {"queue": 4}, contested_by="argocd-controller")
    assert ("Contested" in [c.type for c in decision.conditions]) == is_told
    if is_told:
        status, reason, message = told(decision, "Contested")
        assert (status, reason) == ("True", "ReplicasWrittenByOthers")
        assert "argocd-controller" in message
