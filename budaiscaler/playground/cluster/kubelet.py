"""A scheduler and a kubelet in one: places pods, and tells when they are ready.

A pod serves once it has loaded its model, which takes as long as `Starts` says; those that are
there when the story begins need not wait. Each has an address of its own on the loopback of this
machine, where `fleet.serving` answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv4Network

from budaiscaler.domain import times
from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube import pods as podlook
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import PODS
from budaiscaler.playground.cluster import objects
from budaiscaler.playground.cluster.starts import Starts

PODS_A_NODE = 2
MANAGER = "kubelet"


@dataclass(slots=True)
class Kubelet:
    """All nodes.

    Attributes:
        kube: the API server.
        network: where pods get their addresses; none is given twice.
        starts: how long pods take.
        now: time of the story.
        answers: whether a server answers at an address, as a readiness probe asks.
        is_in_a_hurry: whether pods that are placed now are ready at once.
        pods_a_node: how many a node has room for, in the order in which they are made.
    """

    kube: Kube
    network: IPv4Network
    starts: Starts
    now: Callable[[], datetime]
    answers: Callable[[str], bool] = lambda _: True
    is_in_a_hurry: bool = False
    pods_a_node: int = PODS_A_NODE
    _addresses: Iterator[IPv4Address] = field(init=False)
    _ready_at: dict[str, datetime] = field(default_factory=dict)
    _made: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._addresses = self.network.hosts()

    async def reconcile(self) -> datetime | None:
        """Place pods and tell of those that are ready now.

        Returns:
            When the next one will be; None where none is starting.
        """
        now = self.now()
        pods = [
            pod for pod in (await self.kube.get(PODS.collection()))["items"] if podlook.is_live(pod)
        ]
        for pod in pods:
            if not pod["spec"].get("nodeName"):
                await self._place(pod, now)
        live = {pod["metadata"]["uid"] for pod in pods}
        self._ready_at = {uid: at for uid, at in self._ready_at.items() if uid in live}
        for pod in pods:
            at = self._ready_at.get(pod["metadata"]["uid"])
            address = (pod.get("status") or {}).get("podIP")
            if at is not None and at <= now and address and self.answers(address):
                await self._tell(pod, pod["spec"]["nodeName"], ready=True, at=at)
                self._ready_at.pop(pod["metadata"]["uid"], None)
        return min(self._ready_at.values(), default=None)

    async def _place(self, pod: Json, now: datetime) -> None:
        number = next(self._made)
        node = f"gpu-{number // self.pods_a_node}"
        created = times.parse(pod["metadata"].get("creationTimestamp")) or now
        takes_s = 0.0 if self.is_in_a_hurry else self.starts.of(number)
        self._ready_at[pod["metadata"]["uid"]] = created + timedelta(seconds=takes_s)
        await self._patch(objects.path(PODS, pod), {"spec": {"nodeName": node}})
        await self._tell(pod, node, ready=False, at=now)

    async def _tell(self, pod: Json, node: str, *, ready: bool, at: datetime) -> None:
        ip = (pod.get("status") or {}).get("podIP") or str(next(self._addresses))
        status = objects.running(pod, node=node, ip=ip, ready=ready, now=at)
        await self._patch(objects.path(PODS, pod, "status"), {"status": status})

    async def _patch(self, path: str, body: Json) -> None:
        try:
            await self.kube.patch(path, body, PatchType.MERGE, {"fieldManager": MANAGER})
        except (ConflictError, NotFoundError):
            return  # it went meanwhile
