"""Sources on metrics.k8s.io and custom.metrics.k8s.io in the loop: who acts, and who holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain import times
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.errors import status_error
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import DEPLOYMENTS
from budaiscaler.sources.custom import CustomSource
from budaiscaler.sources.resource import ResourceSource
from tests import samples
from tests.evaluator.world import NAMESPACE, World, loop_s, scaler_path, wall

pytestmark = pytest.mark.looptime

STALE_S = 80.0
"""After that the last good sample does not stand any more."""
DOWN = status_error(503, "ServiceUnavailable", "no endpoints")
METRICS = f"/apis/metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/pods"
CUSTOM = "/apis/custom.metrics.k8s.io"
PODS = f"{CUSTOM}/v1beta2/namespaces/{NAMESPACE}/pods/*/queue"

CPU: Json = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "500m"}
QUEUE: Json = {"metricSourceType": "custom", "targetMetric": "queue", "targetValue": "10"}
NEVER: Json = {"hpa": {"manage": "Never"}}


def add(world: World, *sources: Json, **fields: Any) -> None:
    """Add a workload of four replicas, each of which is exactly at its target."""
    world.sources[SourceType.RESOURCE] = ResourceSource(world.kube, clock=loop_s, wall_clock=wall)
    world.sources[SourceType.CUSTOM] = CustomSource(world.kube, clock=loop_s, wall_clock=wall)
    world.add("chat", metricsSources=list(sources), **fields)
    deployment = world.kube.objects[DEPLOYMENTS.item(NAMESPACE, "chat")]
    deployment["spec"]["selector"] = {"matchLabels": {"app": "chat"}}
    world.kube.put(DEPLOYMENTS.item(NAMESPACE, "chat"), deployment)
    world.kube.objects[CUSTOM] = {"versions": [{"version": "v1beta2"}]}
    measure(world, 1.0)


def measure(world: World, times_target: float, count: int = 4) -> None:
    """Have that many of the pods use so much of their target, and the others tell nothing."""
    now = times.rfc3339(wall())
    items = []
    for i in range(4):
        world.kube.objects.pop(f"{METRICS}/chat-{i}", None)
        if i >= count:
            continue
        usage = {"usage": {"cpu": f"{round(500 * times_target)}m"}}
        metadata = {"name": f"chat-{i}", "labels": {"app": "chat"}}
        body = {"metadata": metadata, "timestamp": now, "window": "15s", "containers": [usage]}
        world.kube.put(f"{METRICS}/chat-{i}", body)
        about = {"describedObject": {"name": f"chat-{i}"}, "timestamp": now}
        items.append({**about, "value": f"{round(10_000 * times_target)}m"})
    world.kube.objects[PODS] = {"items": items}


@pytest.mark.parametrize("source", [CPU, QUEUE], ids=["resource", "custom"])
async def test_a_load_that_we_publish(world: World, source: Json) -> None:
    """With manage Never it is in desired-load; half of the pods silent, or the API gone, holds."""
    add(world, source, **NEVER)
    async with world.leading():
        await asyncio.sleep(1)
        assert world.status("chat")["desiredLoad"] == "4"
        measure(world, 2.0)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredLoad"] == "8"
        measure(world, 0.5)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredLoad"] == "2"
        measure(world, 0.5, count=2)
        await asyncio.sleep(20)
        status = world.status("chat")
        assert (status["desiredScale"], status["desiredLoad"]) == (3, "3")
        assert (status["sources"][0]["answered"], status["sources"][0]["of"]) == (2, 4)
        measure(world, 1.0, count=2)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 4
        world.kube.fail("get", "metrics.k8s.io", DOWN)
        await asyncio.sleep(STALE_S)
    status = world.status("chat")
    assert (status["desiredScale"], status["desiredLoad"]) == (4, "4")
    assert "holdingSince" in status
    active = world.condition("chat", "ScalingActive")
    assert (active["status"], active["reason"]) == ("False", "NoData")
    assert "cannot answer now: check the server behind it" in active["message"]


@pytest.mark.parametrize("source", [CPU, QUEUE], ids=["resource", "custom"])
async def test_a_load_that_the_hpa_reads(world: World, source: Json) -> None:
    """Nothing is published; what the HPA is about to do is told, and that it cannot, too."""
    add(world, source)
    async with world.leading():
        await asyncio.sleep(1)
        measure(world, 2.0)
        await asyncio.sleep(20)
        status = world.status("chat")
        assert status["desiredScale"] == 8
        assert "desiredLoad" not in status
        assert world.condition("chat", "Ready")["status"] == "True"
        assert world.condition("chat", "ScalingActive")["status"] == "True"
        measure(world, 0.1, count=2)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 3
        world.kube.fail("get", "metrics.k8s.io", DOWN)
        await asyncio.sleep(STALE_S)
    status = world.status("chat")
    assert status["desiredScale"] == 4
    assert "desiredLoad" not in status
    assert world.condition("chat", "ScalingActive")["reason"] == "NoData"


async def test_a_metric_of_the_hpa_does_not_hold_the_load(world: World) -> None:
    """Gone for us, it may be there for the HPA, which protects itself: the rest is published."""
    add(world, CPU, samples.total("10", name="chat"))
    world.source.answers["chat"] = 20.0
    world.kube.fail("get", "/metrics.k8s.io", DOWN)
    async with world.leading():
        await asyncio.sleep(STALE_S)
    status = world.status("chat")
    assert (status["desiredLoad"], status["desiredScale"]) == ("2", 4)
    assert "holdingSince" not in status
    assert "cpu (HTTPError)" in world.condition("chat", "ScalingActive")["message"]


async def test_the_load_of_a_silent_source_grows_old(world: World) -> None:
    """That the HPA has a metric of its own makes the published load no fresher than it is."""
    add(world, CPU, samples.total("10", name="chat"))
    world.source.answers["chat"] = 40.0
    async with world.leading():
        await asyncio.sleep(1)
        assert "holdingSince" not in world.status("chat")
        world.source.answers["chat"] = float("nan")
        for _ in range(4):
            await asyncio.sleep(20)
            measure(world, 1.0)
        status = world.status("chat")
    assert status["desiredLoad"] == "4"
    assert "holdingSince" in status
    assert world.condition("chat", "ScalingActive")["status"] == "True"


async def test_all_is_published_where_another_autoscaler_is(world: World) -> None:
    """The HPA that would read cpu does not exist, so whoever reads our load gets it there."""
    add(world, CPU)
    raw = world.raw("chat")
    blocked = {"type": "AbleToScale", "status": "False", "reason": "ForeignAutoscaler"}
    raw["status"] = {"conditions": [blocked]}
    world.kube.put(scaler_path("chat"), raw)
    async with world.leading():
        await asyncio.sleep(1)
    assert world.status("chat")["desiredLoad"] == "4"
    ready = world.condition("chat", "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ForeignAutoscaler")


async def test_pods_that_share_labels_do_not_count(world: World) -> None:
    """A neighbour with the same labels, and much more load, changes nothing."""
    add(world, CPU, **NEVER)
    neighbour = {"name": "other-0", "labels": {"app": "chat"}}
    usage = {"usage": {"cpu": "64"}}
    body = {"metadata": neighbour, "timestamp": times.rfc3339(wall()), "containers": [usage]}
    world.kube.put(f"{METRICS}/other-0", body)
    async with world.leading():
        await asyncio.sleep(1)
    assert world.status("chat")["desiredLoad"] == "4"
