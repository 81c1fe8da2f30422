"""What the HPA reads itself: which sources these are, what it makes of them, and what is left."""

from __future__ import annotations

import math
from typing import Any

import pytest

from budaiscaler.domain import readings
from budaiscaler.domain.algorithms import native
from budaiscaler.domain.algorithms.native import Target
from budaiscaler.domain.decision import Code, Stage
from budaiscaler.domain.readings import NoData, NoDataReason, Observed
from budaiscaler.kube.port import Json
from tests import rules, samples
from tests.domain.deciding import DEAD, Story, rung, told

CPU: Json = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
MEMORY: Json = {"metricSourceType": "resource", "targetMetric": "memory", "targetValue": "2Gi"}
QUEUE: Json = {"metricSourceType": "custom", "targetMetric": "queue", "targetValue": "10"}
OBJECT: Json = {"apiVersion": "v1", "kind": "Service", "name": "front"}
STATIC: Json = {"replicas": 3}


def pods(value: float, answered: int, of: int | None = None) -> Observed:
    """A level of so many pods."""
    return readings.reading(value, answered=answered, of=of or answered)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        pytest.param(CPU, Target(utilization=80), id="percent"),
        pytest.param({**CPU, "targetValue": "80.0"}, Target(utilization=80), id="percent-written"),
        pytest.param({**CPU, "targetValue": "80.5"}, None, id="a-fraction-of-a-percent"),
        pytest.param({**CPU, "targetValue": "0.5"}, None, id="less-than-a-percent"),
        pytest.param({**CPU, "targetValue": "3e9"}, None, id="more-than-an-hpa-can-write"),
        pytest.param({**CPU, "targetValue": "1500m"}, Target(average="1500m"), id="cores"),
        pytest.param(
            {**CPU, "targetValue": "2", "targetType": "AverageValue"},
            Target(average="2"),
            id="plain-cores",
        ),
        pytest.param(MEMORY, Target(average="2Gi"), id="bytes"),
        pytest.param(QUEUE, Target(average="10"), id="custom"),
        pytest.param(
            {**QUEUE, "targetType": "AverageValue"}, Target(average="10"), id="custom-total"
        ),
        pytest.param({**QUEUE, "targetValue": "100u"}, None, id="finer-than-an-hpa-can-read"),
        pytest.param({**QUEUE, "targetMetric": "a/b"}, None, id="a-name-that-an-hpa-refuses"),
        pytest.param(
            {**QUEUE, "targetMetric": "kv_cache_usage", "targetValue": "0.7"},
            Target(average="700m"),
            id="a-share-as-it-is",
        ),
        pytest.param(
            {**QUEUE, "targetMetric": "kv_cache_usage", "targetValue": "70"},
            None,
            id="a-share-against-percent",
        ),
        pytest.param(
            {**QUEUE, "targetMetric": "DCGM_FI_DEV_GPU_UTIL", "targetValue": "0.8"},
            None,
            id="percent-against-a-share",
        ),
        pytest.param({**QUEUE, "describedObject": OBJECT}, None, id="of-an-object"),
        pytest.param({**QUEUE, "optional": True}, None, id="optional"),
        pytest.param({**CPU, "fallback": STATIC}, None, id="with-a-fallback"),
        pytest.param(samples.total(), None, id="prometheus"),
        pytest.param({**CPU, "metricSourceType": "pod"}, None, id="pod"),
    ],
)
def test_which_sources_an_hpa_reads(source: Json, target: Target | None) -> None:
    """Those that it can express to the last digit, and that ask for nothing it cannot do."""
    published, natives = native.split(samples.spec(source), has_child=True)
    assert list(natives.values()) == ([] if target is None else [target])
    assert len(published) == (target is None)


@pytest.mark.parametrize(
    ("fields", "has_child"),
    [
        pytest.param({}, False, id="another-autoscaler-is-there"),
        pytest.param({"hpa": {"manage": "Never"}}, True, id="never"),
        pytest.param({"mode": "Recommend"}, True, id="recommend"),
        pytest.param({"scalingStrategy": "KPA"}, True, id="another-strategy"),
        pytest.param({"scheduleHints": [rules.hint()]}, True, id="schedules-above-its-metrics"),
        pytest.param(
            {"scaleTargetRef": {"apiVersion": "x.io/v1", "kind": "Deployment", "name": "a"}},
            True,
            id="a-kind-whose-replicas-may-be-groups",
        ),
        pytest.param(
            {"scaleTargetRef": {"kind": "LeaderWorkerSet", "name": "a"}}, True, id="another-kind"
        ),
    ],
)
def test_without_an_hpa_of_ours_all_is_published(fields: Json, *, has_child: bool) -> None:
    """Nobody would read what is left out."""
    published, natives = native.split(samples.spec(CPU, QUEUE, **fields), has_child=has_child)
    assert ([source.key for source in published], natives) == (["cpu", "queue"], {})


