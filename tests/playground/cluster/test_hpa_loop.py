"""The pretended HPA controller, on an API server, with a metric that a test gives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from budaiscaler.domain.errors import OverloadedError
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import DEPLOYMENTS, EVENTS, HPAS
from budaiscaler.playground.cluster.hpa_loop import EXTERNAL, HpaLoop
from budaiscaler.runtime.clock import Clock
from tests.playground.cluster import world as worlds
from tests.playground.cluster.world import NAMESPACE, World


@dataclass(slots=True)
class WithMetrics:
    """The API server of a world, with external metrics that a test sets.

    Attributes:
        value: of `desired-load`; None for an answer of 503.
        asked: label selectors that were asked for.
    """

    inner: Kube
    value: str | None = "3"
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        if not path.startswith(EXTERNAL):
            return await self.inner.get(path, params)
        self.asked.append((params or {}).get("labelSelector", ""))
        if self.value is None:
            raise OverloadedError(503, "ServiceUnavailable", "no data")
        return {"items": [{"value": self.value}]}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


HPA: Json = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "chat", "namespace": NAMESPACE},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
        "minReplicas": 1,
        "maxReplicas": 10,
        "metrics": [
            {
                "type": "External",
                "external": {
                    "metric": {
                        "name": "desired-load",
                        "selector": {"matchLabels": {"scaler": "chat"}},
                    },
                    "target": {"type": "AverageValue", "averageValue": "1"},
                },
            }
        ],
    },
}


@dataclass(slots=True)
class Cluster:
    world: World
    metrics: WithMetrics
    loop: HpaLoop

    async def syncs(self, count: int) -> int:
        """Sync so often, 15 s apart; the replicas asked for after that."""
        for _ in range(count):
            self.world.now += timedelta(seconds=15)
            await self.loop.sync_all()
            await self.world.passes(2)
        raw = await self.world.kube.get(DEPLOYMENTS.item(NAMESPACE, "chat"))
        return int(raw["spec"]["replicas"])

    async def hpa(self) -> Json:
        return await self.world.kube.get(HPAS.item(NAMESPACE, "chat"))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with worlds.world(tmp_path) as world:
        world.kubelet.is_in_a_hurry = True
        await world.add("chat", 2)
        await world.passes()
        await world.kube.create(HPAS.collection(NAMESPACE), HPA)
        metrics = WithMetrics(world.kube)
        clock = Clock(wall=lambda: world.now)
        recorder = Recorder(world.kube, "hpa", "test", clock.wall)
        loop = HpaLoop(metrics, clock, recorder, lambda _, __: 2)
        sending = asyncio.create_task(recorder.run())
        yield Cluster(world, metrics, loop)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_it_follows_the_load(cluster: Cluster) -> None:
    """Up at once, and tells of it in status and event; it asks for its own scaler only."""
    assert await cluster.syncs(1) == 3

    hpa = await cluster.hpa()
    assert (hpa["status"]["currentReplicas"], hpa["status"]["desiredReplicas"]) == (2, 3)
    conditions = {one["type"]: one for one in hpa["status"]["conditions"]}
    assert conditions["ScalingActive"]["status"] == "True"
    assert cluster.metrics.asked == ["scaler=chat"]
    await asyncio.sleep(0.05)
    events = (await cluster.world.kube.get(EVENTS.collection(NAMESPACE)))["items"]
    assert [event["reason"] for event in events] == ["SuccessfulRescale"]


async def test_it_goes_down_after_five_minutes(cluster: Cluster) -> None:
    """Not before: the highest recommendation of the window counts."""
    await cluster.syncs(1)
    cluster.metrics.value = "1"
    assert await cluster.syncs(19) == 3
    assert await cluster.syncs(2) == 1


async def test_without_the_metric_nothing_moves(cluster: Cluster) -> None:
    """A metric that is an error freezes the HPA, for as long as it is one."""
    assert await cluster.syncs(1) == 3
    cluster.metrics.value = None
    assert await cluster.syncs(60) == 3
    conditions = {one["type"]: one for one in (await cluster.hpa())["status"]["conditions"]}
    assert conditions["ScalingActive"]["reason"] == "FailedGetExternalMetric"


async def test_a_metric_of_another_type_holds(cluster: Cluster) -> None:
    """There is no metrics server here: such an HPA stays where it is, and says why."""
    hpa = await cluster.hpa()
    hpa["spec"]["metrics"] = [
        {
            "type": "Resource",
            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 1}},
        }
    ]
    await cluster.world.kube.update(HPAS.item(NAMESPACE, "chat"), hpa)
    assert await cluster.syncs(3) == 2
    conditions = {one["type"]: one for one in (await cluster.hpa())["status"]["conditions"]}
    assert conditions["ScalingActive"]["reason"] == "FailedGetResourceMetric"


async def test_one_that_is_broken_does_not_stop_the_others(cluster: Cluster) -> None:
    """An HPA of a workload that is gone is logged, and the next one is synced."""
    lost = {
        **HPA,
        "metadata": {"name": "a-lost-one", "namespace": NAMESPACE},
        "spec": {**HPA["spec"], "scaleTargetRef": {**HPA["spec"]["scaleTargetRef"], "name": "no"}},
    }
    await cluster.world.kube.create(HPAS.collection(NAMESPACE), lost)
    assert await cluster.syncs(1) == 3
