"""HPA strategy: a level counts for the replicas that are in it, whoever else is ready."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.algorithms import needs
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Stage, State
from budaiscaler.domain.readings import Observed, reading
from tests import samples, strategies
from tests.conftest import NOON
from tests.domain.deciding import Story, mean, rung


def _story() -> Story:
    return Story(samples.spec(samples.level()))


def test_replicas_that_are_ready_before_they_are_scraped_double_nothing() -> None:
    """Four at twice the target asked for eight; ready and silent, the new four ask for no more."""
    story = _story()
    assert story.step(4, {"usage": mean(2, 4)}).desired_replicas == 8
    assert story.step(8, {"usage": mean(2, 4)}, ready=4).desired_replicas == 8
    assert story.step(8, {"usage": mean(2, 4)}).desired_replicas == 8
    assert story.step(8, {"usage": mean(1, 8)}).desired_replicas == 8
    assert story.step(8, {"usage": mean(2, 8)}).desired_replicas == 16


@pytest.mark.parametrize(
    ("current", "ready", "level", "answered", "load"),
    [
        pytest.param(8, 8, 2.0, 8, 16.0, id="all-answer"),
        pytest.param(8, 8, 2.0, 4, 8.0, id="up-the-silent-count-as-nothing"),
        pytest.param(8, 8, 3.0, 4, 12.0, id="and-the-others-may-be-enough"),
        pytest.param(8, 8, 0.5, 8, 4.0, id="down-all-answer"),
        pytest.param(8, 8, 0.5, 4, 6.0, id="down-the-silent-count-as-at-target"),
        pytest.param(10, 10, 1.2, 8, 10.0, id="what-would-change-direction-holds"),
        pytest.param(10, 10, 1.0, 5, 10.0, id="at-target-holds"),
        pytest.param(8, 8, 0.0, 3, 5.0, id="no-load-of-those-that-answer"),
        pytest.param(10, 4, 3.0, 2, 10.0, id="not-down-while-those-that-answer-are-full"),
    ],
)
def test_a_ready_replica_that_does_not_answer_is_no_low_load(
    current: int, ready: int, level: float, answered: int, load: float
) -> None:
    """As the native HPA counts: silence scales nobody up, and nobody down."""
    decision = _story().step(current, {"usage": mean(level, answered)}, ready=ready)
    assert decision.desired_load == load


def test_an_old_mean_is_of_those_that_were_there() -> None:
    """While its source is down it stands for a minute; each step down would make it fall again."""
    story = _story()
    old = reading(0.6, answered=4, of=4)
    for current in (4, 3, 3):
        assert story.step(current, {"usage": old}).desired_replicas == 3


@pytest.mark.parametrize("answered", [9, 16])
def test_more_samples_than_replicas_count_for_the_replicas(answered: int) -> None:
    """A pod that just went, or two series of each."""
    assert _story().step(8, {"usage": mean(2, answered)}).desired_replicas == 16


@pytest.mark.parametrize("said", [2.0, mean(2, 1), mean(2, 16)], ids=["none", "one", "too-many"])
def test_a_mean_that_does_not_tell_of_how_many_takes_a_minute(said: float | Observed) -> None:
    """An `avg()` may be of the old replicas alone, until the new ones are in it for sure."""
    story = _story()
    assert story.step(4, {"usage": said}).desired_replicas == 8
    assert story.step(8, {"usage": said}, ready=4).desired_replicas == 8
    asked = [story.step(8, {"usage": said}).desired_replicas for _ in range(5)]
    assert asked == [8, 8, 8, 8, 16]


def test_a_mean_of_before_the_replicas_were_ready_has_none_of_them() -> None:
    """The last good sample stands in for a lost scrape, with the replicas of its time."""
    story = _story()
    story.step(8, {"usage": 2}, ready=4)
    for age_s in (15, 30, 45, 60):
        assert story.step(8, {"usage": reading(2, age_s=age_s)}).desired_replicas == 8
    assert story.step(8, {"usage": reading(2, age_s=59)}).desired_replicas == 8
    assert story.step(8, {"usage": 2}).desired_replicas == 16


def test_replicas_that_become_ready_one_by_one_count_one_by_one() -> None:
    """Each has its own minute: those before it need not wait for it."""
    story = Story(samples.spec(samples.level(), maxReplicas=1000))
    asked = [
        story.step(100, {"usage": 20}, ready=ready, startup_p95_s=1).desired_replicas
        for ready in range(1, 21)
    ]
    assert asked == [100] * 9 + [20 * (ready - 4) for ready in range(10, 21)]


def test_a_falling_mean_may_be_of_the_new_replicas_or_not() -> None:
    """Until that is sure, they count as at target; then they have what is measured."""
    story = _story()
    story.step(8, {"usage": 0.5}, ready=4)
    asked = [story.step(8, {"usage": 0.5}).desired_replicas for _ in range(5)]
    assert asked == [6, 6, 6, 6, 4]


def test_a_probe_that_fails_for_a_moment_costs_its_pod_a_minute_and_no_replica() -> None:
    """Three are in the mean for sure, so up goes what three need."""
    story = _story()
    story.step(4, {"usage": 2}, ready=3)
    assert story.step(4, {"usage": 2}).desired_replicas == 6
    assert story.step(6, {"usage": 1}, ready=4).desired_replicas == 6


def test_a_workload_that_has_just_become_ready_waits_a_minute() -> None:
    """Whatever is in the mean, it is not of the pods that are ready."""
    story = _story()
    story.step(4, {"usage": 3}, ready=0)
    asked = [story.step(4, {"usage": 3}).desired_replicas for _ in range(5)]
    assert asked == [4, 4, 4, 4, 12]


def test_a_total_counts_whoever_answers() -> None:
    """It is divided by the target of a replica, so readiness plays no part."""
    story = Story(samples.spec())
    story.step(8, {"queue": mean(16, 4)}, ready=4)
    assert story.step(8, {"queue": mean(16, 4)}).desired_replicas == 16


@pytest.mark.parametrize(
    ("said", "why"),
    [
        pytest.param(mean(2, 4), "the others do not answer", id="a-vector"),
        pytest.param(2.0, "the others are ready for less than 60 s", id="an-average"),
    ],
)
def test_what_is_not_in_a_level_is_told(said: float | Observed, why: str) -> None:
    """Both needs stand in the ladder, and why there are two."""
    story = _story()
    story.step(9, {"usage": said}, ready=4)
    decision = story.step(9, {"usage": said}, ready=8, unschedulable=1)
    held = rung(decision, Code.PARTIAL_DATA)
    assert held.message == (
        f"usage: level 2 / 1 over 4 of 8 ready gives 8 to 16 ({why}), taken as 9 replicas"
    )
    assert (held.before, held.after) == (9, 9)
    assert decision.bound_by is Stage.SOURCE


@given(
    strategies.specs(of=(samples.level,)),
    st.integers(1, 50),
    st.integers(1, 50),
    st.integers(1, 50),
    strategies.loads,
)
def test_becoming_ready_is_no_load(
    spec: ScalerSpec, current: int, before: int, more: int, level: float
) -> None:
    """For any spec: with the same mean, more ready replicas ask for no more than fewer did."""
    says = {source.key: level for source in spec.metrics_sources}
    story = Story(spec)
    first = story.step(current, says, ready=before)
    second = story.step(current, says, ready=before + more)
    most = max(first.desired_replicas, min(current, spec.max_replicas))
    assert second.desired_replicas <= most


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), min_size=1, max_size=30))
def test_the_fewest_ready_replicas_since_any_time_can_be_told(
    looks: list[tuple[int, int]],
) -> None:
    """What is remembered gives the same answer as all that was seen."""
    now, seen, everything = NOON, State().ready_seen, []
    for ready, after_s in looks:
        now += timedelta(seconds=after_s)
        seen = needs.see(seen, ready, now)
        everything.append((now, ready))
    assert [count for _, count in seen] == sorted({count for _, count in seen})
    for since_s in range(0, 600, 30):
        since = now - timedelta(seconds=since_s)
        fewest = min(count for at, count in everything if at >= since)
        assert next(count for at, count in seen if at >= since) == fewest
