"""HPA strategy: lost and starting replicas do not look like low load, for a bounded time."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from budaiscaler.domain.decision import Code, Replicas, Stage, State
from tests import samples
from tests.conftest import NOON
from tests.domain.deciding import Story, rung

MINUTE = 60


def _full_house() -> Story:
    """Ten replicas, ten needed, decided once."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": 10}).desired_replicas == 10
    return story


def test_a_third_of_the_pods_lost_is_not_a_third_of_the_users_gone() -> None:
    """The sum over the others falls by 30 percent at once; for ten minutes nothing follows it."""
    story = _full_house()
    for _ in range(10 * MINUTE // 15):
        assert story.step(10, {"queue": 7}, ready=7).desired_replicas == 10


@pytest.mark.parametrize(
    ("startup_p95_s", "bound_s"),
    [
        pytest.param(None, 600, id="ten-minutes-until-starts-are-measured"),
        pytest.param(90.0, 180, id="twice-the-measured-start"),
        pytest.param(0.5, 60, id="a-minute-at-least"),
        pytest.param(1200.0, 2400, id="also-where-that-is-longer"),
    ],
)
def test_the_hold_is_bounded(startup_p95_s: float | None, bound_s: int) -> None:
    """Up to the bound the recommendation stands; at it, the load is what is measured."""
    story = _full_house()

    def lost(after_s: int) -> int:
        return story.step(
            10, {"queue": 7}, ready=7, startup_p95_s=startup_p95_s, after_s=after_s
        ).desired_replicas

    assert (lost(15), lost(bound_s - 1), lost(1)) == (10, 10, 7)


def test_the_bound_counts_from_the_loss_and_not_from_each_look() -> None:
    """A loss that stays as it is, or mends in part, is the same one."""
    story = _full_house()
    story.step(10, {"queue": 5}, ready=5)
    story.step(10, {"queue": 7}, ready=7, after_s=9 * MINUTE)
    assert story.step(10, {"queue": 7}, ready=7, after_s=MINUTE).desired_replicas == 7


def test_a_loss_that_gets_worse_starts_a_new_bound() -> None:
    """One loops for a quarter of an hour; when five more go, they have their own ten minutes."""
    story = _full_house()
    for _ in range(15 * 4):
        story.step(10, {"queue": 10}, ready=9)
    assert story.step(10, {"queue": 4}, ready=4).desired_replicas == 10
    assert story.step(10, {"queue": 4}, ready=4, after_s=10 * MINUTE - 1).desired_replicas == 10
    assert story.step(10, {"queue": 4}, ready=4, after_s=1).desired_replicas == 4


def test_more_replicas_asked_for_start_a_new_bound() -> None:
    """The two that were lost are back, and two more start: they have ten minutes for it."""
    story = _full_house()
    story.step(10, {"queue": 12}, ready=8)
    story.step(12, {"queue": 12}, ready=10, after_s=9 * MINUTE)
    assert story.step(12, {"queue": 9}, ready=10, after_s=10 * MINUTE - 1).desired_replicas == 12
    assert story.step(12, {"queue": 9}, ready=10, after_s=1).desired_replicas == 9


def test_a_loss_that_was_mended_starts_a_new_bound() -> None:
    """All ten are back, then three go again: they have their own ten minutes."""
    story = _full_house()
    story.step(10, {"queue": 7}, ready=7)
    story.step(10, {"queue": 10}, after_s=8 * MINUTE)
    story.step(10, {"queue": 7}, ready=7, after_s=MINUTE)
    assert story.step(10, {"queue": 7}, ready=7, after_s=9 * MINUTE).desired_replicas == 10


@pytest.mark.parametrize(
    ("ready_s", "lost_s"),
    [
        pytest.param(15, 15, id="at-each-look"),
        pytest.param(60, 300, id="as-the-kubelet-backs-off"),
        pytest.param(540, 60, id="nearly-well"),
    ],
)
def test_a_pod_that_comes_and_goes_does_not_hold_for_ever(ready_s: int, lost_s: int) -> None:
    """Two bounds in all: a single flapping pod must not keep a workload from shrinking for days."""
    story = _full_house()
    lost_at, held_until = story.now, story.now
    while story.now < lost_at + timedelta(hours=3):
        if story.step(10, {"queue": 5}, ready=9, after_s=ready_s).desired_replicas == 10:
            held_until = story.now
        story.step(10, {"queue": 5}, ready=9, after_s=lost_s - 1)
        story.step(10, {"queue": 5}, after_s=1)
        story.state = replace(story.state, recommended_load=10.0)
    assert timedelta() < held_until - lost_at - timedelta(seconds=ready_s) < timedelta(minutes=20)


def test_a_flapping_pod_does_not_leave_a_larger_loss_unprotected() -> None:
    """Its own bounds are used up; two more that go with it have theirs."""
    story = _full_house()
    for _ in range(3 * 60):
        story.step(10, {"queue": 10}, ready=9, after_s=30)
        story.step(10, {"queue": 10}, after_s=30)
    assert story.step(10, {"queue": 7}, ready=7).desired_replicas == 10


def test_a_bound_of_calm_makes_the_next_loss_a_new_one() -> None:
    """Yesterday's loss of five takes nothing from the loss of three today."""
    story = _full_house()
    story.step(10, {"queue": 10}, ready=5)
    story.step(10, {"queue": 10}, ready=5, after_s=30 * MINUTE)
    for _ in range(11):
        story.step(10, {"queue": 10}, after_s=MINUTE)
    assert story.state.shortfall is None
    assert story.step(10, {"queue": 7}, ready=7).desired_replicas == 10


def test_a_size_is_forgotten_although_one_goes_on_looping() -> None:
    """Ten started and nine came; a day later, with the tenth still looping, three are lost."""
    story = _full_house()
    story.step(20, {"queue": 20}, ready=10)
    for _ in range(24 * 60):
        story.step(20, {"queue": 20}, ready=19, after_s=MINUTE)
    assert story.step(20, {"queue": 16}, ready=16).desired_replicas == 20
    assert story.step(20, {"queue": 16}, ready=16, after_s=9 * MINUTE).desired_replicas == 20


def test_replicas_lost_right_after_a_start_are_protected() -> None:
    """Ten came up within five minutes; three that go soon after have their own ten minutes."""
    story = _full_house()
    story.step(20, {"queue": 20}, ready=10)
    story.step(20, {"queue": 20}, after_s=5 * MINUTE)
    story.step(20, {"queue": 14}, ready=17, after_s=4 * MINUTE)
    assert story.step(20, {"queue": 14}, ready=17, after_s=10 * MINUTE - 1).desired_replicas == 20


def test_a_rise_is_followed_during_a_loss() -> None:
    """Only falling is held; more load is more load, and is then what is held."""
    story = _full_house()
    assert story.step(10, {"queue": 14}, ready=7).desired_replicas == 14
    assert story.step(14, {"queue": 9}, ready=7).desired_replicas == 14


@pytest.mark.parametrize(
    ("ready", "unschedulable", "decided"),
    [
        pytest.param(7, 3, 7, id="the-missing-have-no-node"),
        pytest.param(7, 2, 10, id="one-of-the-missing-has"),
        pytest.param(10, 0, 7, id="none-is-missing"),
        pytest.param(12, 0, 7, id="a-rollout-has-more"),
    ],
)
def test_replicas_that_were_never_placed_hold_nothing(
    ready: int, unschedulable: int, decided: int
) -> None:
    """A node that never comes must not keep a recommendation up."""
    decision = _full_house().step(10, {"queue": 7}, ready=ready, unschedulable=unschedulable)
    assert decision.desired_replicas == decided


def test_what_was_recommended_is_held_and_not_what_stands() -> None:
    """Ten stand, six were asked for and the HPA is on its way down: six it stays."""
    story = Story(samples.spec())
    assert story.step(10, {"queue": 6}).desired_replicas == 6
    assert story.step(9, {"queue": 5}, ready=8).desired_replicas == 6


def test_a_level_holds_what_was_asked_for() -> None:
    """Replicas that start will share a level, so it may not fall below all of them."""
    story = Story(samples.spec(samples.level()))
    assert story.step(10, {"usage": 0.6}).desired_replicas == 6
    assert story.step(9, {"usage": 0.5}, ready=8).desired_replicas == 9


def test_one_level_among_totals_is_enough_for_that() -> None:
    """The floor is that of the most careful source."""
    story = Story(samples.spec(samples.total(), samples.level()))
    story.step(10, {"queue": 6, "usage": 0.6})
    assert story.step(9, {"queue": 6, "usage": 0.5}, ready=8).desired_replicas == 9


def test_without_a_memory_what_stands_is_held() -> None:
    """A leader that has just started knows no recommendation: the replicas asked for count."""
    assert Story(samples.spec()).step(10, {"queue": 7}, ready=7).desired_replicas == 10


def test_a_memory_from_another_leader_is_held_too() -> None:
    """What was recommended before a restart is not forgotten in the middle of a loss."""
    story = Story(samples.spec(), state=State(recommended_load=12.0, good_at=NOON))
    assert story.step(10, {"queue": 7}, ready=7).desired_replicas == 12


def test_the_hold_says_what_it_does_and_when_it_ends() -> None:
    """The ladder names the missing replicas, and the decision when it changes by itself."""
    story = _full_house()
    decision = story.step(10, {"queue": 7}, ready=7)
    held = rung(decision, Code.LOST_OR_STARTING)
    assert (held.before, held.after) == (10, 10)
    assert held.message.startswith("3 of 10 replicas are lost or starting")
    assert decision.bound_by is Stage.SOURCE
    assert decision.next_change is not None
    assert decision.next_change.at == story.now + timedelta(minutes=10)


def test_a_hold_that_binds_nothing_is_not_named_as_the_cause() -> None:
    """While a source needs as much or more, it is the source that decides."""
    decision = _full_house().step(10, {"queue": 12}, ready=7)
    assert decision.bound_by is Stage.COMBINE
    assert decision.next_change is None


def test_a_hold_that_a_source_needs_just_as_much_is_none() -> None:
    """A need equal to the hold is a need."""
    story = Story(samples.spec())
    story.step(10, {"queue": 12})
    decision = story.step(12, {"queue": 12}, ready=10)
    assert (decision.desired_replicas, decision.bound_by) == (12, Stage.COMBINE)


@pytest.mark.parametrize(
    ("replicas", "missing"),
    [
        pytest.param(Replicas(10, 7), 3, id="three-missing"),
        pytest.param(Replicas(10, 7, 1), 2, id="one-of-them-unplaced"),
        pytest.param(Replicas(10, 12), 0, id="surge"),
        pytest.param(Replicas(0, 0), 0, id="switched-off"),
        pytest.param(Replicas(2, 1, 5), 0, id="more-unplaced-than-missing"),
    ],
)
def test_what_is_lost_or_starting_is_never_negative(replicas: Replicas, missing: int) -> None:
    """Asked for, could run, and not ready."""
    assert replicas.lost_or_starting == missing
