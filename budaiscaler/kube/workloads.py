"""Workloads and their pods, counted by owner chain.

Shared labels do not count: two Deployments with the same `app` label must not see each other's
pods. Deployments, StatefulSets and ReplicaSets come from caches, since a request an evaluation
would be 130 a second for two thousand scalers; any other kind is asked for its `scale`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from budaiscaler.domain import times
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube import resources
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.scales import ScaleReader

STARTS_KEPT = 32
"""Measured starts an owner; enough for a 95th percentile, small enough to follow a new image."""

LONGEST_START_S = 3600.0
"""A pod that took longer had a probe that failed before we saw it: no model loads for an hour."""

_POD_OWNERS = frozenset({("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet")})
"""Pods of anything else, such as jobs, belong to no workload that is counted by its pods."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What is kept of a pod."""

    uid: str
    owner_uid: str
    ready: bool
    unschedulable: bool
    startup_s: float | None


@dataclass(frozen=True, slots=True)
class Owner:
    """What is kept of a workload; `owner_uid` is set for a ReplicaSet of a Deployment."""

    uid: str
    replicas: int
    owner_uid: str | None


@dataclass(frozen=True, slots=True)
class Workload:
    """A target as one evaluation sees it.

    Attributes:
        replicas: its pods.
        startups_s: measured starts, seconds from creation to first readiness, of its pods so far.
    """

    replicas: Replicas
    startups_s: tuple[float, ...] = ()


@dataclass(slots=True)
class Workloads:
    """Looks targets up; `run` keeps the caches behind it alive."""

    kube: Kube
    _owners: dict[str, Cache[Owner]] = field(init=False)
    _pods: Cache[Pod] = field(init=False)
    _scales: ScaleReader = field(init=False)
    _pods_by_owner: dict[str, dict[str, Pod]] = field(init=False)
    _owned: dict[str, set[str]] = field(init=False)
    _starts: dict[str, deque[float]] = field(init=False)

    def __post_init__(self) -> None:
        self._pods_by_owner, self._owned = defaultdict(dict), defaultdict(set)
        self._starts = defaultdict(lambda: deque(maxlen=STARTS_KEPT))
        self._scales = ScaleReader(self.kube)
        self._owners = {
            kind: Cache(self.kube, resource.collection(), project_owner)
            for kind, resource in (
                ("Deployment", resources.DEPLOYMENTS),
                ("StatefulSet", resources.STATEFUL_SETS),
                ("ReplicaSet", resources.REPLICA_SETS),
            )
        }
        self._pods = Cache(self.kube, resources.PODS.collection(), project_pod)
        self._pods.subscribe(self._on_pod)
        for cache in self._owners.values():
            cache.subscribe(self._on_owner)

    async def run(self) -> None:
        """Keep the caches up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pods.run())
            for cache in self._owners.values():
                group.create_task(cache.run())

    async def synced(self) -> None:
        """Wait until every cache was listed once."""
        await self._pods.synced.wait()
        for cache in self._owners.values():
            await cache.synced.wait()

    async def find(self, api_version: str, kind: str, namespace: str, name: str) -> Workload:
        """Look a target up.

        Raises:
            NotFoundError: the target, or its kind, does not exist.
            KubeError: its scale could not be read.
        """
        if api_version != "apps/v1" or kind not in self._owners:
            scale = await self._scales.read(api_version, kind, namespace, name)
            return Workload(Replicas(scale.spec_replicas, scale.status_replicas))
        owner = self._owners[kind].objects.get((namespace, name))
        if owner is None:
            raise NotFoundError(
                404, "NotFound", f"{kind} {name} does not exist in namespace {namespace}"
            )
        owner_uids = (owner.uid, *self._owned.get(owner.uid, ()))
        pods = [pod for uid in owner_uids for pod in self._pods_by_owner.get(uid, {}).values()]
        replicas = Replicas(
            current=owner.replicas,
            ready=sum(pod.ready for pod in pods),
            unschedulable=sum(pod.unschedulable for pod in pods),
        )
        return Workload(replicas, tuple(self._startups(owner_uids)))

    def _startups(self, owner_uids: tuple[str, ...]) -> Iterator[float]:
        for uid in owner_uids:
            yield from self._starts.get(uid, ())

    def _on_pod(self, _: Key, old: Pod | None, new: Pod | None) -> None:
        if old is not None:
            siblings = self._pods_by_owner[old.owner_uid]
            del siblings[old.uid]
            if not siblings:
                del self._pods_by_owner[old.owner_uid]
        if new is not None:
            self._pods_by_owner[new.owner_uid][new.uid] = new
            has_started = old is not None and old.uid == new.uid and old.startup_s is not None
            if new.startup_s is not None and not has_started:
                self._starts[new.owner_uid].append(new.startup_s)

    def _on_owner(self, _: Key, old: Owner | None, new: Owner | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._starts.pop(old.uid, None)
        if old is not None and old.owner_uid is not None:
            siblings = self._owned[old.owner_uid]
            siblings.remove(old.uid)
            if not siblings:
                del self._owned[old.owner_uid]
        if new is not None and new.owner_uid is not None:
            self._owned[new.owner_uid].add(new.uid)


def project_pod(raw: Json, old: Pod | None) -> Pod | None:
    """Keep a live pod of a workload; finished and terminating ones serve nothing."""
    metadata, status = raw["metadata"], raw.get("status", {})
    owner = _controller(metadata)
    if (
        (owner.get("apiVersion"), owner.get("kind")) not in _POD_OWNERS
        or metadata.get("deletionTimestamp")
        or status.get("phase") in {"Succeeded", "Failed"}
    ):
        return None
    by_type = {condition["type"]: condition for condition in status.get("conditions") or ()}
    ready = by_type.get("Ready", {})
    scheduled = by_type.get("PodScheduled", {})
    return Pod(
        uid=metadata["uid"],
        owner_uid=owner["uid"],
        ready=ready.get("status") == "True",
        # No node has room, or a gate keeps it waiting: nobody knows for how long.
        unschedulable=scheduled.get("status") == "False",
        # Only the first readiness is a start; a later one is a probe that failed for a while.
        startup_s=_startup_s(raw, ready, old),
    )


def project_owner(raw: Json, _: Owner | None) -> Owner:
    """Keep the counts of a Deployment, StatefulSet or ReplicaSet."""
    return Owner(
        uid=raw["metadata"]["uid"],
        replicas=int(raw.get("spec", {}).get("replicas", 1)),
        owner_uid=_controller(raw["metadata"]).get("uid"),
    )


def _startup_s(raw: Json, ready: Json, old: Pod | None) -> float | None:
    """Seconds from creation to first readiness; a pod that restarted tells nothing of it."""
    if old is not None and old.uid == raw["metadata"]["uid"] and old.startup_s is not None:
        return old.startup_s
    containers = raw["status"].get("containerStatuses") or () if ready else ()
    restarted = any(container.get("restartCount", 0) for container in containers)
    created = times.parse(raw["metadata"].get("creationTimestamp"))
    became_ready = times.parse(ready.get("lastTransitionTime"))
    if ready.get("status") != "True" or restarted or created is None or became_ready is None:
        return None
    startup_s = max(0.0, (became_ready - created).total_seconds())
    return startup_s if startup_s <= LONGEST_START_S else None


def _controller(metadata: Json) -> Json:
    """The reference to what controls an object; empty when nothing does."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            found: Json = reference
            return found
    return {}
