"""A new leader over scalers that we scale ourselves: what the one before did, it has not forgotten.

The leader before is gone without a last word, so its state is as old as its last write.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.acting import Actor, Actuator
from budaiscaler.evaluator.deletion_costs import DeletionCosts
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import DEPLOYMENTS
from budaiscaler.kube.scales import ScaleReader
from tests import samples
from tests.evaluator.world import NAMESPACE, World, loop_s, scaler_path, wall

pytestmark = pytest.mark.looptime

BOTH = pytest.mark.parametrize("strategy", [Strategy.KPA, Strategy.BUD_SCALER])
DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")
APPS: Json = {
    "resources": [
        {"name": "deployments", "kind": "Deployment"},
        {"name": "deployments/scale", "kind": "Scale"},
    ]
}


async def _nobody(scaler: Scaler) -> Condition | None:
    return None


@asynccontextmanager
async def _leading(world: World, strategy: Strategy) -> AsyncIterator[None]:
    world.kube.objects["/apis/apps/v1"] = APPS

    def actor(recorder: Recorder) -> Actor:
        costs = DeletionCosts(world.kube)
        return Actuator(ScaleReader(world.kube, loop_s), _nobody, recorder, costs)

    async with world.leading(world.evaluator(strategy=strategy, actor=actor), as_of=wall()):
        yield


def _replicas(world: World) -> int:
    found: int = world.kube.objects[DEPLOYMENTS.item(NAMESPACE, "chat")]["spec"]["replicas"]
    return found


def _written(world: World) -> Any:
    return json.loads(world.status("chat")["decisionState"])


@BOTH
async def test_what_is_remembered_stands_in_the_status(world: World, strategy: Strategy) -> None:
    """Of a decision that was written, its state was, too; it asks for no write of its own."""
    world.add("chat", replicas=4, says=9.0, scalingStrategy=str(strategy))
    async with _leading(world, strategy):
        await asyncio.sleep(600)
        writes = world.writes("chat")
        assert _written(world)["target"] == "apps/v1/Deployment/chat"
        assert [by for _, by in _written(world)["state"]["changes"]]
        assert len(json.dumps(_written(world))) < 4096
        await asyncio.sleep(3600)
        assert world.writes("chat") <= writes + 2


@BOTH
async def test_whoever_leads_nothing_is_let_go_before_a_whole_window(
    world: World, strategy: Strategy
) -> None:
    """The load falls, and every two minutes another leader comes: ten stay, and go at last."""
    world.add("chat", replicas=10, says=10.0, scalingStrategy=str(strategy))
    async with _leading(world, strategy):
        await asyncio.sleep(400)
    world.source.answers["chat"] = 1.0
    for _ in range(6):
        async with _leading(world, strategy):
            await asyncio.sleep(120)
        assert _replicas(world) == 10
    async with _leading(world, strategy):
        await asyncio.sleep(900)
    assert _replicas(world) < 10


async def test_a_policy_counts_what_another_leader_did(world: World) -> None:
    """Two pods in ten minutes are two, and not two for each leader."""
    policy = {"type": "Pods", "value": 2, "periodSeconds": 600}
    strategy = Strategy.BUD_SCALER
    world.add(
        "chat",
        replicas=4,
        says=40.0,
        scalingStrategy=str(strategy),
        behavior={"scaleUp": {"policies": [policy]}},
    )
    for _ in range(5):
        async with _leading(world, strategy):
            await asyncio.sleep(100)
        assert _replicas(world) == 6
    async with _leading(world, strategy):
        await asyncio.sleep(120)
    assert _replicas(world) == 8


async def test_a_fallback_comes_in_time_whoever_leads(world: World) -> None:
    """Ten minutes without data are ten minutes, not ten of one leader."""
    strategy = Strategy.BUD_SCALER
    fallback = {"after": "10m", "replicas": 8, "behavior": "Static"}
    source = samples.total(name="chat", fallback=fallback)
    world.add("chat", says=4.0, scalingStrategy=str(strategy), metricsSources=[source])
    async with _leading(world, strategy):
        await asyncio.sleep(60)
    world.source.answers["chat"] = DEAD
    for _ in range(4):
        async with _leading(world, strategy):
            await asyncio.sleep(150)
        assert _replicas(world) == 4
    async with _leading(world, strategy):
        await asyncio.sleep(120)
    assert _replicas(world) == 8


@BOTH
@pytest.mark.parametrize(
    "state",
    [
        pytest.param("junk", id="a-text"),
        pytest.param({"version": 1}, id="an-object"),
        pytest.param('{"version": 1, "at": 1e12, "target": "x"}', id="of-the-future"),
        pytest.param(None, id="gone"),
    ],
)
async def test_a_state_that_somebody_edited_lets_nothing_go(
    world: World, strategy: Strategy, state: Any
) -> None:
    """Six stay six for a window, and the state is ours again with the next write."""
    world.add("chat", replicas=6, says=6.0, scalingStrategy=str(strategy))
    async with _leading(world, strategy):
        await asyncio.sleep(60)
    raw = world.raw("chat")
    raw["status"]["decisionState"] = state
    world.kube.put(scaler_path("chat"), raw)
    world.source.answers["chat"] = 0.0
    async with _leading(world, strategy):
        await asyncio.sleep(290)
        assert _replicas(world) == 6
        assert _written(world)["version"] == 1
    assert ("chat", "Warning", "InternalError") not in world.events()


async def test_a_failed_look_keeps_what_is_remembered(world: World) -> None:
    """The workload is gone when a new leader looks, and back for the one after it."""
    strategy = Strategy.BUD_SCALER
    world.add("chat", replicas=4, says=4.0, scalingStrategy=str(strategy))
    async with _leading(world, strategy):
        await asyncio.sleep(60)
    before = _written(world)
    path = DEPLOYMENTS.item(NAMESPACE, "chat")
    deployment = world.kube.objects[path]
    world.kube.remove(path)
    async with _leading(world, strategy):
        await asyncio.sleep(60)
        assert world.condition("chat", "Ready")["reason"] == "TargetNotFound"
        assert _written(world) == before
    world.kube.put(path, deployment)
