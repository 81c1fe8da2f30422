"""Keeps the pretended controllers going: a pass whenever something changed, or a pod is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from budaiscaler.domain.errors import KubeError
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS
from budaiscaler.playground.cluster.kubelet import Kubelet
from budaiscaler.playground.cluster.workloads import WorkloadControllers
from budaiscaler.runtime.clock import Clock

SHORTEST_REAL_S = 0.02
"""Between two passes: what changes meanwhile is seen together."""
LONGEST_REAL_S = 1.0

_log = structlog.get_logger()


@dataclass(slots=True)
class Machinery:
    """The loop.

    Attributes:
        kube: the API server.
        workloads: make pods.
        kubelet: makes them ready.
        clock: of the story.
        pods: all of them, as last heard.
        replica_sets: the same.
        deployments: the same.
    """

    kube: Kube
    workloads: WorkloadControllers
    kubelet: Kubelet
    clock: Clock
    pods: Cache[Json] = field(init=False)
    replica_sets: Cache[Json] = field(init=False)
    deployments: Cache[Json] = field(init=False)
    _caches: tuple[Cache[Json], ...] = field(init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._caches = tuple(
            Cache(self.kube, resource.collection(), lambda raw, _: raw)
            for resource in (PODS, REPLICA_SETS, DEPLOYMENTS, STATEFUL_SETS)
        )
        self.pods, self.replica_sets, self.deployments, _ = self._caches
        for cache in self._caches:
            cache.subscribe(self._on_change)

    async def run(self) -> None:
        """Reconcile until cancelled."""
        async with asyncio.TaskGroup() as group:
            for cache in self._caches:
                group.create_task(cache.run())
            group.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            self._changed.clear()
            try:
                await self.workloads.reconcile()
                due = await self.kubelet.reconcile()
            except KubeError as error:
                _log.warning("playground_pass_failed", error=str(error))
                due = None
            await asyncio.sleep(SHORTEST_REAL_S)
            try:
                async with asyncio.timeout(self._wait_s(due)):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _wait_s(self, due: datetime | None) -> float:
        if due is None:
            return LONGEST_REAL_S
        left_s = self.clock.real_s((due - self.clock.wall()).total_seconds())
        return min(LONGEST_REAL_S, max(0.0, left_s))

    def _on_change(self, _: Key, __: Json | None, ___: Json | None) -> None:
        self._changed.set()
