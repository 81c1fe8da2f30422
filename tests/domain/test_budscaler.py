"""BudScaler strategy: the original's order and constants, as the design corrects them."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain import conditions, readings
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Decision, Stage
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.kube.port import Json
from tests import samples
from tests.domain.deciding import DEAD, Says, Story, rung, told

ELAPSED_S = 3700
"""Longer than any window."""


def _spec(*sources: Json, **fields: Any) -> ScalerSpec:
    return samples.spec(*(sources or (samples.level("70"),)), **BUDSCALER | fields)


BUDSCALER: Json = {"scalingStrategy": "BudScaler", "maxReplicas": 100}


def _settled(spec: ScalerSpec, current: int, says: Says) -> Decision:
    """What is decided once every window has seen nothing else."""
    story = Story(spec)
    story.step(current, says)
    return story.step(current, says, after_s=ELAPSED_S)


@pytest.mark.parametrize(
    ("reading", "steps"),
    [
        pytest.param(85, [1, 2, 3, 4, 5, 6, 8], id="T06-up"),
        pytest.param(20, [5, 3, 2, 1, 1], id="T08-down"),
        pytest.param(35, [2, 1, 1], id="D48-half-a-target-does-not-stick"),
        pytest.param(46, [3, 2, 2], id="D48-two-thirds-neither"),
    ],
)
def test_it_goes_part_of_the_way(reading: float, steps: list[int]) -> None:
    """The same level at each step, 0.8 of the way up and half of it down, a minute apart."""
    spec = _spec(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    story, current = Story(spec), steps[0]
    taken = [current]
    for _ in steps[1:]:
        level = readings.reading(reading, answered=current, of=current)
        current = story.step(current, {"usage": level}, after_s=60).desired_replicas
        taken.append(current)
    assert taken == steps


@pytest.mark.parametrize(
    ("reading", "current", "desired"),
    [
        pytest.param(73, 10, 10, id="T29-four-percent-is-within-ten"),
        pytest.param(77, 10, 10, id="ten-percent-is-inclusive"),
        pytest.param(78, 10, 11, id="eleven-is-not"),
        pytest.param(63, 10, 10, id="down-inclusive-too"),
        pytest.param(62, 10, 9, id="below"),
    ],
)
def test_tolerance_is_ten_percent_and_inclusive(reading: float, current: int, desired: int) -> None:
    """A target of 70."""
    assert _settled(_spec(), current, {"usage": reading}).desired_replicas == desired


def test_the_largest_of_several_wins() -> None:
    """Case T10 in loads of its own: of three totals the largest is gone towards."""
    spec = _spec(*(samples.total(name=name) for name in "abc"))
    decision = _settled(spec, 2, {"a": 3, "b": 5, "c": 4})
    assert decision.desired_replicas == 4  # capped at twice the two that stand
    assert rung(decision, Code.LARGEST_NEED).message.endswith(": b")


@pytest.mark.parametrize(
    ("says", "desired"),
    [
        pytest.param({"a": DEAD, "b": DEAD}, 6, id="no-data-holds"),
        pytest.param({"a": 1, "b": DEAD}, 6, id="one-of-two-does-not-shrink"),
        pytest.param({"a": 12, "b": DEAD}, 11, id="and-may-grow"),
    ],
)
def test_missing_data_never_scales_down(says: Says, desired: int) -> None:
    """Six replicas and two totals."""
    spec = _spec(samples.total(name="a"), samples.total(name="b"))
    assert _settled(spec, 6, says).desired_replicas == desired


def test_all_pods_unready_hold() -> None:
    """Case T30: six running pods, none ready, and the level says nothing."""
    story = Story(_spec())
    assert story.step(6, {"usage": readings.reading(1)}, ready=0).desired_replicas == 6
    assert story.step(6, {}, ready=0, after_s=ELAPSED_S).desired_replicas == 6


def test_a_quiet_spell_shorter_than_the_window_moves_nothing() -> None:
    """Case T24: what was needed 100 s ago keeps its replicas for 300 s."""
    story = Story(_spec(samples.total()))
    story.step(5, {"queue": 5})
    held = story.step(5, {"queue": 1}, after_s=100)
    assert (held.desired_replicas, held.bound_by) == (5, Stage.STABILIZATION)
    assert held.next_change is not None
    assert (held.next_change.at - story.now).total_seconds() == 200
    assert story.step(5, {"queue": 1}, after_s=200).desired_replicas == 3


def test_a_scaler_that_meets_a_live_workload_waits_for_a_whole_window() -> None:
    """What stands counts as wanted until five minutes were seen."""
    story = Story(_spec(samples.total()))
    assert story.step(10, {"queue": 1}).desired_replicas == 10
    assert story.step(10, {"queue": 1}, after_s=299).desired_replicas == 10
    assert story.step(10, {"queue": 1}, after_s=1).desired_replicas == 6


def test_lowered_bounds_act_at_once() -> None:
    """Case T42: eight stand, and the most become four, whatever windows say."""
    story = Story(_spec(samples.total()))
    story.step(8, {"queue": 8})
    story.spec = _spec(samples.total(), maxReplicas=4)
    decision = story.step(8, {"queue": 8})
    assert (decision.desired_replicas, decision.bound_by) == (4, Stage.BOUNDS)


@pytest.mark.parametrize(
    ("rate", "current", "load", "desired"),
    [
        pytest.param(None, 4, 100, 8, id="doubles"),
        pytest.param("1.5", 4, 100, 6, id="less-if-asked"),
        pytest.param("10", 4, 100, 40, id="more-if-asked"),
    ],
)
def test_growth_is_limited_to_a_rate(
    rate: str | None, current: int, load: float, desired: int
) -> None:
    """A load of a hundred out of nowhere."""
    behavior = {"scaleUp": {"maxScaleRate": rate}} if rate else None
    decision = _settled(_spec(samples.total(), behavior=behavior), current, {"queue": load})
    assert decision.desired_replicas == desired


def test_a_rate_without_policies_is_one_of_a_minute() -> None:
    """Two decisions fifteen seconds apart do not double twice."""
    story = Story(_spec(samples.total()))
    assert story.step(4, {"queue": 100}).desired_replicas == 8
    assert story.step(8, {"queue": 100}).desired_replicas == 8
    assert story.step(8, {"queue": 100}, after_s=60).desired_replicas == 16


@pytest.mark.parametrize(
    ("rate", "desired"),
    [
        pytest.param("0.9", 9, id="slower"),
        pytest.param("2.0", 6, id="T36-two-means-halve"),
        pytest.param("1", 10, id="one-means-never"),
    ],
)
def test_shrinking_is_limited_to_a_rate(rate: str, desired: int) -> None:
    """A load of one at ten replicas; damping alone would give six."""
    spec = _spec(samples.total(), behavior={"scaleDown": {"maxScaleRate": rate}})
    assert _settled(spec, 10, {"queue": 1}).desired_replicas == desired


def test_policies_come_after_the_window() -> None:
    """Ten percent a minute of what the window lets through."""
    policies = [{"type": "Percent", "value": 10, "periodSeconds": 60}]
    spec = _spec(samples.total(), behavior={"scaleDown": {"policies": policies}})
    decision = _settled(spec, 20, {"queue": 1})
    assert (decision.desired_replicas, decision.bound_by) == (18, Stage.POLICIES)


@pytest.mark.parametrize(
    ("gates", "ready", "desired"),
    [
        pytest.param({"maxStartingPods": 2}, 4, 6, id="two-start"),
        pytest.param({"maxStartingPods": 3}, 4, 10, id="three-may"),
        pytest.param({"maxStartingPodPercent": 30}, 4, 6, id="a-third-start"),
        pytest.param({"maxStartingPodPercent": 50}, 4, 10, id="half-may"),
        pytest.param({}, 0, 10, id="no-gate-unless-asked-for"),
    ],
)
def test_a_gate_of_starting_replicas(gates: Json, ready: int, desired: int) -> None:
    """Six replicas, a load of 10.5, and some of the six still start."""
    rules = {"startingPods": gates, "maxScaleRate": "10"}
    story = Story(_spec(samples.total(), behavior={"scaleUp": rules}))
    assert story.step(6, {"queue": 10.5}, ready=ready).desired_replicas == desired


def test_a_gate_does_not_stay_closed_for_ever() -> None:
    """A pod that loops for an hour holds the others up for ten minutes."""
    gates = {"startingPods": {"maxStartingPods": 1}, "maxScaleRate": "10"}
    story = Story(_spec(samples.total(), behavior={"scaleUp": gates}))
    assert story.step(6, {"queue": 10.5}, ready=5).desired_replicas == 6
    assert story.step(6, {"queue": 10.5}, ready=5, after_s=600).desired_replicas == 10


def test_who_has_no_place_does_not_close_a_gate() -> None:
    """Two that no node takes do not start; with one that does it is closed."""
    gates = {"startingPods": {"maxStartingPods": 1}, "maxScaleRate": "10"}
    spec = _spec(samples.total(), behavior={"scaleUp": gates})
    for ready, desired in ((4, 10), (3, 6)):
        decision = Story(spec).step(6, {"queue": 10.5}, ready=ready, unschedulable=2)
        assert decision.desired_replicas == desired


@pytest.mark.parametrize(
    ("load", "desired"),
    [
        pytest.param(11.9, 10, id="up-inside"),
        pytest.param(12.5, 12, id="up-outside"),
        pytest.param(9.6, 10, id="down-inside"),
        pytest.param(9.0, 9, id="down-outside"),
    ],
)
def test_each_direction_has_its_tolerance(load: float, desired: int) -> None:
    """A fifth on the way up, and a twentieth on the way down."""
    behavior = samples.tolerance("0.2", "0.05")
    behavior["scaleDown"]["stabilizationWindowSeconds"] = 0
    decision = _settled(_spec(samples.total(), behavior=behavior), 10, {"queue": load})
    assert decision.desired_replicas == desired


@pytest.mark.parametrize(
    ("source", "desired"),
    [
        pytest.param(samples.total(), 0, id="a-total-outside-can-wake-it"),
        pytest.param(samples.level(name="queue"), 1, id="a-level-cannot"),
        pytest.param(
            samples.total(metricSourceType="pod", promQL=None), 1, id="nor-can-its-own-pods"
        ),
    ],
)
def test_it_goes_to_zero_only_if_something_can_wake_it(source: Json, desired: int) -> None:
    """One replica, fewest 0, and no load at all."""
    decision = _settled(_spec(source, minReplicas=0), 1, {"queue": 0})
    assert decision.desired_replicas == desired


def test_it_wakes_undamped() -> None:
    """From 0 a load of 4.2 is five replicas at once."""
    story = Story(_spec(samples.total(), minReplicas=0))
    assert story.step(0, {"queue": 4.2}).desired_replicas == 5


def test_who_was_switched_off_stays_off() -> None:
    """At 0 with fewest 1, its owner did it."""
    decision = Story(_spec(samples.total())).step(0, {"queue": 50})
    assert (decision.desired_replicas, decision.bound_by) == (0, Stage.GATE)


def test_the_rungs_chain_to_the_result() -> None:
    """Each step of the ladder after the combination begins where the one before ended."""
    decision = _settled(_spec(samples.total(), maxReplicas=6), 4, {"queue": 50})
    steps = [(str(r.code), r.before, r.after) for r in decision.rungs]
    assert steps == [
        ("NeedFromTotal", 4, 50),
        ("LargestNeed", 4, 50),
        ("Damped", 50, 41),
        ("RateCapped", 41, 8),
        ("MaxReplicas", 8, 6),
        ("Result", 4, 6),
    ]


@pytest.mark.parametrize(
    ("memory", "usage", "current", "desired"),
    [
        pytest.param(90, 70, 2, 3, id="T11-memory-raises"),
        pytest.param(20, 80, 4, 5, id="T13-never-lowers"),
        pytest.param(72, 70, 4, 4, id="within-tolerance"),
        pytest.param(210, 70, 4, 8, id="at-most-the-rate"),
    ],
)
def test_gpus_can_only_raise(memory: float, usage: float, current: int, desired: int) -> None:
    """A memory threshold of 70, with the tolerance, damping and rate of metrics."""
    config = {"enabled": True, "gpuMemoryThreshold": 70}
    story = Story(_spec(gpuConfig=config))
    reading = readings.reading(memory, answered=current, of=current)
    level = readings.reading(usage, answered=current, of=current)
    assert isinstance(reading, Reading)
    gpus = GpuReading(reading, NoData(NoDataReason.METRIC_NOT_FOUND, "none"), current)
    assert story.step(current, {"usage": level}, gpu=gpus).desired_replicas == desired


@pytest.mark.parametrize(
    ("annotations", "load", "desired"),
    [
        pytest.param({}, 10.9, 10, id="defaults"),
        pytest.param({"scale-up-tolerance": "5%"}, 10.9, 11, id="tolerance-up"),
        pytest.param({"scale-down-tolerance": "0.3"}, 7.5, 10, id="tolerance-down"),
        pytest.param({"max-scale-up-rate": "1.2"}, 50, 12, id="rate-up"),
        pytest.param({"max-scale-down-rate": "0.9"}, 1, 9, id="rate-down"),
        pytest.param({"max-scale-down-rate": "2.0"}, 1, 6, id="T36-two-means-halve"),
        pytest.param({"scale-down-cooldown": "1h"}, 1, 6, id="a-window-that-is-over"),
        pytest.param({"scale-down-rate": "x"}, 1, 6, id="unreadable-leaves-the-default"),
    ],
)
def test_annotations_come_over_the_fields(
    annotations: dict[str, str], load: float, desired: int
) -> None:
    """Ten replicas; the fields say a tolerance of 10 percent upwards, and a rate of three."""
    behavior = {"scaleUp": {"tolerance": "0.1", "maxScaleRate": "3"}}
    story = Story(_spec(samples.total(), behavior=behavior), annotations=annotations)
    story.step(10, {"queue": load})
    assert story.step(10, {"queue": load}, after_s=ELAPSED_S).desired_replicas == desired


def test_a_cooldown_by_annotation_is_a_window() -> None:
    """Five minutes by default, two by the annotation."""
    story = Story(_spec(samples.total()), annotations={"scale-down-cooldown": "2m"})
    story.step(10, {"queue": 1})
    assert story.step(10, {"queue": 1}, after_s=119).desired_replicas == 10
    assert story.step(10, {"queue": 1}, after_s=1).desired_replicas == 6


def test_who_cannot_be_woken_is_told() -> None:
    """Fewest is 0, and no source would notice a load."""
    decision = _settled(_spec(minReplicas=0), 1, {"usage": 0})
    assert told(decision, conditions.SCALE_TO_ZERO)[:2] == ("False", "NothingWakesIt")


@pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])
@pytest.mark.parametrize(
    "load", [pytest.param(3, id="less-than-was-wanted"), pytest.param(6, id="more-than-that")]
)
def test_lost_replicas_hold_what_was_asked_for(strategy: str, load: float) -> None:
    """On the way from ten down to four some are lost: a higher load must not be worth fewer."""
    story = Story(_spec(samples.total(), scalingStrategy=strategy))
    for _ in range(30):
        story.step(10, {"queue": 4}, after_s=60)
    story.spec = _spec(samples.total(), scalingStrategy=strategy, maxReplicas=10)
    held = story.step(10, {"queue": load}, ready=8, after_s=0)
    assert rung(held, Code.LOST_OR_STARTING).after == 10
    assert held.desired_replicas == 10
