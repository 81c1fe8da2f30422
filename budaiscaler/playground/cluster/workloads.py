"""The controllers of Deployments, ReplicaSets and StatefulSets: one pass over all there are.

A pass reads lists and no cache, so it never makes a pod a second time because it has not heard of
the first. Objects of others that go, or change, meanwhile are met again in the next pass.
"""

from __future__ import annotations

import random
import string
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube import pods as podlook
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Resource
from budaiscaler.playground.cluster import objects, rollouts
from budaiscaler.playground.cluster.rollouts import Part

_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Seen:
    """What a pass begins with.

    Attributes:
        replica_sets: by the uid of their owner.
        pods: live ones, by the uid of theirs.
    """

    deployments: Sequence[Json]
    stateful_sets: Sequence[Json]
    replica_sets: Mapping[str, Sequence[Json]]
    pods: Mapping[str, Sequence[Json]]


@dataclass(slots=True)
class WorkloadControllers:
    """All three.

    Attributes:
        kube: the API server.
        names: what makes up the names of pods.
    """

    kube: Kube
    names: random.Random = field(default_factory=random.Random)

    async def reconcile(self) -> None:
        """Bring everything one step nearer to what is asked for."""
        seen = await self._look()
        for deployment in seen.deployments:
            await self._deployment(deployment, seen)
        # Those of a Deployment that is gone are the garbage collector's.
        for replica_set in [one for owned in seen.replica_sets.values() for one in owned]:
            await self._replica_set(replica_set, seen)
        for stateful_set in seen.stateful_sets:
            await self._stateful_set(stateful_set, seen)

    async def _look(self) -> Seen:
        deployments = await self._list(DEPLOYMENTS)
        stateful_sets = await self._list(STATEFUL_SETS)
        replica_sets = await self._list(REPLICA_SETS)
        live = [pod for pod in await self._list(PODS) if podlook.is_live(pod)]
        return Seen(deployments, stateful_sets, _by_owner(replica_sets), _by_owner(live))

    async def _list(self, resource: Resource) -> list[Json]:
        items = (await self.kube.get(resource.collection()))["items"]
        return [one for one in items if not one["metadata"].get("deletionTimestamp")]

    async def _deployment(self, deployment: Json, seen: Seen) -> None:
        spec, uid = deployment["spec"], deployment["metadata"]["uid"]
        current = objects.template_hash(spec["template"])
        owned = sorted(
            seen.replica_sets.get(uid, ()), key=lambda one: str(one["metadata"]["resourceVersion"])
        )
        by_name = {one["metadata"]["name"]: one for one in owned}
        name = f"{deployment['metadata']['name']}-{current}"
        if name not in by_name:
            await self._create(REPLICA_SETS, _replica_set(deployment, name, current))
            return  # the next pass finds it
        parts = {
            key: Part(key, int(one["spec"].get("replicas", 1)), _ready(one, seen))
            for key, one in by_name.items()
        }
        new = parts.pop(name)
        wanted = rollouts.sizes(int(spec.get("replicas", 1)), new, list(parts.values()))
        for key, size in wanted.items():
            if size != int(by_name[key]["spec"].get("replicas", 1)):
                body: Json = {"spec": {"replicas": size}}
                await self._patch(objects.path(REPLICA_SETS, by_name[key]), body)
        await self._report(DEPLOYMENTS, deployment, _deployment_status(deployment, owned, seen))

    async def _replica_set(self, replica_set: Json, seen: Seen) -> None:
        spec = replica_set["spec"]
        pods = list(seen.pods.get(replica_set["metadata"]["uid"], ()))
        missing = int(spec.get("replicas", 1)) - len(pods)
        for pod in sorted(pods, key=objects.goes_first)[: max(0, -missing)]:
            await self._delete(pod)
        for _ in range(missing):
            suffix = "".join(self.names.choices(_LETTERS, k=5))
            name = f"{replica_set['metadata']['name']}-{suffix}"
            body = objects.pod(objects.REPLICA_SET, replica_set, name, spec["template"], {})
            await self._create(PODS, body)
        ready = sum(map(objects.is_ready, pods))
        status = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        await self._report(REPLICA_SETS, replica_set, status)

    async def _stateful_set(self, stateful_set: Json, seen: Seen) -> None:
        spec, metadata = stateful_set["spec"], stateful_set["metadata"]
        pods = {one["metadata"]["name"]: one for one in seen.pods.get(metadata["uid"], ())}
        wanted = [f"{metadata['name']}-{at}" for at in range(int(spec.get("replicas", 1)))]
        for name in pods.keys() - set(wanted):
            await self._delete(pods[name])
        for name in wanted:
            if name not in pods:
                labels = {"statefulset.kubernetes.io/pod-name": name}
                kind = objects.STATEFUL_SET
                body = objects.pod(kind, stateful_set, name, spec["template"], labels)
                await self._create(PODS, body)
        ready = sum(map(objects.is_ready, pods.values()))
        status = {"replicas": len(pods), "readyReplicas": ready, "availableReplicas": ready}
        await self._report(STATEFUL_SETS, stateful_set, status)

    async def _report(self, resource: Resource, raw: Json, status: Json) -> None:
        status = {"observedGeneration": raw["metadata"].get("generation", 1), **status}
        before = raw.get("status") or {}
        if any(before.get(key) != value for key, value in status.items()):
            await self._patch(objects.path(resource, raw, "status"), {"status": status})

    async def _create(self, resource: Resource, body: Json) -> None:
        try:
            await self.kube.create(resource.collection(body["metadata"]["namespace"]), body)
        except (ConflictError, NotFoundError):
            return  # it is there, or its namespace is gone

    async def _patch(self, path: str, body: Json) -> None:
        try:
            await self.kube.patch(path, body, PatchType.MERGE, {"fieldManager": MANAGER})
        except (ConflictError, NotFoundError):
            return

    async def _delete(self, pod: Json) -> None:
        try:
            await self.kube.delete(objects.path(PODS, pod), uid=pod["metadata"]["uid"])
        except (ConflictError, NotFoundError):
            return


MANAGER = "kube-controller-manager"


def _by_owner(items: Sequence[Json]) -> Mapping[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for one in items:
        found[objects.owner_uid(one)].append(one)
    return found


def _ready(replica_set: Json, seen: Seen) -> int:
    return sum(map(objects.is_ready, seen.pods.get(replica_set["metadata"]["uid"], ())))


def _replica_set(deployment: Json, name: str, current: str) -> Json:
    spec, metadata = deployment["spec"], deployment["metadata"]
    template = dict(spec["template"])
    labels = {
        **((template.get("metadata") or {}).get("labels") or {}),
        objects.TEMPLATE_HASH: current,
    }
    template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
    selector = spec.get("selector") or {}
    matched = {**(selector.get("matchLabels") or {}), objects.TEMPLATE_HASH: current}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [objects.owned(objects.DEPLOYMENT, deployment)],
        },
        "spec": {
            "replicas": 0,
            "selector": {**selector, "matchLabels": matched},
            "template": template,
        },
    }


def _deployment_status(deployment: Json, owned: Sequence[Json], seen: Seen) -> Json:
    current = objects.template_hash(deployment["spec"]["template"])
    pods = [pod for one in owned for pod in seen.pods.get(one["metadata"]["uid"], ())]
    updated = [
        pod
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get(objects.TEMPLATE_HASH) == current
    ]
    ready = sum(map(objects.is_ready, pods))
    return {
        "replicas": len(pods),
        "updatedReplicas": len(updated),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, int(deployment["spec"].get("replicas", 1)) - ready),
    }
