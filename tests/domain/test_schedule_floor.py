"""Schedule hints in decisions: a floor above metrics and below bounds, for every strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import pausing
from budaiscaler.domain.algorithms import sleeping, tuning
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec, Strategy
from budaiscaler.domain.api.features import ScheduleHint
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, Stage, State
from budaiscaler.domain.pausing import Pausing
from budaiscaler.kube.port import Json
from tests import rules, samples, strategies
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Says, Story, rung, told
from tests.strategies import World

ELAPSED_S = 3700
"""Longer than any window."""

TWO = datetime(2026, 1, 5, 14, tzinfo=UTC)
EVERYONE = pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
ACTING = pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])


def hint(replicas: int = 5, **fields: Any) -> Json:
    """From noon to two, UTC."""
    return rules.hint(**{"cronExpression": "0 12 * * *", "targetReplicas": replicas, **fields})


LATER = hint(name="later", cronExpression="0 20 * * *")


def _spec(strategy: str, *hints: Json, **fields: Any) -> ScalerSpec:
    sources = fields.pop("sources", (samples.total(),))
    return samples.spec(*sources, scalingStrategy=strategy, scheduleHints=list(hints), **fields)


def _settled(spec: ScalerSpec, current: int, says: Says, **seen: Any) -> Decision:
    """What is decided at noon once every window has seen nothing else."""
    story = Story(spec, now=NOON - timedelta(seconds=ELAPSED_S))
    story.step(current, says, after_s=0)
    return story.step(current, says, after_s=ELAPSED_S, **seen)


@EVERYONE
@pytest.mark.parametrize(
    ("hints", "load", "desired", "bound_by"),
    [
        pytest.param([hint()], 3, 5, Stage.SCHEDULE, id="T20-below-the-floor"),
        pytest.param([hint()], 8, 8, Stage.COMBINE, id="T20-above-it"),
        pytest.param([LATER], 3, 3, Stage.COMBINE, id="T20-outside-of-it"),
        pytest.param([hint(), hint(7, name="more")], 3, 7, Stage.SCHEDULE, id="the-largest"),
        pytest.param([hint(200)], 3, 100, Stage.BOUNDS, id="maxReplicas-beats-it"),
    ],
)
def test_the_floor_is_above_the_metrics(
    strategy: str, hints: Sequence[Json], load: float, desired: int, bound_by: Stage
) -> None:
    """Case T20: a workload that has what its load needs, at noon."""
    decision = _settled(_spec(strategy, *hints), int(load), {"queue": load})
    assert (decision.desired_replicas, decision.bound_by) == (desired, bound_by)


@EVERYONE
def test_the_floor_explains_itself(strategy: str) -> None:
    """The rung names hint and end, the decision when it changes, also where it raises nothing."""
    decision = _settled(_spec(strategy, hint(), LATER), 3, {"queue": 3})
    raised = rung(decision, Code.SCHEDULE_FLOOR)
    assert (raised.before, raised.after) == (3, 5)
    assert raised.message == ("schedule hint day asks for at least 5 until 2026-01-05T14:00:00Z")
    assert decision.next_change is not None
    assert (decision.next_change.at, decision.next_change.message) == (
        TWO,
        "schedule hint day ends",
    )
    enough = rung(_settled(_spec(strategy, hint()), 8, {"queue": 8}), Code.SCHEDULE_FLOOR)
    assert (enough.before, enough.after) == (8, 8)
    assert enough.message.endswith("; 8 are wanted anyway")


@EVERYONE
def test_a_hint_that_would_raise_is_announced(strategy: str) -> None:
    """One that asks for less than stands is not, nor for more than may stand."""
    small = hint(2, name="small", cronExpression="0 13 * * *")
    large = hint(9, cronExpression="0 20 * * *")
    decision = _settled(_spec(strategy, small, large), 3, {"queue": 3})
    assert decision.next_change is not None
    assert decision.next_change.message == "schedule hint day asks for 9"
    assert decision.next_change.at == NOON + timedelta(hours=8)
    assert _settled(_spec(strategy, large, maxReplicas=3), 3, {"queue": 3}).next_change is None


@EVERYONE
def test_an_edit_acts_at_the_next_decision(strategy: str) -> None:
    """Case T38: from five to seven while it holds."""
    story = Story(_spec(strategy, hint()))
    assert story.step(3, {"queue": 3}).desired_replicas == 5
    story.spec = _spec(strategy, hint(7))
    assert story.step(5, {"queue": 3}).desired_replicas == 7


@ACTING
def test_the_floor_is_not_subject_to_a_rate(strategy: str) -> None:
    """`maxScaleRate` limits what metrics ask for; a floor of twenty is twenty."""
    spec = _spec(strategy, hint(20), behavior={"scaleUp": {"maxScaleRate": "1.5"}})
    assert _settled(spec, 2, {"queue": 2}).desired_replicas == 20


@ACTING
def test_the_floor_does_not_wait_for_the_window_of_growth(strategy: str) -> None:
    """What metrics ask for does, and as much as the floor is let through of it."""
    spec = _spec(strategy, hint(), behavior={"scaleUp": {"stabilizationWindowSeconds": 600}})
    story = Story(spec, now=NOON - timedelta(seconds=60))
    assert story.step(3, {"queue": 3}, after_s=0).desired_replicas == 3
    held = story.step(3, {"queue": 8}, after_s=60)
    assert (held.desired_replicas, held.bound_by) == (5, Stage.STABILIZATION)
    assert rung(held, Code.STABILIZED).message.endswith("a schedule's floor of 5 is not held back")


@ACTING
def test_the_floor_passes_the_gate_of_starting_replicas(strategy: str) -> None:
    """Metrics ask for no more while two start; the floor is asked for nevertheless."""
    gated = {"scaleUp": {"startingPods": {"maxStartingPods": 2}}}
    for hints, desired in (([], 4), ([hint(6)], 6), ([hint(20)], 20)):
        story = Story(_spec(strategy, *hints, behavior=gated))
        story.step(4, {"queue": 4}, ready=2, after_s=0)
        decision = story.step(4, {"queue": 7}, ready=2)
        assert decision.desired_replicas == desired, hints


@ACTING
@pytest.mark.parametrize(
    ("rules_up", "desired"),
    [
        pytest.param(
            {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}, 4, id="one-a-minute"
        ),
        pytest.param({"selectPolicy": "Disabled"}, 3, id="disabled"),
    ],
)
def test_the_floor_obeys_policies(strategy: str, rules_up: Json, desired: int) -> None:
    """They limit every growth, of whatever cause."""
    decision = _settled(_spec(strategy, hint(), behavior={"scaleUp": rules_up}), 3, {"queue": 3})
    assert (decision.desired_replicas, decision.bound_by) == (desired, Stage.POLICIES)


@EVERYONE
def test_a_pause_beats_the_floor(strategy: str) -> None:
    """Whoever pauses growth means all of it, and no hint is announced that would not act."""
    paused = Pausing(up=True, reason=pausing.BY_SPEC, message="up is paused")
    decision = _settled(_spec(strategy, hint()), 3, {"queue": 3}, paused=paused)
    assert (decision.desired_replicas, decision.bound_by) == (3, Stage.GATE)
    assert decision.next_change is None
    later = _settled(_spec(strategy, LATER), 3, {"queue": 3}, paused=paused)
    assert later.next_change is None


@EVERYONE
def test_the_floor_needs_no_data(strategy: str) -> None:
    """With a dead source it raises; what stands above it is held, and the source is told."""
    raised = _settled(_spec(strategy, hint()), 3, {"queue": DEAD})
    assert (raised.desired_replicas, raised.bound_by) == (5, Stage.SCHEDULE)
    assert told(raised, "ScalingActive")[:2] == ("False", "NoData")
    held = _settled(_spec(strategy, hint()), 8, {"queue": DEAD})
    assert (held.desired_replicas, held.bound_by) == (8, Stage.SOURCE)


@EVERYONE
def test_what_a_floor_decides_is_as_good_as_data(strategy: str) -> None:
    """Its load is published although no source ever answered; what is only held is not."""
    story = Story(_spec(strategy, hint()))
    story.step(3, {"queue": DEAD})
    assert story.state.good_at == story.now
    story.step(5, {"queue": DEAD})
    assert story.state.good_at == story.now
    good = story.now
    assert story.step(5, {"queue": DEAD}, after_s=7200).desired_replicas == 5
    assert story.state.good_at == good


@ACTING
def test_after_a_hint_replicas_fall_as_after_any_load(strategy: str) -> None:
    """The window of five minutes is seen through first, then half of the way or the average."""
    story = Story(_spec(strategy, hint()), now=TWO - timedelta(seconds=900.5))
    for _ in range(60):
        assert story.step(5, {"queue": 1}).desired_replicas == 5
    ended = story.step(5, {"queue": 1}, after_s=0.5)
    assert (ended.desired_replicas, ended.bound_by) == (5, Stage.STABILIZATION)
    for _ in range(19):
        assert story.step(5, {"queue": 1}).desired_replicas == 5
    assert story.step(5, {"queue": 1}, after_s=14.6).desired_replicas < 5


def test_the_load_of_an_hpa_falls_with_the_hint() -> None:
    """The HPA has a window of its own."""
    story = Story(_spec("HPA", hint()), now=TWO - timedelta(seconds=1))
    assert story.step(5, {"queue": 1}, after_s=0).desired_load == 5
    assert story.step(5, {"queue": 1}, after_s=1).desired_load == 1


def test_lost_pods_hold_what_metrics_asked_for_and_not_the_floor() -> None:
    """HPA: a schedule that ends is no loss of load, so the need by the sources is remembered."""
    story = Story(_spec("HPA", hint(10)), now=TWO - timedelta(seconds=45))
    assert story.step(10, {"queue": 4}).desired_replicas == 10
    assert story.step(10, {"queue": 2}, ready=5).desired_replicas == 10
    assert story.step(10, {"queue": 2}, ready=5).desired_replicas == 4


@ACTING
@pytest.mark.parametrize(
    ("fewest", "desired"),
    [pytest.param(0, 5, id="asleep"), pytest.param(1, 0, id="switched-off")],
)
def test_a_floor_wakes_what_sleeps_and_not_what_is_switched_off(
    strategy: str, fewest: int, desired: int
) -> None:
    """A workload at 0 whose fewest replicas are 1 was put there by its owner."""
    story = Story(_spec(strategy, hint(), minReplicas=fewest))
    assert story.step(0, {"queue": 0}).desired_replicas == desired


def test_a_workload_sleeps_again_after_its_hint() -> None:
    """KPA: awake while the hint holds, then idle as after any load, and 0 in the end."""
    spec = _spec(
        "KPA", hint(1), minReplicas=0, behavior={"scaleDown": {"stabilizationWindowSeconds": 0}}
    )
    story = Story(spec, now=TWO - timedelta(seconds=600))
    for _ in range(39):
        assert story.step(1, {"queue": 0}).desired_replicas == 1
    assert story.step(1, {"queue": 0}, after_s=15).desired_replicas == 1
    assert story.now == TWO
    assert story.step(1, {"queue": 0}, after_s=15).desired_replicas == 1
    assert story.step(1, {"queue": 0}, after_s=30).desired_replicas == 0


def test_one_that_is_woken_early_is_ready_on_time() -> None:
    """Prewarmed by one measured start; a start that is not measured any more lets nothing fall."""
    spec = _spec("BudScaler", hint(prewarm="auto"), minReplicas=0)
    story = Story(spec, now=NOON - timedelta(seconds=400))
    before = story.step(0, {"queue": 0}, startup_p95_s=300, after_s=0)
    assert before.desired_replicas == 0
    assert before.next_change is not None
    assert before.next_change.at == NOON - timedelta(seconds=300)
    assert story.step(0, {"queue": 0}, startup_p95_s=300, after_s=100).desired_replicas == 5
    assert story.step(5, {"queue": 0}, ready=0, after_s=100).desired_replicas == 5


@pytest.mark.parametrize(
    ("fields", "exact", "desired"),
    [
        pytest.param({}, True, 11, id="exact"),
        pytest.param({}, False, 12, id="an-older-server-swallows-11"),
        pytest.param({"hpa": {"manage": "Never"}}, False, 11, id="an-own-hpa-is-its-owner's"),
    ],
)
def test_a_floor_gets_past_the_dead_band_of_the_hpa(
    fields: Json, desired: int, *, exact: bool
) -> None:
    """From ten to eleven: a step that an HPA with its own tolerance would not make."""
    decision = _settled(_spec("HPA", hint(11), **fields), 10, {"queue": 10}, exact=exact)
    assert (decision.desired_replicas, decision.bound_by) == (desired, Stage.SCHEDULE)
    there = _settled(_spec("HPA", hint(11), **fields), desired, {"queue": 10}, exact=exact)
    assert there.desired_replicas == 11


def test_with_hints_the_hpa_reads_nothing_by_itself() -> None:
    """A floor beside its own metrics would share their dead band, so all goes through the load."""
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    assert not _settled(samples.spec(cpu), 3, {"cpu": 80}).publishes
    decision = _settled(_spec("HPA", LATER, sources=(cpu,)), 3, {"cpu": 80})
    assert decision.publishes
    assert decision.desired_load == 3


def _hinted(world: World, drawn: Sequence[ScheduleHint]) -> World:
    named = tuple(one.model_copy(update={"name": f"hint-{i}"}) for i, one in enumerate(drawn))
    return replace(world, spec=world.spec.model_copy(update={"schedule_hints": named}))


def _decided(world: World) -> Decision:
    return decide(world.spec, world.observation, world.state, NOON)[0]


hinted = st.builds(
    _hinted,
    strategies.worlds() | strategies.acting_worlds(),
    st.lists(strategies.hints(), min_size=1, max_size=4),
)


def _is_switched_off(world: World) -> bool:
    return world.observation.replicas.current == 0 and world.spec.min_replicas >= 1


@given(hinted)
def test_a_decision_with_hints_lies_within_the_bounds(world: World) -> None:
    """For any hints: fewest <= desired <= most, or left at 0."""
    desired = _decided(world).desired_replicas
    if _is_switched_off(world):
        assert desired == 0
        return
    fewest = world.spec.min_replicas
    if world.spec.scaling_strategy is not Strategy.HPA:
        fewest = sleeping.fewest(world.spec, tuning.given(world.observation.annotations))
    elif world.spec.hpa.manage is Manage.AUTO:
        fewest = max(1, fewest)
    assert fewest <= desired <= world.spec.max_replicas


@given(hinted, st.data())
def test_a_higher_floor_never_asks_for_less(world: World, data: st.DataObject) -> None:
    """Monotone in what each hint asks for, and in the hints themselves."""
    hints = world.spec.schedule_hints or ()
    index = data.draw(st.integers(0, len(hints) - 1))
    higher = hints[index].model_copy(
        update={"target_replicas": hints[index].target_replicas + data.draw(st.integers(0, 50))}
    )
    for fewer, more in (
        (hints, (*hints[:index], higher, *hints[index + 1 :])),
        ((*hints[:index], *hints[index + 1 :]), hints),
    ):
        low, high = (
            _decided(replace(world, spec=world.spec.model_copy(update={"schedule_hints": one})))
            for one in (fewer, more)
        )
        assert high.desired_replicas >= low.desired_replicas


@given(hinted, st.randoms())
def test_the_order_of_hints_makes_no_difference_to_a_decision(world: World, random: Random) -> None:
    """Replicas, cause and announcement are the same however the list is written."""
    hints = list(world.spec.schedule_hints or ())
    random.shuffle(hints)
    shuffled = world.spec.model_copy(update={"schedule_hints": tuple(hints)})
    assert _decided(world) == _decided(replace(world, spec=shuffled))


@given(hinted)
def test_a_decision_with_hints_is_made_again_to_the_bit(world: World) -> None:
    """What is remembered of calendars is no state: only the arguments play a part."""
    once = decide(world.spec, world.observation, world.state, NOON)
    assert decide(world.spec, world.observation, world.state, NOON) == once
    next_change = once[0].next_change
    assert next_change is None or next_change.at > NOON


@given(hinted)
def test_the_ladder_with_hints_is_in_order(world: World) -> None:
    """The floor stands after GPUs and before stabilisation."""
    decision = _decided(world)
    order = list(Stage)
    stages = [order.index(rung.stage) for rung in decision.rungs]
    assert stages == sorted(stages)
    assert decision.rungs[-1].after == decision.desired_replicas


def test_hints_are_remembered_with_the_state() -> None:
    """A fresh memory knows of none, and one without hints keeps none."""
    story = Story(_spec("BudScaler", hint(prewarm="auto")), now=NOON - timedelta(seconds=100))
    story.step(3, {"queue": 3}, startup_p95_s=300)
    assert story.state.begun == {"day": NOON}
    story.spec = samples.spec(scalingStrategy="BudScaler")
    story.step(5, {"queue": 3}, startup_p95_s=300)
    assert story.state.begun == State().begun
