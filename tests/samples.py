"""Small examples that many subjects need: sources, specs, and objects of an API server."""

from __future__ import annotations

from typing import Any

from budaiscaler.domain.api import validation
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND, ScalerSpec
from budaiscaler.kube.port import Json


def total(target: str = "1", *, name: str = "queue", **fields: Any) -> Json:
    """A source that gives a total over all replicas."""
    return {
        "targetMetric": name,
        "targetValue": target,
        "targetType": "AverageValue",
        "promQL": f"sum({name})",
        **fields,
    }


def level(target: str = "1", *, name: str = "usage", **fields: Any) -> Json:
    """A source that gives a level per replica."""
    return {
        "targetMetric": name,
        "targetValue": target,
        "targetType": "Value",
        "promQL": f"avg({name})",
        **fields,
    }


def raw_spec(*sources: Json, **fields: Any) -> Json:
    """The spec of an HPA-strategy scaler of a Deployment `chat`, from 1 to 100 replicas."""
    return {
        "scaleTargetRef": {"name": "chat"},
        "minReplicas": 1,
        "maxReplicas": 100,
        "scalingStrategy": "HPA",
        "metricsSources": list(sources or (total(),)),
        **fields,
    }


def spec(*sources: Json, **fields: Any) -> ScalerSpec:
    """The same, parsed."""
    return validation.parse_spec(raw_spec(*sources, **fields))


def tolerance(up: str, down: str | None = None) -> Json:
    """A `behavior` with these dead bands."""
    return {"scaleUp": {"tolerance": up}, "scaleDown": {"tolerance": down or up}}


def scaler(
    name: str = "chat", *, namespace: str = "ml", generation: int = 1, spec: Json | None = None
) -> Json:
    """A scaler as it stands in the API server; what keeps it there adds uid and version."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": namespace, "generation": generation},
        "spec": raw_spec() if spec is None else spec,
    }


def deployment(name: str = "chat", *, namespace: str = "ml", replicas: int = 4) -> Json:
    """A Deployment; its uid is its name."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "uid": f"deployment-{name}"},
        "spec": {"replicas": replicas},
    }


def replica_set(deployment: str, *, namespace: str = "ml", replicas: int = 4) -> Json:
    """The ReplicaSet of a Deployment; its uid is its name."""
    return {
        "metadata": {
            "name": deployment,
            "namespace": namespace,
            "uid": f"replica-set-{deployment}",
            "ownerReferences": [_owner("Deployment", f"deployment-{deployment}")],
        },
        "spec": {"replicas": replicas},
    }


def pod(deployment: str, index: int, *, namespace: str = "ml", ready: bool = True) -> Json:
    """A pod of the ReplicaSet of a Deployment."""
    return {
        "metadata": {
            "name": f"{deployment}-{index}",
            "namespace": namespace,
            "uid": f"pod-{deployment}-{index}",
            "ownerReferences": [_owner("ReplicaSet", f"replica-set-{deployment}")],
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def _owner(kind: str, uid: str) -> Json:
    return {"apiVersion": "apps/v1", "kind": kind, "uid": uid, "controller": True}
