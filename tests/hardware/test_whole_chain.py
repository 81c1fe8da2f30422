"""The controller and the adapter, as they run, scale by the memory of a real GPU."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.playground.manifests import CONTROLLER, NAMESPACE
from tests.hardware.loads import load
from tests.integration.world import World, world

pytestmark = pytest.mark.timeout(120)

CONFIG = {"enabled": True, "gpuMemoryThreshold": 10, "metricsSource": "nvml"}


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[World]:
    """All pods are on this one machine, or NVML would not be believed."""
    async with world(tmp_path, pods_a_node=100) as made:
        yield made


@pytest.mark.parametrize("strategy", list(Strategy))
async def test_memory_that_fills_scales_up_and_one_that_empties_down(
    cluster: World, strategy: Strategy
) -> None:
    """A third of the memory in use, at a threshold of 10 percent, is more than two replicas."""
    cluster.load["chat"] = 20
    await cluster.deploy(replicas=2)
    await cluster.scale(strategy=strategy, gpuConfig=CONFIG, maxReplicas=4)
    async with cluster.adapter(), cluster.controller("leader"):
        await cluster.until_held(CONTROLLER, "leader")
        await cluster.until_vouched(CONTROLLER)
        async with load(28, "idle"):
            await cluster.until_replicas(4)
            found = await cluster.kube.get(BUDAISCALERS.item(NAMESPACE, "chat"))
        if strategy is not Strategy.KPA:  # which averages what it has seen
            await cluster.until_replicas(2)

    status = found["status"]["gpuStatus"]
    assert status["averageMemoryUtilization"] > 30
    assert "NVIDIA" in status["gpuType"]
    assert status["totalGPUs"] >= 1
