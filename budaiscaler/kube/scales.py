"""The `scale` subresource of any kind, found by discovery, and the pods that it selects."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, NotFoundError
from budaiscaler.kube.kinds import Kinds
from budaiscaler.kube.pods import Pod, is_live, read_pod
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import PODS, Resource

PAGE = 500


@dataclass(frozen=True, slots=True)
class Scale:
    """What a scale subresource tells.

    Attributes:
        spec_replicas: asked for.
        status_replicas: there are, ready or not.
        selector: of its pods, in the form of a request; empty where the kind tells none.
    """

    spec_replicas: int
    status_replicas: int
    selector: str = ""


@dataclass(slots=True)
class ScaleReader:
    """Reads scales.

    Attributes:
        clock: monotonic seconds.
    """

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _kinds: Kinds = field(init=False)

    def __post_init__(self) -> None:
        self._kinds = Kinds(self.kube, self.clock)

    async def read(self, api_version: str, kind: str, namespace: str, name: str) -> Scale:
        """Read the scale of one object.

        Raises:
            NotFoundError: no such kind, object or scale subresource; the message says which.
        """
        answer = await self.kube.get(await self._path(api_version, kind, namespace, name))
        status = answer.get("status", {})
        return Scale(
            spec_replicas=int(answer.get("spec", {}).get("replicas", 0)),
            status_replicas=int(status.get("replicas", 0)),
            selector=str(status.get("selector") or ""),
        )

    async def write(
        self, api_version: str, kind: str, namespace: str, name: str, replicas: int
    ) -> None:
        """Ask for so many replicas of one object, and touch nothing else of it.

        Raises:
            NotFoundError: as in `read`.
            KubeError: it was not done, or nobody knows.
        """
        path = await self._path(api_version, kind, namespace, name)
        await self.kube.patch(path, {"spec": {"replicas": replicas}}, PatchType.MERGE)

    async def _path(self, api_version: str, kind: str, namespace: str, name: str) -> str:
        group, _, version = api_version.rpartition("/")
        plural = await self._kinds.plural(api_version, kind)
        if f"{plural}/scale" not in await self._kinds.plurals(api_version):
            raise NotFoundError(
                404, "NotFound", f"kind {kind} of {api_version} has no scale subresource"
            )
        return Resource(group, version, plural).item(namespace, name, "scale")

    async def pods(self, scale: Scale, namespace: str) -> tuple[Pod, ...]:
        """Read the live pods that the selector names; none without one."""
        if not scale.selector:
            return ()
        found = [raw async for raw in self._pods(namespace, scale.selector) if is_live(raw)]
        return tuple(map(read_pod, found))

    async def _pods(self, namespace: str, selector: str) -> AsyncIterator[Json]:
        params = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            page = await self.kube.get(PODS.collection(namespace), params)
            if "items" not in page:
                raise KubeUnreachableError("GET pods: the answer is no list")
            for item in page["items"] or ():
                yield item
            more = (page.get("metadata") or {}).get("continue")
            if not more:
                return
            params = {**params, "continue": more}


def pods_per_replica(scale: Scale, live: Sequence[Pod]) -> int:
    """Tell how many pods make a replica.

    Rounded, since a rollout has a pod too many, and a group that is being made has too few. Where
    the status does not tell how many replicas there are, as many as asked for are taken for them.
    """
    return max(1, round(len(live) / max(1, scale.status_replicas or scale.spec_replicas)))


def count(scale: Scale, live: Sequence[Pod], size: int) -> Replicas:
    """Count replicas of `size` pods each, all of which a replica needs.

    Without a selector, the replicas that there are stand for ready ones, and are told not to be.
    """
    if not scale.selector:
        return Replicas(scale.spec_replicas, scale.status_replicas, are_counted=False)
    return Replicas(
        current=scale.spec_replicas,
        ready=sum(pod.ready for pod in live) // size,
        unschedulable=sum(pod.unschedulable for pod in live) // size,
    )
