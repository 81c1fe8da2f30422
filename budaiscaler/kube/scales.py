"""The `scale` subresource of any kind, found by discovery, and the pods that it selects."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, NotFoundError
from budaiscaler.kube.pods import Pod, is_live, read_pod
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import PODS, Resource

DISCOVERY_TTL_S = 300.0
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
    """Reads scales; remembers how kinds are routed for five minutes.

    Attributes:
        clock: monotonic seconds.
    """

    kube: Kube
    clock: Callable[[], float] = time.monotonic
    _routes: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)

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
        plurals = await self._plurals(api_version)
        plural = plurals.get(kind)
        if plural is None:
            raise NotFoundError(404, "NotFound", f"kind {kind} does not exist in {api_version}")
        if f"{plural}/scale" not in plurals:
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

    async def _plurals(self, api_version: str) -> dict[str, str]:
        """Plural by kind, and the subresource paths as keys of their own."""
        known = self._routes.get(api_version)
        if known is not None and self.clock() - known[0] < DISCOVERY_TTL_S:
            return known[1]
        group, _, version = (quote(part, safe="") for part in api_version.rpartition("/"))
        path = f"/apis/{group}/{version}" if group else f"/api/{version}"
        try:
            answer: Json = await self.kube.get(path)
        except NotFoundError as error:
            raise NotFoundError(
                404, "NotFound", f"the cluster does not serve {api_version}"
            ) from error
        plurals: dict[str, str] = {}
        for item in answer.get("resources") or ():
            if "/" in item["name"]:
                plurals[item["name"]] = item["name"]
            else:
                plurals.setdefault(item["kind"], item["name"])
        self._routes[api_version] = (self.clock(), plurals)
        return plurals


def pods_per_replica(scale: Scale, live: Sequence[Pod]) -> int:
    """Tell how many pods make a replica.

    Rounded, since a rollout has a pod too many, and a group that is being made has too few.
    """
    return max(1, round(len(live) / max(1, scale.status_replicas)))


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
