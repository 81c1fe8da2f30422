"""GPU thresholds in a decision: they raise, never lower, and hold where there is no reading."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Decision, Stage
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from tests import samples
from tests.domain.deciding import DEAD, Story, told

UNASKED = NoData(NoDataReason.METRIC_NOT_FOUND, "nobody tells")


def config(memory: int | None = 70, compute: int | None = None, **spec: Any) -> ScalerSpec:
    """A scaler on a total `queue`, one replica for one of it, with GPU thresholds."""
    percents = {"gpuMemoryThreshold": memory, "gpuComputeThreshold": compute}
    raw = {"enabled": True} | {key: value for key, value in percents.items() if value is not None}
    return samples.spec(gpuConfig=raw, **spec)


def gpus(
    memory: float | Observed = UNASKED, compute: float | Observed = UNASKED, *, pods: int = 4
) -> GpuReading:
    """A reading of one GPU a pod; a number is percent, told by all pods."""

    def made(told: float | Observed) -> Observed:
        number = isinstance(told, int | float)
        return Reading(float(told), answered=pods, of=pods) if number else told  # type: ignore[arg-type, return-value]  # the narrowing is in `number`

    return GpuReading(made(memory), made(compute), pods, "H100")


def decided(
    spec: ScalerSpec,
    current: int,
    wants: float | Observed,
    gpu: GpuReading | NoData | None,
    **seen: Any,
) -> Decision:
    """Decide once, with the queue asking for so many replicas."""
    return Story(spec).step(current, {"queue": wants}, gpu=gpu, **seen)


def test_gpu_memory_above_its_threshold_scales_up() -> None:
    """Two replicas with 90 % of their memory used, at 70 % each, are a load of three."""
    decision = decided(config(), 2, 2.0, gpus(90, pods=2))
    assert decision.desired_replicas == 3
    assert decision.bound_by is Stage.GPU
    assert decision.desired_load == pytest.approx(2 * 90 / 70, abs=0.001)
    rungs = [(rung.stage, rung.code) for rung in decision.rungs]
    assert rungs == [
        (Stage.SOURCE, Code.NEED_FROM_TOTAL),
        (Stage.COMBINE, Code.LARGEST_NEED),
        (Stage.GPU, Code.NEED_FROM_LEVEL),
        (Stage.GPU, Code.LARGEST_NEED),
        (Stage.FINAL, Code.RESULT),
    ]
    assert decision.rungs[3].message == (
        "GPU memory needs 2.571 replicas, more than the 2 of the metrics"
    )


@pytest.mark.parametrize(
    ("thresholds", "memory", "compute", "replicas"),
    [
        pytest.param((70, 80), 20, 10, 3, id="below-both-never-lowers"),
        pytest.param((70, 80), 70, 10, 4, id="at-one-holds"),
        pytest.param((70, 80), 90, 10, 6, id="memory"),
        pytest.param((70, 80), 10, 100, 5, id="utilisation"),
        pytest.param((70, 80), 90, 100, 6, id="the-larger-of-both"),
        pytest.param((None, 80), 100, 10, 3, id="memory-without-a-threshold"),
        pytest.param((70, None), 20, 100, 3, id="utilisation-without-a-threshold"),
        pytest.param((0, 80), 100, 10, 3, id="a-threshold-of-0"),
        pytest.param((None, None), 100, 100, 3, id="no-threshold"),
    ],
)
def test_only_thresholds_that_are_set_count(
    thresholds: tuple[int | None, int | None], memory: float, compute: float, replicas: int
) -> None:
    """Four replicas, of which the queue wants three."""
    decision = decided(config(*thresholds), 4, 3.0, gpus(memory, compute))
    assert decision.desired_replicas == replicas


@pytest.mark.parametrize(
    ("memory", "replicas"),
    [
        pytest.param(77.0, 4, id="a-tenth-above-is-within"),
        pytest.param(77.1, 5, id="more-is-not"),
        pytest.param(63.0, 4, id="a-tenth-below-is-within"),
        pytest.param(52.0, 3, id="less-is-not"),
    ],
)
def test_gpus_have_the_dead_band_of_the_metrics(memory: float, replicas: int) -> None:
    """The default of a tenth; the queue wants two of four."""
    decision = decided(config(), 4, 2.0, gpus(memory))
    assert decision.desired_replicas == replicas
    assert decision.bound_by is Stage.GPU


def test_metrics_that_want_more_win() -> None:
    """The largest need wins, whoever has it."""
    decision = decided(config(), 4, 9.0, gpus(90))
    assert (decision.desired_replicas, decision.bound_by) == (9, Stage.COMBINE)


def test_bounds_are_applied_last() -> None:
    """Full GPUs do not scale past maxReplicas."""
    decision = decided(config(maxReplicas=5), 4, 4.0, gpus(100))
    assert (decision.desired_replicas, decision.bound_by) == (5, Stage.BOUNDS)


@pytest.mark.parametrize(
    "gpu",
    [
        pytest.param(DEAD, id="no-exporter"),
        pytest.param(None, id="never-read"),
        pytest.param(gpus(compute=10), id="no-memory-in-the-reading"),
    ],
)
def test_a_missing_reading_does_not_scale_down(gpu: GpuReading | NoData | None) -> None:
    """It is a source without data: it holds, is named, and lets others scale up."""
    decision = decided(config(), 4, 1.0, gpu)
    assert (decision.desired_replicas, decision.bound_by) == (4, Stage.SOURCE)
    status, reason, message = told(decision, conditions.SCALING_ACTIVE)
    assert (status, reason) == ("True", "ValidMetricFound")
    assert "without data, so holding scale-down: GPU memory (" in message
    assert decided(config(), 4, 8.0, gpu).desired_replicas == 8


def test_one_quantity_missing_holds_though_the_other_is_there() -> None:
    """Little memory in use says nothing of utilisation."""
    decision = decided(config(70, 80), 4, 1.0, gpus(10, DEAD))
    assert decision.desired_replicas == 4
    assert decided(config(70, 80), 4, 1.0, gpus(90, DEAD)).desired_replicas == 6


def test_one_cause_is_told_once() -> None:
    """A dead exporter leaves both thresholds without data."""
    _, _, message = told(decided(config(70, 80), 4, 1.0, DEAD), conditions.SCALING_ACTIVE)
    assert message.endswith("holding scale-down: GPUs (Unreachable): the server is down")


def test_nothing_has_data() -> None:
    """Neither queue nor GPUs: the replicas stay, and ScalingActive is False and names both."""
    decision = decided(config(), 4, DEAD, DEAD)
    assert decision.desired_replicas == 4
    status, reason, message = told(decision, conditions.SCALING_ACTIVE)
    assert (status, reason) == ("False", "NoData")
    assert "queue (Unreachable)" in message
    assert "GPU memory (Unreachable)" in message


def test_gpus_alone_are_data() -> None:
    """With a dead queue they may still scale up, and nothing scales down."""
    assert decided(config(), 4, DEAD, gpus(90)).desired_replicas == 6
    decision = decided(config(), 4, DEAD, gpus(10))
    assert decision.desired_replicas == 4
    assert told(decision, conditions.SCALING_ACTIVE)[0] == "True"


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param({"enabled": True}, id="no-threshold"),
        pytest.param({"enabled": True, "gpuMemoryThreshold": 0}, id="a-threshold-of-0"),
        pytest.param({"gpuMemoryThreshold": 70}, id="not-enabled"),
    ],
)
def test_what_does_not_count_does_not_hold(raw: dict[str, Any]) -> None:
    """A reading that is only shown may be missing."""
    decision = decided(samples.spec(gpuConfig=raw), 4, 1.0, DEAD)
    assert decision.desired_replicas == 1
    assert "GPU" not in told(decision, conditions.SCALING_ACTIVE)[2]


def test_silent_pods_count_as_at_target_when_going_down_and_as_0_when_going_up() -> None:
    """Half the pods tell that they are empty, or full: nobody knows of the others."""
    empty = gpus(Reading(0.0, answered=2, of=4))
    full = gpus(Reading(100.0, answered=2, of=4))
    assert decided(config(), 4, 1.0, empty).desired_replicas == 2
    assert decided(config(), 4, 1.0, full).desired_replicas == 4


def test_starting_replicas_do_not_compound() -> None:
    """Four full replicas ask for six, however long the two new ones take to start."""
    story = Story(config())
    for current in (4, 6, 6, 6):
        decision = story.step(current, {"queue": 1.0}, gpu=gpus(90), ready=4)
        assert decision.desired_replicas == 6


def test_no_ready_pod_has_no_reading() -> None:
    """GPUs of pods that are not ready are no level of the target."""
    decision = decided(config(), 4, 1.0, gpus(0), ready=0)
    assert decision.desired_replicas == 4


def test_gpus_do_not_keep_a_workload_from_waking_up() -> None:
    """At 0 replicas there is no GPU, and the queue decides."""
    spec = config(minReplicas=0, hpa={"manage": "Never"})
    assert decided(spec, 0, 3.0, UNASKED).desired_replicas == 3


def test_lost_replicas_hold_what_was_asked_for() -> None:
    """Who is left says nothing of what the lost ones used; without GPUs, a total still falls."""
    for spec, held in ((config(), 6), (samples.spec(), 2)):
        story = Story(spec)
        story.step(6, {"queue": 2.0}, gpu=gpus(20, pods=6))
        assert story.step(6, {"queue": 2.0}, gpu=gpus(20), ready=4).desired_replicas == held
