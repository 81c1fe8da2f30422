"""Parts of Kubernetes objects that controllers make and read: pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from budaiscaler.domain import times
from budaiscaler.kube import pods
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import Resource

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
TEMPLATE_HASH = "pod-template-hash"

Kind = tuple[str, str]
"""API version and kind."""

DEPLOYMENT: Kind = ("apps/v1", "Deployment")
REPLICA_SET: Kind = ("apps/v1", "ReplicaSet")
STATEFUL_SET: Kind = ("apps/v1", "StatefulSet")


def owned(kind: Kind, owner: Json) -> Json:
    """A reference to what controls an object."""
    api_version, name = kind
    return {
        "apiVersion": api_version,
        "kind": name,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owner_uid(raw: Json) -> str:
    """The uid of what controls an object; empty when nothing does."""
    return str(pods.controller(raw["metadata"]).get("uid", ""))


def owner_name(raw: Json) -> str:
    """The name of what controls an object; its own when nothing does."""
    return str(pods.controller(raw["metadata"]).get("name") or raw["metadata"]["name"])


def path(resource: Resource, raw: Json, subresource: str | None = None) -> str:
    """Where an object is."""
    metadata = raw["metadata"]
    return resource.item(metadata["namespace"], metadata["name"], subresource)


def template_hash(template: Json) -> str:
    """A short name of a template: pods of the same name are of the same template."""
    text = json.dumps(template, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def pod(kind: Kind, owner: Json, name: str, template: Json, labels: Mapping[str, str]) -> Json:
    """A pod of a template."""
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owned(kind, owner)],
        },
        "spec": dict(template.get("spec") or {}),
    }


def is_live(raw: Json) -> bool:
    """Whether a pod may serve some time."""
    return pods.is_live(raw)


def is_ready(raw: Json) -> bool:
    """Whether a pod serves."""
    return pods.is_live(raw) and pods.is_ready(raw)


def goes_first(raw: Json) -> tuple[Any, ...]:
    """In which order a ReplicaSet gives pods up: what does not serve, what costs least, the young.

    The same as in Kubernetes, as far as pods differ here.
    """
    annotations = raw["metadata"].get("annotations") or {}
    try:
        cost = int(annotations.get(DELETION_COST, "0"))
    except ValueError:
        cost = 0
    return is_ready(raw), cost, _youth(raw)


def _youth(raw: Json) -> tuple[float, str]:
    created = times.parse(raw["metadata"].get("creationTimestamp"))
    return (-created.timestamp() if created else 0.0), raw["metadata"]["name"]


def running(raw: Json, *, node: str, ip: str, ready: bool, now: datetime) -> Json:
    """The status of a pod on a node.

    Args:
        raw: the pod; what it is already keeps its time.
        node: where it is.
        ip: its address.
        ready: whether it serves.
        now: time of the change.
    """
    before = {one["type"]: one for one in (raw.get("status") or {}).get("conditions") or ()}
    told = {"PodScheduled": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    started = (raw.get("status") or {}).get("startTime") or times.rfc3339(now)
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "hostIP": node,
        "startTime": started,
        "conditions": [
            _condition(before, kind, "True" if holds else "False", now)
            for kind, holds in told.items()
        ],
        "containerStatuses": [
            {
                "name": container.get("name", ""),
                "image": container.get("image", ""),
                "imageID": "",
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": {"running": {"startedAt": started}},
            }
            for container in raw["spec"].get("containers") or ()
        ],
    }


def _condition(before: Mapping[str, Json], kind: str, status: str, now: datetime) -> Json:
    old = before.get(kind)
    if old is not None and old["status"] == status:
        return dict(old)
    return {"type": kind, "status": status, "lastTransitionTime": times.rfc3339(now)}
