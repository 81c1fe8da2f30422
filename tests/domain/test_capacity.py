"""Replicas that never had a place hold nothing up, and after minutes no more are asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import capacity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, Replicas, Stage
from budaiscaler.kube.port import Json
from tests import rules, samples, strategies
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Says, Story, rung, told
from tests.strategies import World

EVERYONE = pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
ACTING = pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])

QUOTA = Shortage(
    Obstacle.QUOTA_EXCEEDED, NOON - timedelta(minutes=5), "exceeded quota: gpus, limited: pods=10"
)
NO_NODE = Shortage(
    Obstacle.UNSCHEDULABLE, NOON - timedelta(minutes=5), "0/3 nodes: 3 Insufficient nvidia.com/gpu"
)
OF_LATE = replace(QUOTA, since=NOON - timedelta(seconds=299))


def _spec(strategy: str, **fields: Any) -> ScalerSpec:
    return samples.spec(scalingStrategy=strategy, **fields)


def _at_noon(spec: ScalerSpec, current: int, says: Says, **seen: Any) -> Decision:
    """What is decided at noon, after an hour of the same."""
    story = Story(spec, now=NOON - timedelta(seconds=3700))
    story.step(current, says, after_s=0, **seen)
    return story.step(current, says, after_s=3700, **seen)


@EVERYONE
@pytest.mark.parametrize(
    ("seen", "grows"),
    [
        pytest.param({}, True, id="all-placed"),
        pytest.param({"refused": 4, "shortage": QUOTA}, False, id="a-quota-for-five-minutes"),
        pytest.param({"refused": 4, "shortage": OF_LATE}, True, id="for-less"),
        pytest.param({"unschedulable": 4, "shortage": NO_NODE}, False, id="no-node"),
        pytest.param({"unschedulable": 4}, True, id="nobody-knows-since-when"),
        pytest.param(
            {"unschedulable": 4, "shortage": replace(NO_NODE, since=None)}, True, id="nor-is-told"
        ),
        pytest.param({"shortage": QUOTA}, True, id="nobody-waits-any-more"),
    ],
)
def test_the_ask_stops_growing_after_five_minutes(strategy: str, seen: Json, grows: bool) -> None:  # noqa: FBT001 - a column
    """Fourteen are asked for, up to four of them in vain, and twenty are needed."""
    ready = 14 - seen.get("refused", 0) - seen.get("unschedulable", 0)
    decision = _at_noon(_spec(strategy), 14, {"queue": 20}, ready=ready, **seen)
    assert (decision.desired_replicas > 14) == grows
    if not grows:
        assert (decision.desired_replicas, decision.bound_by) == (14, Stage.BOUNDS)
        assert decision.desired_load == 14
        assert rung(decision, Code.CAPACITY_LIMITED).message.endswith(
            "are wanted, and 4 of 14 have had no place for long"
        )
        assert told(decision, "ScalingLimited")[:2] == ("True", "NoCapacity")


@EVERYONE
def test_growth_resumes_as_soon_as_all_have_a_place(strategy: str) -> None:
    """What was asked for stays asked for, so it is seen when there is room for it."""
    story = Story(_spec(strategy), now=NOON)
    for minute in range(10):
        held = story.step(14, {"queue": 20}, ready=10, refused=4, shortage=QUOTA, after_s=60)
        assert held.desired_replicas == 14, minute
    waits = story.step(14, {"queue": 20}, ready=10, refused=1, shortage=QUOTA)
    assert waits.desired_replicas == 14
    assert story.step(14, {"queue": 20}, ready=10).desired_replicas > 14


@EVERYONE
@pytest.mark.parametrize(
    ("seen", "status", "reason", "message"),
    [
        pytest.param(
            {},
            "True",
            "ReplicasPlaced",
            "every replica that was asked for has a place, or is on its way to one",
            id="placed",
        ),
        pytest.param(
            {"ready": 10, "refused": 4, "shortage": OF_LATE},
            "False",
            "QuotaExceeded",
            "a quota refuses 4 of 14 replicas since 2026-01-05T11:55:01Z: exceeded quota: gpus, "
            "limited: pods=10",
            id="quota",
        ),
        pytest.param(
            {"ready": 10, "unschedulable": 4, "shortage": NO_NODE},
            "False",
            "Unschedulable",
            "no node takes 4 of 14 replicas since 2026-01-05T11:55:00Z, so no more are asked for: "
            "0/3 nodes: 3 Insufficient nvidia.com/gpu",
            id="no-node-for-long",
        ),
        pytest.param(
            {"ready": 12, "unschedulable": 2},
            "False",
            "Unschedulable",
            "no node takes 2 of 14 replicas",
            id="nobody-knows-more",
        ),
    ],
)
def test_the_condition(strategy: str, seen: Json, status: str, reason: str, message: str) -> None:
    """With reason, count and since when, whatever is needed."""
    decision = _at_noon(_spec(strategy), 14, {"queue": 14}, **seen)
    assert told(decision, "CapacityAvailable") == (status, reason, message)


def test_where_pods_are_not_counted_nothing_is_told() -> None:
    """A kind without a selector may have them or not."""
    decision = _at_noon(_spec("BudScaler"), 4, {"queue": 4}, are_counted=False)
    assert "CapacityAvailable" not in [condition.type for condition in decision.conditions]


@ACTING
def test_what_never_had_a_place_goes_at_once(strategy: str) -> None:
    """Neither the window nor a policy holds it; what serves is held as ever."""
    slow = {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}}
    story = Story(_spec(strategy, behavior=slow), now=NOON - timedelta(minutes=60))
    for _ in range(60):
        story.step(20, {"queue": 20}, ready=10, refused=10, shortage=QUOTA, after_s=60)
    asked = [20]
    for _ in range(19):  # less than the window
        seen: Json = {"ready": 10, "refused": asked[-1] - 10, "shortage": QUOTA}
        asked.append(story.step(asked[-1], {"queue": 4}, **seen).desired_replicas)
    assert asked[-1] == 10
    assert asked == sorted(asked, reverse=True)


@ACTING
def test_with_a_dead_source_nothing_goes(strategy: str) -> None:
    """Whether it is needed is not known, and it costs nothing."""
    decision = _at_noon(_spec(strategy), 20, {"queue": DEAD}, ready=10, refused=10, shortage=QUOTA)
    assert decision.desired_replicas == 20


@ACTING
def test_who_allows_no_scale_down_loses_nothing(strategy: str) -> None:
    """`selectPolicy: Disabled` is about every replica."""
    never = {"scaleDown": {"selectPolicy": "Disabled"}}
    decision = _at_noon(
        _spec(strategy, behavior=never), 20, {"queue": 4}, ready=10, refused=10, shortage=QUOTA
    )
    assert decision.desired_replicas == 20


def test_a_rollouts_surge_without_a_node_costs_no_serving_replica() -> None:
    """All four serve, and a fifth pod of the next version finds no node."""
    story = Story(_spec("BudScaler"), now=NOON - timedelta(seconds=15))
    story.step(4, {"queue": 4}, after_s=0)
    decision = story.step(4, {"queue": 1}, unschedulable=1, shortage=NO_NODE)
    assert (decision.desired_replicas, decision.bound_by) == (4, Stage.STABILIZATION)


@EVERYONE
@pytest.mark.parametrize("seen", [{"refused": 4}, {"unschedulable": 4}], ids=["refused", "pending"])
def test_what_never_had_a_place_is_no_loss(strategy: str, seen: Json) -> None:
    """Nothing is held for it as for lost or starting replicas."""
    decision = _at_noon(_spec(strategy), 8, {"queue": 4}, ready=4, **seen)
    assert decision.desired_replicas < 8
    assert Code.LOST_OR_STARTING not in [one.code for one in decision.rungs]


@ACTING
@pytest.mark.parametrize("seen", [{"refused": 4}, {"unschedulable": 4}], ids=["refused", "pending"])
def test_what_never_had_a_place_does_not_close_the_gate(strategy: str, seen: Json) -> None:
    """It is not starting; one that crashes for ever closes the gate for its bound only."""
    gated = _spec(strategy, behavior={"scaleUp": {"startingPods": {"maxStartingPods": 1}}})
    assert _at_noon(gated, 8, {"queue": 12}, ready=4, **seen).desired_replicas > 8
    story = Story(gated)
    story.step(8, {"queue": 8})
    assert story.step(8, {"queue": 12}, ready=7).desired_replicas == 8
    story.step(8, {"queue": 12}, ready=7, after_s=1200)
    assert story.step(8, {"queue": 12}, ready=7).desired_replicas > 8


@EVERYONE
def test_fewest_replicas_and_hints_meet_what_there_is(strategy: str) -> None:
    """A minimum is a guarantee and asked for whatever there is; a hint's floor is not."""
    seen: Json = {"ready": 10, "refused": 4, "shortage": QUOTA}
    least = _at_noon(_spec(strategy, minReplicas=16), 14, {"queue": 4}, **seen)
    assert (least.desired_replicas, least.bound_by) == (16, Stage.BOUNDS)
    hint = rules.hint(cronExpression="0 12 * * *", targetReplicas=20)
    hinted = _at_noon(_spec(strategy, scheduleHints=[hint]), 14, {"queue": 4}, **seen)
    assert (hinted.desired_replicas, hinted.bound_by) == (14, Stage.BOUNDS)


