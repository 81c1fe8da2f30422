"""What built-in kinds must have: no more than that without which readers of them would stumble."""

from __future__ import annotations

from collections.abc import Mapping

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import jsonpaths
from budaiscaler.playground.apiserver.failures import Cause

_TEMPLATE = ("spec.selector", "spec.template")
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "deployments.apps": _TEMPLATE,
    "statefulsets.apps": _TEMPLATE,
    "daemonsets.apps": _TEMPLATE,
    "replicasets.apps": ("spec.selector",),
    "pods": ("spec.containers",),
    "horizontalpodautoscalers.autoscaling": (
        "spec.scaleTargetRef.kind",
        "spec.scaleTargetRef.name",
        "spec.maxReplicas",
    ),
    "apiservices.apiregistration.k8s.io": ("spec.group", "spec.version"),
}
_OF_SERVICES = ("spec.service.name", "spec.service.namespace")


def check(store: str, body: Json) -> list[Cause]:
    """What is missing."""
    paths = _REQUIRED.get(store, ())
    if store.startswith("apiservices.") and jsonpaths.first(".spec.service", body) is not None:
        paths += _OF_SERVICES
    return [
        Cause("FieldValueRequired", "Required value", path)
        for path in paths
        if jsonpaths.first(f".{path}", body) is None
    ]