@pytest.mark.parametrize(
    ("source", "reading", "current", "ready", "expected"),
    [
        pytest.param(CPU, pods(160, 4), 4, 4, 8, id="up"),
        pytest.param(CPU, pods(40, 4), 4, 4, 2, id="down"),
        pytest.param(CPU, pods(88, 4), 4, 4, 4, id="within-tolerance"),
        pytest.param(CPU, pods(72, 4), 4, 4, 4, id="within-tolerance-below"),
        pytest.param(
            CPU, pods(40, 2, 4), 4, 4, 4, id="the-silent-use-all-they-may-when-going-down"
        ),
        pytest.param(CPU, pods(20, 3, 4), 4, 4, 2, id="so-it-falls-less"),
        pytest.param(CPU, pods(160, 2, 4), 4, 4, 4, id="the-silent-use-nothing-when-going-up"),
        pytest.param(CPU, pods(160, 3, 4), 4, 4, 6, id="so-it-rises-less"),
        pytest.param(CPU, pods(160, 2), 4, 2, 4, id="those-that-start-too"),
        pytest.param(QUEUE, pods(20, 4), 4, 4, 8, id="custom"),
        pytest.param(QUEUE, pods(5, 2, 4), 4, 4, 3, id="custom-with-silent-ones"),
        pytest.param(
            {**QUEUE, "targetType": "AverageValue"}, pods(80, 4), 4, 4, 8, id="custom-total"
        ),
        pytest.param(QUEUE, pods(1e30, 4), 4, 4, 100, id="absurd"),
        pytest.param(QUEUE, pods(0, 4), 4, 4, 1, id="idle"),
    ],
)
def test_the_arithmetic_of_an_hpa(
    source: Json, reading: Observed, current: int, ready: int, expected: int
) -> None:
    """What is told of the HPA is what the HPA controller computes, within the bounds."""
    story = Story(samples.spec(source))
    decision = story.step(current, {source["targetMetric"]: reading}, ready=ready)
    assert decision.desired_replicas == expected
    assert not decision.publishes


@pytest.mark.parametrize(
    ("cpu", "queue", "desired", "load"),
    [
        pytest.param(160.0, 30.0, 8, 3.0, id="the-hpas-own-metric-wins"),
        pytest.param(80.0, 90.0, 9, 9.0, id="the-published-load-wins"),
        pytest.param(40.0, 30.0, 3, 3.0, id="both-fall"),
        pytest.param(DEAD, 30.0, 4, 3.0, id="what-we-cannot-read-does-not-hold-the-load"),
        pytest.param(160.0, DEAD, 8, 4.0, id="what-nobody-can-read-does"),
    ],
)
def test_a_mixed_scaler(cpu: Any, queue: Any, desired: int, load: float) -> None:
    """The load is of the published sources alone; the answer is what both halves come to."""
    story = Story(samples.spec(CPU, samples.total("10")))
    seen = cpu if isinstance(cpu, NoData) else pods(cpu, 4)
    decision = story.step(4, {"cpu": seen, "queue": queue})
    assert (decision.desired_replicas, decision.desired_load) == (desired, load)
    assert decision.publishes
    assert "the HPA reads it itself" in rung(decision, Code.NATIVE_METRIC).message
    assert told(decision, "ScalingActive")[0] == "True"


def test_only_what_the_hpa_reads() -> None:
    """There is nothing to publish and no good load to remember; the largest need is told."""
    story = Story(samples.spec(CPU, MEMORY))
    decision = story.step(4, {"cpu": pods(160, 4), "memory": pods(2**30, 4)})
    assert (decision.desired_replicas, decision.publishes) == (8, False)
    assert story.state.good_at is None
    assert decision.bound_by is Stage.COMBINE
    assert math.isclose(decision.desired_load, 8)


def test_nothing_to_read_at_all() -> None:
    """Where neither we nor, it is to be feared, the HPA can read a metric, replicas stay."""
    story = Story(samples.spec(CPU))
    gone = NoData(NoDataReason.EMPTY_RESULT, "install metrics-server")
    decision = story.step(4, {"cpu": gone})
    assert decision.desired_replicas == 4
    status, reason, message = told(decision, "ScalingActive")
    assert (status, reason) == ("False", "NoData")
    assert "install metrics-server" in message


def test_the_bounds_hold_for_it_too() -> None:
    """They are the HPA's own."""
    story = Story(samples.spec(CPU, maxReplicas=6))
    decision = story.step(4, {"cpu": pods(160, 4)})
    assert (decision.desired_replicas, decision.bound_by) == (6, Stage.BOUNDS)
    assert told(decision, "ScalingLimited")[:2] == ("True", "TooManyReplicas")


def test_a_published_source_that_comes_to_be_read_by_the_hpa() -> None:
    """Its load of before is forgotten, since nobody publishes one any more."""
    story = Story(samples.spec(CPU))
    story.spec = samples.spec(CPU, hpa={"manage": "Never"})
    assert story.step(4, {"cpu": pods(160, 4)}).desired_load == 8
    assert story.state.recommended_load == 8
    story.spec = samples.spec(CPU)
    story.step(4, {"cpu": pods(160, 4)})
    after = story.state
    assert [after.recommended_load, after.good_at] == [None, None]