@EVERYONE
@pytest.mark.parametrize("current", [4, 0], ids=["running", "switched-off"])
def test_a_budget_that_nobody_compares_is_not_kept(strategy: str, current: int) -> None:
    """`WithinBudget` is never True by accident; without a budget nothing is told of it."""
    spec = _spec(strategy, costConfig={"enabled": True, "budgetPerHour": "10"})
    status, reason, message = told(_at_noon(spec, current, {"queue": 4}), "WithinBudget")
    assert (status, reason) == ("Unknown", "CostNotEvaluated")
    assert "the budget limits nothing" in message
    off = _spec(strategy, costConfig={"enabled": False, "budgetPerHour": "10"})
    assert "WithinBudget" not in [one.type for one in _at_noon(off, 4, {"queue": 4}).conditions]


def test_of_several_shortages_the_longest_counts() -> None:
    """Those that do not say since when come last, and of none there is none."""
    unknown = replace(NO_NODE, since=None)
    assert capacity.longest([unknown, OF_LATE, QUOTA]) == QUOTA
    assert capacity.longest([unknown]) == unknown
    assert capacity.longest([]) is None


@given(
    strategies.worlds() | strategies.acting_worlds(),
    st.integers(1, 40),
    st.sampled_from(Obstacle),
    st.integers(0, 1200),
)
def test_a_shortage_never_asks_for_more(
    world: World, refused: int, obstacle: Obstacle, since_s: int
) -> None:
    """Whatever else there is: beyond five minutes nothing grows but for the fewest replicas."""
    shortage = Shortage(obstacle, NOON - timedelta(seconds=since_s))
    replicas = replace(world.observation.replicas, refused=refused)
    seen = replace(world.observation, replicas=replicas, shortage=shortage)
    patient = replace(seen, shortage=replace(shortage, since=None))
    limited, free = (decide(world.spec, one, world.state, NOON)[0] for one in (seen, patient))
    current = replicas.current
    assert limited.desired_replicas <= free.desired_replicas
    if since_s >= 300 and free.desired_replicas > current:
        fewest = min(free.desired_replicas, max(current, world.spec.min_replicas, 1))
        assert limited.desired_replicas in {current, fewest}


@pytest.mark.parametrize(
    ("replicas", "unplaced", "placed", "lost_or_starting"),
    [
        pytest.param(Replicas(8, 8), 0, 8, 0, id="all-ready"),
        pytest.param(Replicas(8, 4), 0, 8, 4, id="starting"),
        pytest.param(Replicas(8, 4, unschedulable=2, refused=1), 3, 5, 1, id="of-each-kind"),
        pytest.param(Replicas(4, 4, unschedulable=1), 1, 4, 0, id="surge-without-a-node"),
        pytest.param(Replicas(2, 0, unschedulable=3), 2, 0, 0, id="more-than-asked-for"),
    ],
)
def test_counts(replicas: Replicas, unplaced: int, placed: int, lost_or_starting: int) -> None:
    """Each replica is ready, on its way, or without a place."""
    assert (replicas.unplaced, replicas.placed) == (unplaced, placed)
    assert replicas.lost_or_starting == lost_or_starting
