"""Workloads and their pods, counted by owner chain.

Shared labels do not count: two Deployments with the same `app` label must not see each other's
pods. Deployments, StatefulSets and ReplicaSets come from caches, since a request an evaluation
would be 130 a second for two thousand scalers; any other kind is asked for its `scale`, and for the
pods that its selector names.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from budaiscaler.domain import capacity, contests
from budaiscaler.domain.capacity import Shortage
from budaiscaler.domain.contests import Write
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube import resources, selectors, shortages
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.pods import Pod, controller, project_pod
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.scales import ScaleReader, count, pods_per_replica

STARTS_KEPT = 32
"""Measured starts an owner; enough for a 95th percentile, small enough to follow a new image."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What is kept of a workload; `owner_uid` is set for a ReplicaSet of a Deployment.

    Attributes:
        selector: of its pods, in the form of a request.
        writer: field manager of its replicas, if they were written in its manifest; None where
            something scaled it last.
        refusal: why pods of a ReplicaSet are not made; None while all are.
    """

    uid: str
    replicas: int
    owner_uid: str | None
    selector: str = ""
    writer: str | None = None
    refusal: Shortage | None = None


@dataclass(frozen=True, slots=True)
class Workload:
    """A target as one evaluation sees it.

    Attributes:
        replicas: its pods.
        startups_s: measured starts, seconds from creation to first readiness, of its pods so far.
        pods: the live ones that it owns or, of a custom kind, that its scale selects.
        pods_per_replica: more than one where a replica is a group of pods.
        selector: of its pods, in the form of a request; others may match it too.
        writes: the latest changes of its replicas by others than autoscalers, oldest first.
        shortage: why replicas have no place; of the one that waits longest.
    """

    replicas: Replicas
    startups_s: tuple[float, ...] = ()
    pods: tuple[Pod, ...] = ()
    pods_per_replica: int = 1
    selector: str = ""
    writes: tuple[Write, ...] = ()
    shortage: Shortage | None = None


@dataclass(slots=True)
class Workloads:
    """Looks targets up; `run` keeps the caches behind it alive.

    Attributes:
        clock: monotonic seconds.
        speed: how many of them pass in a real second, which watches go by.
    """

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    speed: float = 1.0
    _owners: dict[str, Cache[Owner]] = field(init=False)
    _pods: Cache[Pod] = field(init=False)
    _scales: ScaleReader = field(init=False)
    _pods_by_owner: dict[str, dict[str, Pod]] = field(init=False)
    _owned: dict[str, set[str]] = field(init=False)
    _starts: dict[str, deque[float]] = field(init=False)
    _writes: dict[str, deque[Write]] = field(init=False)
    _refusals: dict[str, Shortage] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._pods_by_owner, self._owned = defaultdict(dict), defaultdict(set)
        self._starts = defaultdict(lambda: deque(maxlen=STARTS_KEPT))
        self._writes = defaultdict(lambda: deque(maxlen=contests.WRITES_KEPT))
        self._scales = ScaleReader(self.kube, self.clock)
        self._owners = {
            kind: Cache(self.kube, resource.collection(), project_owner, clock=self._real_s)
            for kind, resource in (
                ("Deployment", resources.DEPLOYMENTS),
                ("StatefulSet", resources.STATEFUL_SETS),
                ("ReplicaSet", resources.REPLICA_SETS),
            )
        }
        self._pods = Cache(self.kube, resources.PODS.collection(), project_pod, clock=self._real_s)
        self._pods.subscribe(self._on_pod)
        for cache in self._owners.values():
            cache.subscribe(self._on_owner)

    def _real_s(self) -> float:
        return self.clock() / self.speed

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

    @property
    def behind_s(self) -> float:
        """Seconds by which what is known of any workload may be out of date."""
        owners = max(cache.behind_s for cache in self._owners.values())
        return max(self._pods.behind_s, owners)

    def watches(self, api_version: str, kind: str) -> bool:
        """Tell whether a look at such a target costs no request."""
        return api_version == "apps/v1" and kind in self._owners

    async def find(self, api_version: str, kind: str, namespace: str, name: str) -> Workload:
        """Look a target up.

        Raises:
            NotFoundError: the target, or its kind, does not exist.
            KubeError: its scale could not be read.
        """
        if not self.watches(api_version, kind):
            scale = await self._scales.read(api_version, kind, namespace, name)
            live = await self._scales.pods(scale, namespace)
            size = pods_per_replica(scale, live)
            return Workload(
                count(scale, live, size),
                (),
                live,
                pods_per_replica=size,
                selector=scale.selector,
                shortage=capacity.longest(shortages.of_pods(live)),
            )
        owner = self._owners[kind].objects.get((namespace, name))
        if owner is None:
            raise NotFoundError(
                404, "NotFound", f"{kind} {name} does not exist in namespace {namespace}"
            )
        owner_uids = (owner.uid, *self._owned.get(owner.uid, ()))
        pods = [pod for uid in owner_uids for pod in self._pods_by_owner.get(uid, {}).values()]
        refusals = [self._refusals[uid] for uid in owner_uids if uid in self._refusals]
        replicas = Replicas(
            current=owner.replicas,
            ready=sum(pod.ready for pod in pods),
            unschedulable=sum(pod.unschedulable for pod in pods),
            refused=max(0, owner.replicas - len(pods)) if refusals else 0,
        )
        found = [*shortages.of_pods(pods), *(refusals if replicas.refused else ())]
        return Workload(
            replicas,
            tuple(self._startups(owner_uids)),
            tuple(pods),
            selector=owner.selector,
            writes=tuple(self._writes.get(owner.uid, ())),
            shortage=capacity.longest(found),
        )

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
            has_started = old is not None and old.startup_s is not None
            # Of an owner that is gone, nobody would ever drop it.
            if new.startup_s is not None and not has_started and new.owner_uid in self._known:
                self._starts[new.owner_uid].append(new.startup_s)

    def _on_owner(self, _: Key, old: Owner | None, new: Owner | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._known.discard(old.uid)
            self._starts.pop(old.uid, None)
            self._writes.pop(old.uid, None)
        if old is not None:
            self._refusals.pop(old.uid, None)
        if new is not None:
            self._known.add(new.uid)
        if new is not None and new.refusal is not None:
            self._refusals[new.uid] = new.refusal
        if old is not None and new is not None and _is_rewritten(old, new):
            self._writes[new.uid].append(Write(str(new.writer), self.clock()))
        if old is not None and old.owner_uid is not None:
            siblings = self._owned[old.owner_uid]
            siblings.remove(old.uid)
            if not siblings:
                del self._owned[old.owner_uid]
        if new is not None and new.owner_uid is not None:
            self._owned[new.owner_uid].add(new.uid)


def project_owner(raw: Json, _: Owner | None) -> Owner:
    """Keep the counts of a Deployment, StatefulSet or ReplicaSet."""
    return Owner(
        uid=raw["metadata"]["uid"],
        replicas=int(raw.get("spec", {}).get("replicas", 1)),
        owner_uid=controller(raw["metadata"]).get("uid"),
        selector=selectors.render(raw.get("spec", {}).get("selector") or {}),
        writer=_writer(raw["metadata"]),
        refusal=shortages.refusal(raw.get("status") or {}),
    )


CLUSTER = "kube-controller-manager"
"""It writes the replicas of the ReplicaSets of a Deployment."""


def _is_rewritten(old: Owner, new: Owner) -> bool:
    is_same = old.uid == new.uid and new.writer is not None
    return is_same and old.replicas != new.replicas


def _writer(metadata: Json) -> str | None:
    """Field manager that has the replicas: who changes a value is the only one left to have it.

    Whoever scales, a person too, does so through the subresource, and says so. After that, another
    that applies the same number has the replicas beside it, and changed nothing.
    """
    writer = None
    for entry in metadata.get("managedFields") or ():
        fields = (entry.get("fieldsV1") or {}).get("f:spec") or {}
        if "f:replicas" not in fields:
            continue
        if entry.get("subresource") or entry.get("manager") == CLUSTER:
            return None
        writer = str(entry.get("manager") or "unknown")
    return writer
