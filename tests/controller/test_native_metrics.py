"""The metrics of the child HPA: its own in the order of the sources, and the load for the rest."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.kube.port import Json
from controller import children
from tests import samples
from tests.controller import world

CPU: Json = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
MEMORY: Json = {"metricSourceType": "resource", "targetMetric": "memory", "targetValue": "2048Mi"}
QUEUE: Json = {"metricSourceType": "custom", "targetMetric": "queue", "targetValue": "2.5"}


def resource(name: str, **target: Any) -> Json:
    """A Resource metric."""
    return {"type": "Resource", "resource": {"name": name, "target": target}}


OF_CPU = resource("cpu", type="Utilization", averageUtilization=80)
OF_MEMORY = resource("memory", type="AverageValue", averageValue="2Gi")
OF_QUEUE: Json = {
    "type": "Pods",
    "pods": {
        "metric": {"name": "queue"},
        "target": {"type": "AverageValue", "averageValue": "2500m"},
    },
}


def rendered(*sources: Json, **fields: Any) -> Json:
    """The spec of the HPA of a scaler with these sources."""
    scaler = world.scaler(metricsSources=list(sources), **fields)
    assert not isinstance(scaler.spec, InvalidSpecError)
    spec: Json = children.hpa(scaler, scaler.spec, "chat-hpa")["spec"]
    return spec


@pytest.mark.parametrize(
    ("sources", "metrics"),
    [
        pytest.param([CPU, MEMORY], [OF_CPU, OF_MEMORY], id="only-its-own"),
        pytest.param([QUEUE, CPU], [OF_QUEUE, OF_CPU], id="in-their-order"),
        pytest.param(
            [CPU, samples.total(name="other"), QUEUE],
            [OF_CPU, OF_QUEUE, "External"],
            id="and-the-load",
        ),
        pytest.param([samples.total()], ["External"], id="only-the-load"),
        pytest.param([{**CPU, "targetValue": "80.5"}], ["External"], id="what-it-cannot-express"),
        pytest.param(
            [
                CPU,
                {"metricSourceType": "pod", "targetMetric": "x", "targetValue": "5"},
                {"metricSourceType": "external", "targetMetric": "q", "targetValue": "30"},
            ],
            [OF_CPU, "External"],
            id="T56",
        ),
    ],
)
def test_metrics(sources: list[Json], metrics: list[Any]) -> None:
    """What an HPA reads itself comes first; `desired-load`, once, stands for all others."""
    found = rendered(*sources)["metrics"]
    assert [one["type"] if one["type"] == "External" else one for one in found] == metrics


@pytest.mark.parametrize(
    ("sources", "fields", "up", "down"),
    [
        pytest.param([samples.total()], {}, "0", "0", id="only-the-load"),
        pytest.param([CPU], {}, "100m", "100m", id="its-own"),
        pytest.param([CPU, samples.total()], {}, "100m", "100m", id="mixed"),
        pytest.param(
            [CPU, samples.total()],
            {"behavior": samples.tolerance("0.05", "0.2")},
            "50m",
            "200m",
            id="the-users",
        ),
    ],
)
def test_the_dead_band(sources: list[Json], fields: Json, up: str, down: str) -> None:
    """It is closed only where the load is the sole metric: it is one for all metrics of an HPA."""
    behavior = rendered(*sources, **fields)["behavior"]
    assert (behavior["scaleUp"]["tolerance"], behavior["scaleDown"]["tolerance"]) == (up, down)


def test_the_web_server_of_the_original() -> None:
    """CPU at 80 % and memory at 70 %, its windows and policies: exactly such an HPA."""
    found = rendered(
        CPU,
        {**MEMORY, "targetValue": "70"},
        minReplicas=2,
        maxReplicas=10,
        behavior={
            "scaleUp": {
                "stabilizationWindowSeconds": 30,
                "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
            },
        },
    )
    del found["scaleTargetRef"]
    assert found == {
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [OF_CPU, resource("memory", type="Utilization", averageUtilization=70)],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 30,
                "selectPolicy": "Max",
                "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}],
                "tolerance": "100m",
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "selectPolicy": "Max",
                "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
                "tolerance": "100m",
            },
        },
    }


def test_with_schedules_the_load_is_all_that_it_reads() -> None:
    """And so exact: a floor of eleven replicas is no step that the dead band of cpu swallows."""
    hint = {"name": "day", "cronExpression": "0 9 * * *", "targetReplicas": 5, "duration": "2h"}
    found = rendered(CPU, QUEUE, scheduleHints=[hint])
    assert [one["type"] for one in found["metrics"]] == ["External"]
    assert {found["behavior"][way]["tolerance"] for way in ("scaleUp", "scaleDown")} == {"0"}
