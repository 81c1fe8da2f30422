"""The HPA as it is rendered: what the native controller needs, and nothing of what we decide."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain import pausing
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.pausing import Pausing
from budaiscaler.kube.port import Json
from controller import children
from tests.controller import world

RULES: Json = {
    "stabilizationWindowSeconds": 30,
    "selectPolicy": "Min",
    "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
}


UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
    "tolerance": "0",
}
DOWN: Json = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    "tolerance": "0",
}
GENTLY: Json = {**DOWN, "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}


def rendered(paused: Pausing = pausing.NOTHING, **fields: Any) -> Json:
    """The HPA of a scaler with these fields."""
    scaler = world.scaler(**fields)
    assert not isinstance(scaler.spec, InvalidSpecError)
    return children.hpa(scaler, scaler.spec, "chat-hpa", paused=paused)


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
            "behavior": {"scaleUp": UP, "scaleDown": GENTLY},
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
            {"scaleUp": {**RULES, "tolerance": "0"}, "scaleDown": DOWN},
            id="behaviour-up-is-the-users-and-down-the-servers",
        ),
        pytest.param(
            {"behavior": {"scaleDown": RULES}},
            ("behavior",),
            {"scaleUp": UP, "scaleDown": {**RULES, "tolerance": "0"}},
            id="behaviour-down",
        ),
        pytest.param(
            {"behavior": {}},
            ("behavior",),
            {"scaleUp": UP, "scaleDown": DOWN},
            id="an-empty-behaviour-is-one",
        ),
        pytest.param(
            {"behavior": {"scaleUp": {"tolerance": "0.3"}, "scaleDown": {"tolerance": "0.2"}}},
            ("behavior",),
            {"scaleUp": UP, "scaleDown": DOWN},
            id="the-tolerance-is-applied-by-us",
        ),
        pytest.param(
            {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}},
            ("behavior", "scaleUp"),
            {**UP, "selectPolicy": "Disabled"},
            id="one-field-is-the-users-and-the-rest-the-servers",
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


OF_AN_HPA = ScalingRules.model_fields.keys() - children.NOT_OF_AN_HPA | {"tolerance"}


@pytest.mark.parametrize("given", [*sorted(OF_AN_HPA), None])
@pytest.mark.parametrize("way", ["scaleUp", "scaleDown"])
def test_every_field_of_the_behaviour_is_named(way: str, given: str | None) -> None:
    """A field that is not named is not put back, and may stay when the user takes it away."""
    examples = {**RULES, "tolerance": "0.3"}
    field = ScalingRules.model_fields[given].alias if given is not None else None
    rules = {field: examples[field]} if field is not None else {}
    behavior = rendered(behavior={way: rules})["spec"]["behavior"]
    fields = {ScalingRules.model_fields[name].alias for name in OF_AN_HPA}

    assert behavior.keys() == {"scaleUp", "scaleDown"}
    assert [set(named) for named in behavior.values()] == [fields, fields]


def test_an_adopted_child_is_marked_and_not_owned() -> None:
    """It is the same HPA under its own name, and nothing has it collected with the scaler."""
    scaler = world.scaler()
    assert not isinstance(scaler.spec, InvalidSpecError)
    adopted = children.hpa(scaler, scaler.spec, "theirs", adopted=True)

    assert adopted["metadata"] == {
        "name": "theirs",
        "namespace": "ml",
        "labels": {"scaler.bud.studio/scaler": "chat"},
        "annotations": {"scaler.bud.studio/adopted-by": "chat/scaler-chat"},
    }
    assert adopted["spec"] == rendered()["spec"]


@pytest.mark.parametrize("behavior", [None, {"scaleUp": RULES, "scaleDown": RULES}])
@pytest.mark.parametrize(
    ("paused", "ways"),
    [
        pytest.param(Pausing(), set(), id="not"),
        pytest.param(Pausing(up=True), {"scaleUp"}, id="up"),
        pytest.param(Pausing(down=True), {"scaleDown"}, id="down"),
        pytest.param(Pausing(up=True, down=True), {"scaleUp", "scaleDown"}, id="both"),
    ],
)
def test_a_paused_direction_is_switched_off(
    paused: Pausing, ways: set[str], behavior: Json | None
) -> None:
    """By its policy, so that no metric gets past it; everything else stays for when it is over."""
    fields: dict[str, Any] = {"behavior": behavior} if behavior is not None else {}
    free, held = rendered(**fields), rendered(paused, **fields)
    for way in ways:
        assert held["spec"]["behavior"][way]["selectPolicy"] == "Disabled"
        held["spec"]["behavior"][way]["selectPolicy"] = (
            (behavior or {}).get(way, {}).get("selectPolicy", "Max")
        )
    assert held == free
