"""What incidents do to the cluster, and that they are told of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from budaiscaler.kube.events import Recorder
from budaiscaler.kube.resources import DEPLOYMENTS, EVENTS
from budaiscaler.playground.demo.incidents import Incidents
from budaiscaler.playground.manifests import NAMESPACE, WORKLOADS
from budaiscaler.playground.scenarios import Incident
from tests.playground.cluster import world as worlds
from tests.playground.cluster.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds.world(tmp_path) as found:
        found.kubelet.is_in_a_hurry = True
        for name in WORKLOADS:
            await found.add(name, 4)
        await found.passes()
        found.kubelet.is_in_a_hurry = False
        yield found


async def happen(world: World, incident: Incident) -> None:
    recorder = Recorder(world.kube, "playground", "test", lambda: world.now)
    sending = asyncio.create_task(recorder.run())
    await Incidents(world.kube, recorder).happen(incident)
    await asyncio.sleep(0.05)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def ready(world: World) -> list[int]:
    return [await world.ready(name) for name in WORKLOADS]


@pytest.mark.parametrize(
    ("incident", "left"),
    [
        pytest.param(Incident.KILL_POD, 3, id="one"),
        pytest.param(Incident.LOSE_PODS, 2, id="half"),
        pytest.param(Incident.BREAK_METRICS, 4, id="none"),
    ],
)
async def test_every_workload_loses_as_many(world: World, incident: Incident, left: int) -> None:
    """So that what their scalers make of it can be compared."""
    await happen(world, incident)
    assert await ready(world) == [left] * 4
    await world.passes()
    await world.passes(after_s=200)
    assert await ready(world) == [4] * 4


async def test_each_rollout_is_another_template(world: World) -> None:
    """Two of them, one after the other, replace all pods twice."""
    names: list[set[str]] = []
    for _ in range(2):
        names.append({pod["metadata"]["name"] for pod in await world.pods("chat-kpa")})
        await happen(world, Incident.ROLL_OUT)
        for _ in range(12):
            await world.passes(after_s=60)
    names.append({pod["metadata"]["name"] for pod in await world.pods("chat-kpa")})

    assert all(names[a].isdisjoint(names[b]) for a, b in ((0, 1), (1, 2), (0, 2)))
    assert await ready(world) == [4] * 4


async def test_a_workload_that_somebody_deleted_is_left_out(world: World) -> None:
    """Whoever plays with kubectl does not end the demo."""
    await world.kube.delete(DEPLOYMENTS.item(NAMESPACE, "chat-kpa"))
    for incident in Incident:
        await happen(world, incident)

    assert await world.pods("chat-kpa") == []


async def test_it_is_told_once(world: World) -> None:
    """An event of the namespace, and not one for each workload."""
    await happen(world, Incident.LOSE_PODS)
    events = (await world.kube.get(EVENTS.collection(NAMESPACE)))["items"]

    assert [(event["reason"], event["note"]) for event in events] == [
        ("LosePods", str(Incident.LOSE_PODS))
    ]
