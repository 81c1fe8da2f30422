"""The HPA as it is rendered: what the native controller needs, and nothing of what we decide."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.kube.port import Json
from controller import children
from tests.controller import world

RULES: Json = {
    "stabilizationWindowSeconds": 30,
    "selectPolicy": "Min",
    "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
}


def rendered(**fields: Any) -> Json:
    """The HPA of a scaler with these fields."""
    scaler = world.scaler(**fields)
    assert not isinstance(scaler.spec, InvalidSpecError)
    return children.hpa(scaler, scaler.spec, "chat-hpa")


def test_the_whole_child() -> None:
    """It has an owner, labels, the target, the bounds, and one metric selected for this scaler."""
    assert rendered() == {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": "chat-hpa",
            "namespace": "ml",
            "labels": {
                "app.kubernetes.io/managed-by": "budaiscaler",
                "scaler.bud.studio/scaler": "chat",
            },
            "ownerReferences": [
                {
                    "apiVersion": "scaler.bud.studio/v1alpha1",
                    "kind": "BudAIScaler",
                    "name": "chat",
                    "uid": "scaler-chat",
                    "controller": True,
                }
            ],
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
            "minReplicas": 1,
            "maxReplicas": 100,
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {
                            "name": "desired-load",
                            "selector": {"matchLabels": {"kind": "BudAIScaler", "scaler": "chat"}},
                        },
                        "target": {"type": "AverageValue", "averageValue": "1"},
                    },
                }
            ],
            "behavior": {
                "scaleUp": {"tolerance": "0"},
                "scaleDown": {
                    "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
                    "tolerance": "0",
                },
            },
        },
    }


@pytest.mark.parametrize(
    ("fields", "path", "expected"),
    [
        pytest.param({"minReplicas": 4}, ("minReplicas",), 4, id="minimum"),
        pytest.param({"minReplicas": 0}, ("minReplicas",), 1, id="minimum-of-zero-is-one"),
        pytest.param({"maxReplicas": 7}, ("maxReplicas",), 7, id="maximum"),
        pytest.param(
            {"scaleTargetRef": {"apiVersion": "x.io/v1", "kind": "Model", "name": "m"}},
            ("scaleTargetRef",),
            {"apiVersion": "x.io/v1", "kind": "Model", "name": "m"},
            id="any-kind",
        ),
        pytest.param(
            {"behavior": {"scaleUp": RULES}},
            ("behavior",),
            {"scaleUp": {**RULES, "tolerance": "0"}, "scaleDown": {"tolerance": "0"}},
            id="behaviour-up-is-the-users-and-down-the-servers",
        ),
        pytest.param(
            {"behavior": {"scaleDown": RULES}},
            ("behavior",),
            {"scaleUp": {"tolerance": "0"}, "scaleDown": {**RULES, "tolerance": "0"}},
            id="behaviour-down",
        ),
        pytest.param(
            {"behavior": {}},
            ("behavior",),
            {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "0"}},
            id="an-empty-behaviour-is-one",
        ),
        pytest.param(
            {"behavior": {"scaleUp": {"tolerance": "0.3"}, "scaleDown": {"tolerance": "0.2"}}},
            ("behavior",),
            {"scaleUp": {"tolerance": "0"}, "scaleDown": {"tolerance": "0"}},
            id="the-tolerance-is-applied-by-us",
        ),
        pytest.param(
            {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}},
            ("behavior", "scaleUp", "selectPolicy"),
            "Disabled",
            id="disabled",
        ),
        pytest.param(
            {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}}},
            ("behavior", "scaleDown", "stabilizationWindowSeconds"),
            0,
            id="a-window-of-zero-is-written",
        ),
    ],
)
def test_fields_of_the_child(fields: Json, path: tuple[str, ...], expected: object) -> None:
    """What the scaler says comes out where the native HPA reads it."""
    found: Any = rendered(**fields)["spec"]
    for key in path:
        found = found[key]

    assert found == expected


def test_an_adopted_child_keeps_its_name() -> None:
    """Under another name it is the same HPA: selector and owner are the scaler's."""
    scaler = world.scaler()
    assert not isinstance(scaler.spec, InvalidSpecError)
    adopted = children.hpa(scaler, scaler.spec, "theirs")

    assert adopted["metadata"] == {**rendered()["metadata"], "name": "theirs"}
    assert adopted["spec"] == rendered()["spec"]
