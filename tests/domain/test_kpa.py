"""KPA strategy: Knative's decider within all that protects every strategy."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain import conditions, pausing, readings
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Decision, Stage
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.kube.port import Json
from tests import samples
from tests.domain.deciding import DEAD, Says, Story, mean, rung, told

INTERVAL_S = 5
AT_ONCE: Json = {"scaleDown": {"stabilizationWindowSeconds": 0}}
"""No window of recommendations over the averages."""


def _spec(*sources: Json, **fields: Any) -> ScalerSpec:
    return samples.spec(*(sources or (samples.total(),)), **KPA | fields)


KPA: Json = {"scalingStrategy": "KPA", "maxReplicas": 100}


def _tell(story: Story, current: int, says: Says, for_s: float, **seen: Any) -> Decision:
    """Decide each five seconds for so long, with nothing followed; give the last decision."""
    decision = story.step(current, says, after_s=INTERVAL_S, **seen)
    for _ in range(int(for_s / INTERVAL_S) - 1):
        decision = story.step(current, says, after_s=INTERVAL_S, **seen)
    return decision


def _settled(spec: ScalerSpec, current: int, says: Says, **annotations: str) -> Decision:
    """What is decided once every window has seen nothing else."""
    named = {name.replace("_", "-"): text for name, text in annotations.items()}
    return _tell(Story(spec, annotations=named), current, says, 600)


@pytest.mark.parametrize(
    ("value", "current", "desired"),
    [
        pytest.param(150, 4, 6, id="T26-half-more"),
        pytest.param(190, 4, 8, id="T26-nearly-twice"),
        pytest.param(500, 4, 20, id="T26-panic-has-no-rate"),
        pytest.param(10, 10, 5, id="T26-halves-at-most"),
        pytest.param(170, 4, 7, id="T28-without-the-policy"),
    ],
)
def test_a_level_that_stays(value: float, current: int, desired: int) -> None:
    """Case T26: a threshold of 200 percent and a target of 100, with all windows full of it."""
    spec = _spec(samples.level("100"), maxReplicas=20)
    decision = _settled(spec, current, {"usage": mean(value, current)}, panic_threshold="200")
    assert decision.desired_replicas == desired


@pytest.mark.parametrize(
    ("value", "desired", "bound_by"),
    [
        pytest.param(170, 5, Stage.POLICIES, id="T28-a-pod-at-a-time"),
        pytest.param(190, 8, Stage.COMBINE, id="and-in-panic-no-policy"),
    ],
)
def test_policies_of_growth_do_not_apply_in_panic(
    value: float, desired: int, bound_by: Stage
) -> None:
    """Case T28: one pod a period. Seven of four are no panic, and eight are."""
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    spec = _spec(samples.level("100"), behavior={"scaleUp": {"policies": policies}})
    decision = _settled(spec, 4, {"usage": mean(value, 4)})
    assert (decision.desired_replicas, decision.bound_by) == (desired, bound_by)


def test_growth_that_is_disabled_is_disabled_in_panic_too() -> None:
    """That nothing may grow is no rate."""
    spec = _spec(behavior={"scaleUp": {"selectPolicy": "Disabled"}})
    assert _settled(spec, 4, {"queue": 40}).desired_replicas == 4


@pytest.mark.parametrize(
    ("rate", "desired"),
    [
        pytest.param("2.0", 2, id="T36-two-means-halve"),
        pytest.param("0.5", 2, id="as-does-a-half"),
        pytest.param("0.75", 3, id="slower"),
        pytest.param("1", 4, id="one-means-never"),
    ],
)
def test_a_rate_downwards_never_grows(rate: str, desired: int) -> None:
    """Case T36: four at half of the target, whichever way the half is written."""
    spec = _spec(samples.level("100"))
    decision = _settled(spec, 4, {"usage": mean(50, 4)}, max_scale_down_rate=rate)
    assert decision.desired_replicas == desired


def test_a_surge_is_panic_and_nothing_falls_in_it() -> None:
    """Five times the load for half a minute: up at once, and a stable window later down again."""
    story = Story(_spec(behavior=AT_ONCE))
    assert _tell(story, 4, {"queue": 4}, 600).desired_replicas == 4
    surge = _tell(story, 4, {"queue": 20}, 30)
    assert surge.desired_replicas > 8
    peak = surge.desired_replicas
    calm = _tell(story, peak, {"queue": 4}, 170)
    assert calm.desired_replicas == peak
    assert rung(calm, Code.NOT_LOWER_IN_PANIC).after == peak
    assert calm.next_change is not None
    assert timedelta(0) < calm.next_change.at - story.now <= timedelta(seconds=180)
    assert _tell(story, peak, {"queue": 4}, 120).desired_replicas < peak


def test_a_decider_that_meets_a_live_workload_begins_in_panic() -> None:
    """Of ten that stand, none goes for an average of less than a stable window."""
    story = Story(_spec(behavior=AT_ONCE))
    assert _tell(story, 10, {"queue": 1}, 180).desired_replicas == 10
    assert _tell(story, 10, {"queue": 1}, 10).desired_replicas == 5


def test_the_largest_of_several_wins() -> None:
    """Each source has a decider of its own, and one alone can panic."""
    spec = _spec(samples.total(name="a"), samples.total(name="b"))
    story = Story(spec)
    _tell(story, 3, {"a": 3, "b": 2}, 600)
    decision = _tell(story, 3, {"a": 3, "b": 30}, 60)
    assert decision.desired_replicas == 30
    assert rung(decision, Code.LARGEST_NEED).message.endswith(": b")
    assert set(story.state.kpa) == {"a", "b"}
    assert story.state.kpa["a"].memory.panic_since is None


@pytest.mark.parametrize(
    ("says", "desired"),
    [
        pytest.param({"a": DEAD, "b": DEAD}, 6, id="no-data-holds"),
        pytest.param({"a": 1, "b": DEAD}, 6, id="one-of-two-does-not-shrink"),
        pytest.param({"a": 11, "b": DEAD}, 11, id="and-may-grow"),
    ],
)
def test_missing_data_never_scales_down(says: Says, desired: int) -> None:
    """Six replicas and two totals."""
    spec = _spec(samples.total(name="a"), samples.total(name="b"))
    assert _settled(spec, 6, says).desired_replicas == desired


def test_a_source_that_comes_back_is_taken_as_it_is() -> None:
    """An hour without data leaves no old load in the average, and no gap counts as zero."""
    story = Story(_spec(behavior=AT_ONCE))
    _tell(story, 6, {"queue": 6}, 600)
    assert _tell(story, 6, {"queue": DEAD}, 3600).desired_replicas == 6
    assert _tell(story, 6, {"queue": 5.5}, 30).desired_replicas == 6
    assert _tell(story, 6, {"queue": 4.5}, 600).desired_replicas == 5


def test_a_window_that_no_sample_falls_into_holds() -> None:
    """Samples of twenty seconds ago and a window of six: nothing is known, and it is said."""
    story = Story(_spec(behavior=AT_ONCE), annotations={"stable-window": "6s"})
    old = readings.reading(1, age_s=20)
    decision = _tell(story, 6, {"queue": old}, 600)
    assert decision.desired_replicas == 6
    status, reason, message = told(decision, conditions.SCALING_ACTIVE)
    assert (status, reason) == ("False", "NoData")
    assert "queue: no sample in the stable window of 6 s" in message


def test_a_part_of_a_total_holds_and_leaves_no_trace_in_the_average() -> None:
    """Half the targets are gone for five minutes; what comes after is the whole again."""
    story = Story(_spec(behavior=AT_ONCE))
    whole, part = (readings.reading(v, answered=n) for v, n in ((8, 8), (4, 4)))
    _tell(story, 8, {"queue": whole}, 600)
    for _ in range(60):
        partial = story.step(8, {"queue": part}, after_s=INTERVAL_S)
        assert partial.desired_replicas == 8
        assert told(partial, conditions.PARTIAL_DATA)[0] == "True"
    for _ in range(60):
        assert story.step(8, {"queue": whole}, after_s=INTERVAL_S).desired_replicas == 8


def test_lost_pods_are_no_low_load() -> None:
    """A third is gone for a minute and the sum falls with them: never fewer, then nor after."""
    story = Story(_spec(behavior=AT_ONCE))
    _tell(story, 9, {"queue": 9}, 600)
    for _ in range(12):
        lost = story.step(9, {"queue": 6}, ready=6, after_s=INTERVAL_S)
        assert lost.desired_replicas == 9
    for _ in range(60):
        assert story.step(9, {"queue": 9}, after_s=INTERVAL_S).desired_replicas == 9


def test_replicas_that_start_do_not_compound() -> None:
    """Twice the target at four asks for eight for all the minutes that the others load."""
    story = Story(_spec(samples.level()))
    _tell(story, 4, {"usage": mean(1, 4)}, 600)
    grown = _tell(story, 4, {"usage": mean(2, 4)}, 180)
    assert grown.desired_replicas == 8
    for _ in range(72):
        loading = story.step(8, {"usage": mean(2, 4)}, ready=4, after_s=INTERVAL_S)
        assert loading.desired_replicas == 8


@pytest.mark.parametrize(
    ("current", "load"), [pytest.param(4, 20, id="up"), pytest.param(8, 1, id="down")]
)
def test_a_pause_holds_either_way(current: int, load: float) -> None:
    """Panic or not; and the state goes on, so that its end acts at once."""
    paused = Pausing(up=True, down=True, reason=pausing.BY_ANNOTATION, message="it is paused")
    story = Story(_spec())
    decision = _tell(story, current, {"queue": load}, 600, paused=paused)
    assert (decision.desired_replicas, decision.bound_by) == (current, Stage.GATE)
    assert _tell(story, current, {"queue": load}, 5).desired_replicas != current


@pytest.mark.parametrize(
    ("bypasses", "load", "desired"),
    [
        pytest.param(True, 40, 40, id="bypassed"),
        pytest.param(True, 9, 6, id="closed-as-there-is-no-panic"),
        pytest.param(False, 40, 6, id="closed"),
    ],
)
def test_a_gate_that_panic_may_bypass(load: float, desired: int, *, bypasses: bool) -> None:
    """Two of six start, which is as many as may, and a surge comes."""
    gates = {"maxStartingPods": 2, "bypassGateOnPanic": bypasses}
    story = Story(_spec(behavior={"scaleUp": {"startingPods": gates}}))
    _tell(story, 6, {"queue": 6}, 600)
    assert _tell(story, 6, {"queue": load}, 60, ready=4).desired_replicas == desired


def test_to_zero_and_back() -> None:
    """Idle for a stable window and a grace it goes; the first request after it wakes at once."""
    story = Story(_spec(behavior=AT_ONCE, minReplicas=0))
    _tell(story, 1, {"queue": 1}, 300)
    idle = _tell(story, 1, {"queue": 0}, 200)
    assert idle.desired_replicas == 1
    assert rung(idle, Code.HELD_ABOVE_ZERO).stage is Stage.STABILIZATION
    assert idle.next_change is not None
    gone = _tell(story, 1, {"queue": 0}, 60)
    assert gone.desired_replicas == 0
    assert rung(gone, Code.TO_ZERO).after == 0
    assert _tell(story, 0, {"queue": 0}, 3600).desired_replicas == 0
    assert story.step(0, {"queue": 4.2}, after_s=INTERVAL_S).desired_replicas == 5


@pytest.mark.parametrize(
    ("source", "annotations", "has_condition"),
    [
        pytest.param(samples.level(name="queue"), {}, True, id="nothing-would-wake-it"),
        pytest.param(samples.total(), {"scale-to-zero": "false"}, False, id="not-wanted"),
    ],
)
def test_one_stays_where_zero_cannot_be(
    source: Json, annotations: dict[str, str], *, has_condition: bool
) -> None:
    """The fewest is 0, there is no load, and who wonders why is told."""
    story = Story(_spec(source, minReplicas=0), annotations=annotations)
    decision = _tell(story, 1, {"queue": 0}, 1200)
    assert decision.desired_replicas == 1
    found = [one for one in decision.conditions if one.type == conditions.SCALE_TO_ZERO]
    assert [(one.status, one.reason) for one in found] == (
        [("False", "NothingWakesIt")] if has_condition else []
    )


def test_the_initial_scale_is_reached_once() -> None:
    """Three are the fewest until three were ready; then what the load needs."""
    story = Story(_spec(behavior=AT_ONCE), annotations={"initial-scale": "3"})
    begun = story.step(1, {"queue": 1})
    assert begun.desired_replicas == 3
    assert rung(begun, Code.INITIAL_SCALE).after == 3
    assert _tell(story, 3, {"queue": 1}, 600).desired_replicas == 1
    assert _tell(story, 1, {"queue": 1}, 60).desired_replicas == 1


@pytest.mark.parametrize(
    ("annotations", "load", "desired"),
    [
        pytest.param({}, 10.5, 11, id="none-by-default"),
        pytest.param({"scale_up_tolerance": "0.1"}, 10.5, 10, id="up"),
        pytest.param({"scale_up_tolerance": "0.1"}, 11.5, 12, id="beyond"),
        pytest.param({"scale_down_tolerance": "0.2"}, 8.5, 10, id="down"),
        pytest.param({"activation_scale": "12"}, 10.5, 12, id="activation"),
        pytest.param({"scale_down_cooldown": "1h"}, 5, 10, id="window-down"),
        pytest.param({"max_scale_up_rate": "1.1"}, 15, 11, id="rate-up"),
    ],
)
def test_annotations_tune_it(annotations: dict[str, str], load: float, desired: int) -> None:
    """Ten replicas; they come over the fields, and those over the defaults."""
    assert _settled(_spec(), 10, {"queue": load}, **annotations).desired_replicas == desired


def test_an_annotation_that_cannot_be_read_is_told() -> None:
    """The default stays in force, and the scaler works."""
    decision = _settled(_spec(), 4, {"queue": 6}, panic_threshold="a lot", cost_max_hourly="much")
    assert decision.desired_replicas == 6
    _, reason, message = told(decision, conditions.FIELDS_WITHOUT_EFFECT)
    assert reason == "AnnotationsNotUnderstood"
    assert "panic-threshold]: 'a lot'" in message
    assert message.count("cost-max-hourly") == 1


@pytest.mark.parametrize(
    ("memory", "load", "desired"),
    [
        pytest.param(90, 2, 3, id="memory-raises"),
        pytest.param(20, 3, 3, id="never-lowers"),
        pytest.param(350, 2, 4, id="at-most-the-rate"),
    ],
)
def test_gpus_can_only_raise(memory: float, load: float, desired: int) -> None:
    """Two replicas and a memory threshold of 70, with the rates of metrics."""
    config = {"enabled": True, "gpuMemoryThreshold": 70}
    reading = readings.reading(memory, answered=2, of=2)
    assert isinstance(reading, Reading)
    gpus = GpuReading(reading, NoData(NoDataReason.METRIC_NOT_FOUND, "none"), 2)
    story = Story(_spec(gpuConfig=config))
    assert _tell(story, 2, {"queue": load}, 600, gpu=gpus).desired_replicas == desired


def test_gpus_have_the_dead_band_of_the_metrics() -> None:
    """Memory a little above its threshold changes nothing where a band was asked for."""
    config = {"enabled": True, "gpuMemoryThreshold": 70}
    reading = readings.reading(75, answered=10, of=10)
    assert isinstance(reading, Reading)
    gpus = GpuReading(reading, NoData(NoDataReason.METRIC_NOT_FOUND, "none"), 10)
    for band, desired in ((None, 11), ("0.1", 10)):
        behavior = {} if band is None else {"behavior": samples.tolerance(band)}
        story = Story(_spec(gpuConfig=config, **behavior))
        assert _tell(story, 10, {"queue": 9}, 600, gpu=gpus).desired_replicas == desired


def test_a_source_that_is_gone_is_forgotten() -> None:
    """Its windows are not kept, and its panic holds nothing."""
    story = Story(_spec(samples.total(name="a"), samples.total(name="b")))
    _tell(story, 4, {"a": 4, "b": 40}, 60)
    story.spec = _spec(samples.total(name="a"))
    _tell(story, 4, {"a": 4}, 5)
    assert set(story.state.kpa) == {"a"}


def test_who_was_switched_off_stays_off_and_needs_no_initial_scale_again() -> None:
    """At 0 with fewest 1, its owner did it; what was reached once stays reached."""
    story = Story(_spec(), annotations={"initial-scale": "3"})
    _tell(story, 3, {"queue": 3}, 30)
    off = story.step(0, {"queue": 50})
    assert (off.desired_replicas, off.bound_by) == (0, Stage.GATE)
    assert story.step(1, {"queue": 1}).desired_replicas == 1


def test_the_rungs_chain_to_the_result() -> None:
    """From the stable average over panic and bounds, each where the one before ended."""
    story = Story(_spec(maxReplicas=6))
    _tell(story, 4, {"queue": 4}, 600)
    decision = _tell(story, 4, {"queue": 50}, 60)
    steps = [(str(r.code), r.before, r.after) for r in decision.rungs]
    assert steps[0] == ("StableAverage", 4, steps[0][2])
    assert [code for code, _, _ in steps] == [
        "StableAverage",
        "LargestNeed",
        "PanicAverage",
        "MaxReplicas",
        "Result",
    ]
    assert [before for _, before, _ in steps[2:-1]] == [after for _, _, after in steps[1:-2]]
    assert replace(decision, rungs=()).bound_by is Stage.BOUNDS
