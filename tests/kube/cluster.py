"""Deployments, ReplicaSets and pods as the API server shows them, and a `Workloads` over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from budaiscaler.domain import times
from budaiscaler.kube import resources
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import Resource
from budaiscaler.kube.workloads import Workloads
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.kube.caching import settle

LABELS = {"app": "vllm"}
"""The same on everything: what belongs together must not be told by labels."""

_RESOURCES = {
    "Deployment": resources.DEPLOYMENTS,
    "ReplicaSet": resources.REPLICA_SETS,
    "StatefulSet": resources.STATEFUL_SETS,
    "Pod": resources.PODS,
}


def path(kind: str, name: str, namespace: str = "ml") -> str:
    resource: Resource = _RESOURCES[kind]
    return resource.item(namespace, name)


def reference(kind: str, uid: str, api_version: str = "apps/v1") -> Json:
    return {"apiVersion": api_version, "kind": kind, "name": "?", "uid": uid, "controller": True}


def owner(
    kube: FakeKube,
    kind: str,
    name: str,
    *,
    replicas: int = 1,
    of: Json | None = None,
    conditions: Sequence[Json] = (),
) -> Json:
    """Put a workload, and give the reference that what it owns carries."""
    metadata = {"labels": LABELS, "uid": f"{kind}-{name}", "ownerReferences": [of] if of else []}
    spec, status = {"replicas": replicas}, {"conditions": list(conditions)}
    kube.put(path(kind, name), {"metadata": metadata, "spec": spec, "status": status})
    return reference(kind, f"{kind}-{name}")


def at(seconds: float) -> str:
    return times.rfc3339(NOON + timedelta(seconds=seconds))


def pod(
    kube: FakeKube,
    name: str,
    of: Json | None,
    *,
    uid: str | None = None,
    ready: bool = True,
    since_s: float = 60,
    phase: str = "Running",
    terminating: bool = False,
    unschedulable: str = "",
    message: str = "",
    restarts: int = 0,
) -> None:
    """Put a pod that was created at noon, whose readiness is as it is since `since_s` after.

    `unschedulable` is the reason why it is on no node.
    """
    metadata: Json = {
        "labels": LABELS,
        "uid": uid or f"Pod-{name}",
        "creationTimestamp": at(0),
        "ownerReferences": [of] if of else [],
    }
    if terminating:
        metadata["deletionTimestamp"] = at(100)
    conditions = [
        {"type": "Ready", "status": str(ready), "lastTransitionTime": at(since_s)},
        {
            "type": "PodScheduled",
            "status": str(not unschedulable),
            "reason": unschedulable,
            "lastTransitionTime": at(since_s),
            "message": message,
        },
    ]
    status = {
        "phase": phase,
        "conditions": conditions,
        "containerStatuses": [{"restartCount": restarts}],
    }
    kube.put(path("Pod", name), {"metadata": metadata, "status": status})


@asynccontextmanager
async def watching(kube: FakeKube) -> AsyncIterator[Workloads]:
    """Give workloads whose caches are filled and stay up to date."""
    workloads = Workloads(kube, asyncio.get_running_loop().time)
    task = asyncio.ensure_future(workloads.run())
    try:
        await workloads.synced()
        await settle()
        yield workloads
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
