"""Renders the HPA that the controller owns: pure, from a scaler's spec.

`desired-load` carries every source; the native HPA stabilises, limits rates and acts. The behaviour
is the user's own. Where there is none, shrinking is limited to ten percent a minute: the stock
default, everything at once after five minutes, is too fast for replicas that take minutes to load.
"""

from __future__ import annotations

from typing import Any

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND, Behavior, ScalerSpec, ScalingRules
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import HPAS

DEFAULT_SCALE_DOWN: Json = {
    "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
}

EXACT = "0"
"""The HPA's own dead band is closed: `decide()` has applied the scaler's, and an HPA's swallows an
exact step of ten percent, which no published value can get past."""


def hpa(scaler: Scaler, spec: ScalerSpec, name: str) -> Json:
    """Render the whole object, with the fields we own and no others.

    Args:
        scaler: the owner.
        spec: its spec.
        name: of the HPA; another than `<scaler>-hpa` where one was adopted.
    """
    return {
        "apiVersion": HPAS.api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": scaler.namespace,
            "labels": {
                naming.MANAGED_BY_LABEL: naming.MANAGED_BY,
                naming.SCALER_LABEL: scaler.name,
            },
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": scaler.name,
                    "uid": scaler.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "scaleTargetRef": {
                "apiVersion": spec.scale_target_ref.api_version,
                "kind": spec.scale_target_ref.kind,
                "name": spec.scale_target_ref.name,
            },
            # A stock cluster refuses 0; a condition says so.
            "minReplicas": max(1, spec.min_replicas),
            "maxReplicas": spec.max_replicas,
            "metrics": [_desired_load(scaler)],
            "behavior": _behavior(spec.behavior),
        },
    }


def _desired_load(scaler: Scaler) -> Json:
    """The External metric: AverageValue 1, so replicas land exactly; selected, or it would sum."""
    return {
        "type": "External",
        "external": {
            "metric": {
                "name": naming.DESIRED_LOAD,
                "selector": {
                    "matchLabels": {naming.LABEL_KIND: KIND, naming.LABEL_SCALER: scaler.name}
                },
            },
            "target": {"type": "AverageValue", "averageValue": "1"},
        },
    }


def _behavior(behavior: Behavior | None) -> Json:
    if behavior is None:
        return {
            "scaleUp": {"tolerance": EXACT},
            "scaleDown": {**DEFAULT_SCALE_DOWN, "tolerance": EXACT},
        }
    return {
        "scaleUp": {**_rules(behavior.scale_up), "tolerance": EXACT},
        "scaleDown": {**_rules(behavior.scale_down), "tolerance": EXACT},
    }


def _rules(rules: ScalingRules | None) -> Json:
    if rules is None:
        return {}
    rendered: dict[str, Any] = rules.model_dump(by_alias=True, exclude_none=True, mode="json")
    return rendered
