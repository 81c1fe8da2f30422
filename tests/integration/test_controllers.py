"""A controller that goes: another takes over what it scaled and owned, and no replica falls."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.kube.resources import HPAS
from budaiscaler.playground.manifests import CONTROLLER, NAMESPACE
from tests.integration.world import World

DIRECT = [
    pytest.param(Strategy.BUD_SCALER, id="bud-scaler"),
    pytest.param(Strategy.KPA, id="kpa"),
]


@pytest.mark.parametrize("strategy", DIRECT)
@pytest.mark.parametrize("how", ["stops", "dies"])
async def test_leader_change(cluster: World, strategy: Strategy, how: str) -> None:
    """The next controller starts from what it finds, keeps the replicas, and goes on scaling."""
    await cluster.deploy()
    await cluster.scale(strategy=strategy)
    async with cluster.controller("leader") as leader:
        await cluster.until_held(CONTROLLER, "leader")
        await cluster.until_replicas(3)
        async with cluster.controller("other"):
            await (leader.stop() if how == "stops" else leader.die())
            await cluster.until_held(CONTROLLER, "other")
            cluster.load["chat"] = 40
            await cluster.until_replicas(4)

    assert cluster.replicas["chat"] == [2, 3, 4]


@pytest.mark.parametrize("strategy", DIRECT)
async def test_load_that_fell_meanwhile(cluster: World, strategy: Strategy) -> None:
    """With stabilisation as it is by default, a new leader must not follow a fall at once.

    It has not seen for itself what the load was in the window.
    """
    await cluster.deploy()
    await cluster.scale(strategy=strategy, behavior=None)
    async with cluster.controller("leader") as leader:
        await cluster.until_replicas(3)
        await leader.die()
    cluster.load["chat"] = 1
    async with cluster.controller("other"):
        await cluster.until_held(CONTROLLER, "other")
        await cluster.until_vouched(CONTROLLER)

    assert cluster.replicas["chat"] == [2, 3]


async def test_the_hpa_stays(cluster: World) -> None:
    """The HPA that the last leader made is the next one's, and is not made anew."""
    await cluster.deploy()
    await cluster.scale()
    path = HPAS.item(NAMESPACE, "chat-hpa")
    async with cluster.adapter():
        async with cluster.controller("leader") as leader:
            await cluster.until_replicas(3)
            before = await cluster.kube.get(path)
            await leader.stop()
        async with cluster.controller("other"):
            await cluster.until_held(CONTROLLER, "other")
            cluster.load["chat"] = 40
            await cluster.until_replicas(4)
            after = await cluster.kube.get(path)

    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert cluster.replicas["chat"] == [2, 3, 4]
