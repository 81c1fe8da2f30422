"""A cluster in memory, with pretended controllers that a test lets work pass by pass."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, PODS
from budaiscaler.playground import manifests
from budaiscaler.playground.apiserver import EmbeddedApiServer
from budaiscaler.playground.cluster import objects
from budaiscaler.playground.cluster.kubelet import Kubelet
from budaiscaler.playground.cluster.starts import Starts
from budaiscaler.playground.cluster.workloads import WorkloadControllers
from tests.conftest import NOON

NAMESPACE = "default"


@dataclass(slots=True)
class World:
    """See the module.

    Attributes:
        kube: the embedded API server.
        now: the time; tests move it.
    """

    kube: Kube
    now: datetime = NOON
    workloads: WorkloadControllers = field(init=False)
    kubelet: Kubelet = field(init=False)

    def __post_init__(self) -> None:
        self.workloads = WorkloadControllers(self.kube, random.Random(1))
        self.kubelet = Kubelet(
            self.kube, IPv4Network("127.12.0.0/16"), Starts(60, 1), lambda: self.now
        )

    async def add(self, name: str, replicas: int) -> None:
        """Add a Deployment."""
        await self.kube.create(
            DEPLOYMENTS.collection(NAMESPACE), manifests.deployment(name, replicas)
        )

    async def scale(self, name: str, replicas: int) -> None:
        """Ask for so many replicas."""
        path = DEPLOYMENTS.item(NAMESPACE, name, "scale")
        await self.kube.patch(path, {"spec": {"replicas": replicas}}, PatchType.MERGE)

    async def passes(self, count: int = 4, *, after_s: float = 0.0) -> None:
        """Let some time pass, and every controller work that often."""
        self.now += timedelta(seconds=after_s)
        for _ in range(count):
            await self.workloads.reconcile()
            await self.kubelet.reconcile()

    async def pods(self, name: str = "") -> list[Json]:
        """All pods, or those of a Deployment."""
        params = {"labelSelector": f"app={name}"} if name else None
        return list((await self.kube.get(PODS.collection(NAMESPACE), params))["items"])

    async def ready(self, name: str = "") -> int:
        """How many of them serve."""
        return sum(map(objects.is_ready, await self.pods(name)))

    async def status(self, name: str) -> dict[str, Any]:
        """The status of a Deployment."""
        raw = await self.kube.get(DEPLOYMENTS.item(NAMESPACE, name))
        return dict(raw.get("status") or {})


@asynccontextmanager
async def world(directory: Path) -> AsyncIterator[World]:
    """Open one."""
    time: list[World] = []
    async with EmbeddedApiServer(
        now=lambda: time[0].now if time else NOON, directory=directory
    ) as server:
        time.append(World(server.kube))
        yield time[0]
