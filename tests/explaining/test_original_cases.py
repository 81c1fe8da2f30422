"""The cases of the original (reference 8.2) that `explain` decides, as the design corrects them."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.kube.port import Json
from tests import samples
from tests.conftest import NOON
from tests.explaining.worlds import desired, document, explain, level, observed, subject

PODS_2 = {"type": "Pods", "value": 2, "periodSeconds": 60}
PODS_4 = {"type": "Pods", "value": 4, "periodSeconds": 60}
DOUBLE = {"type": "Percent", "value": 100, "periodSeconds": 60}
HALF = {"type": "Percent", "value": 50, "periodSeconds": 60}
GPU = {"enabled": True, "gpuMemoryThreshold": 70, "gpuComputeThreshold": 80}


def up(*policies: Json, **rules: Any) -> Json:
    """A behaviour upwards that no rate limits."""
    return {"scaleUp": {"policies": list(policies), "maxScaleRate": "100", **rules}}


@pytest.mark.parametrize(
    ("behavior", "current", "load", "expected"),
    [
        pytest.param(up(PODS_2, DOUBLE), 4, 100, 8, id="T01-max"),
        pytest.param(up(PODS_2, DOUBLE, selectPolicy="Min"), 4, 100, 6, id="T01-min"),
        pytest.param(up(PODS_4), 2, 100, 6, id="T03-pods"),
        pytest.param(up(DOUBLE), 10, 100, 20, id="T03-percent"),
        pytest.param(up(HALF), 1, 100, 2, id="T03-at-least-one"),
    ],
)
def test_policies(behavior: Json, current: int, load: float, expected: int) -> None:
    """The largest or the smallest allowed change, and a percentage of one replica is one."""
    about = subject(samples.total(), behavior=behavior)
    assert desired(about, observed(current, {"queue": load})) == expected


@pytest.mark.parametrize(
    ("value", "current", "expected"),
    [
        pytest.param(85, 1, 2, id="T06-first"),
        pytest.param(85, 2, 3, id="T06-second"),
        pytest.param(85, 3, 4, id="T06-third"),
        pytest.param(85, 4, 5, id="T06-fourth"),
        pytest.param(85, 5, 6, id="T06-fifth"),
        pytest.param(85, 6, 8, id="T06-sixth"),
        pytest.param(20, 5, 3, id="T08-from-5"),
        pytest.param(20, 3, 2, id="T08-from-3"),
        pytest.param(20, 2, 1, id="T08-from-2"),
        pytest.param(73, 10, 10, id="T29-four-percent-are-none"),
    ],
)
def test_damping(value: float, current: int, expected: int) -> None:
    """Part of the way to the need: 0.8 up, rounded up; 0.5 down, rounded to the nearest."""
    assert desired(subject(), observed(current, {"usage": value})) == expected


def test_t10_the_largest_need_wins() -> None:
    """Three sources that need 3, 5 and 4 give 5."""
    about = subject(*(samples.total(name=name) for name in "abc"))
    assert desired(about, observed(5, {"a": 3, "b": 5, "c": 4})) == 5


@pytest.mark.parametrize(
    ("current", "value", "gpu", "expected", "bound_by"),
    [
        pytest.param(2, 70, {"memory": 90, "compute": 40}, 3, "gpu", id="T11-memory-raises"),
        pytest.param(4, 35, {"memory": 20, "compute": 10}, 3, "combine", id="T13-never-lowers"),
        pytest.param(4, 73, {"memory": 20, "compute": 10}, 4, "tolerance", id="and-binds-nothing"),
    ],
)
def test_gpus(current: int, value: float, gpu: Json, expected: int, bound_by: str) -> None:
    """GPUs raise what the metrics need, and never lower it; only then are they the reason."""
    found = explain(subject(gpuConfig=GPU), observed(current, {"usage": value}, gpu=gpu)).decision
    assert (found.desired_replicas, found.bound_by) == (expected, bound_by)


@pytest.mark.parametrize(
    ("value", "expected"),
    [pytest.param(14, 5, id="down-is-held"), pytest.param(200, 8, id="up-is-not")],
)
def test_t24_a_last_scaling_holds_a_window(value: float, expected: int) -> None:
    """Scaled 100 s ago: five minutes hold the replicas, and thirty seconds are over."""
    rules = {"stabilizationWindowSeconds": 30, "maxScaleRate": "1.6"}
    about = subject(behavior={"scaleUp": rules, "scaleDown": {"stabilizationWindowSeconds": 300}})
    scaled = NOON - timedelta(seconds=100)
    assert desired(about, observed(5, {"usage": value}, lastScaleTime=scaled)) == expected


@pytest.mark.parametrize(
    ("notes", "value", "current", "fields", "expected"),
    [
        pytest.param({"panic-threshold": "200"}, 150, 4, {}, 6, id="T26-stable"),
        pytest.param({"panic-threshold": "200"}, 190, 4, {}, 8, id="T26-rounded-up"),
        pytest.param({"panic-threshold": "200"}, 500, 4, {}, 20, id="T26-panic"),
        pytest.param({"panic-threshold": "200"}, 10, 10, {}, 5, id="T26-half"),
        pytest.param({}, 170, 4, {"behavior": up({**PODS_2, "value": 1})}, 5, id="T28"),
        pytest.param({"max-scale-down-rate": "2.0"}, 50, 4, {}, 2, id="T36-halves"),
    ],
)
def test_kpa(notes: Json, value: float, current: int, fields: Json, expected: int) -> None:
    """Panic ignores rates, a stable average does not, and a rate downwards never grows."""
    about = subject(level("100"), strategy="KPA", notes=notes, maxReplicas=20, **fields)
    assert desired(about, observed(current, {"usage": value})) == expected


@pytest.mark.parametrize(
    ("readings", "replicas"),
    [
        pytest.param({"usage": 10}, {"ready": 0}, id="T30-nobody-is-ready"),
        pytest.param({"usage": math.nan}, {}, id="T34-no-number"),
        pytest.param({"usage": None}, {}, id="null"),
        pytest.param({"usage": -3}, {}, id="negative"),
        pytest.param({"usage": {"value": 1, "age": "61s"}}, {}, id="old"),
        pytest.param({}, {}, id="absent"),
    ],
)
@pytest.mark.parametrize("strategy", ["BudScaler", "KPA", "HPA"])
def test_missing_data_scales_nothing_down(strategy: str, readings: Json, replicas: Json) -> None:
    """Six replicas stay six, and the condition says that there is no data."""
    found = explain(subject(strategy=strategy), observed(6, readings, replicas=replicas))
    assert found.decision.desired_replicas == 6
    (active,) = (one for one in found.conditions if one.type == conditions.SCALING_ACTIVE)
    assert (active.status, active.reason) == ("False", "NoData")


HINT = {"name": "day", "cronExpression": "0 9 * * 1-5", "duration": "2h", "targetReplicas": 5}


@pytest.mark.parametrize(
    ("now", "load", "expected"),
    [
        pytest.param("2024-01-15T09:30:00Z", 3, 5, id="T20-floor"),
        pytest.param("2024-01-15T09:30:00Z", 8, 8, id="T20-more-is-needed"),
        pytest.param("2024-01-15T12:00:00Z", 3, 3, id="T20-T21-afterwards"),
        pytest.param("2024-01-13T09:30:00Z", 3, 3, id="T21-saturday"),
        pytest.param("2024-01-15T09:00:00Z", 3, 5, id="T22-begins"),
        pytest.param("2024-01-15T10:59:59Z", 3, 5, id="T22-last-second"),
        pytest.param("2024-01-15T11:00:00Z", 3, 3, id="T22-ends"),
    ],
)
@pytest.mark.parametrize("strategy", ["BudScaler", "KPA", "HPA"])
def test_schedules(strategy: str, now: str, load: int, expected: int) -> None:
    """A hint is a floor from each of its times on, and asks for nothing else."""
    about = subject(samples.total(), strategy=strategy, scheduleHints=[HINT])
    # From as many as are expected without the hint, so that only it moves anything.
    found = desired(about, observed(max(3, load), {"queue": load}, now=now))
    assert found == expected


def test_t22_a_day_7_is_invalid() -> None:
    """The problem names the expression."""
    with pytest.raises(InvalidInputError, match="cronExpression"):
        subject(scheduleHints=[{**HINT, "cronExpression": "0 9 * * 7"}])


def test_t38_an_edited_hint_acts_at_once() -> None:
    """Whatever the one before asked for."""
    about = subject(samples.total(), scheduleHints=[{**HINT, "targetReplicas": 7}])
    assert desired(about, observed(5, {"queue": 3}, now="2024-01-15T09:30:00Z")) == 7


def test_without_room_the_ask_does_not_grow() -> None:
    """What was never placed for long stops growth, and a condition says so."""
    about = subject(samples.total())
    found = explain(about, observed(6, {"queue": 20}, replicas={"unschedulable": 2}))
    assert found.decision.desired_replicas == 6
    (told,) = (one for one in found.conditions if one.type == conditions.CAPACITY_AVAILABLE)
    assert told.status == "False"


def test_t42_a_lower_maximum_acts_at_once() -> None:
    """Eight replicas become four, whatever window and policy there are."""
    never = {"scaleDown": {"selectPolicy": "Disabled"}}
    about = subject(maxReplicas=4, behavior=never)
    assert desired(about, observed(8, {"usage": 70}, lastScaleTime=NOON)) == 4


def test_t56_the_hpa_reads_what_it_can() -> None:
    """Of a mixed HPA the rest is published, and the larger of both is the answer."""
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    queue = {**level("30"), "targetMetric": "q", "metricSourceType": "external"}
    about = subject(cpu, level("10"), queue, strategy="HPA")
    found = explain(about, observed(4, {"cpu": 160, "usage": 15, "q": 30}))
    assert (found.decision.desired_replicas, found.desired_load) == (8, 6)
    only = explain(subject(cpu, strategy="HPA"), observed(4, {"cpu": 160}))
    assert (only.decision.desired_replicas, only.desired_load) == (8, None)


def test_t57_bounds_that_cross_are_invalid() -> None:
    """The problem names the fields."""
    with pytest.raises(InvalidInputError, match="minReplicas"):
        explain(subject(minReplicas=5, maxReplicas=3), observed(4))
    with pytest.raises(InvalidInputError, match="scaleTargetRef"):
        explain(subject(scaleTargetRef={"name": ""}), observed(4))
    assert document()["spec"]["minReplicas"] == 1
