"""An adapter that goes: what HPAs are told stays right, or is an error, and no replica falls."""

from __future__ import annotations

import pytest

from budaiscaler.playground.manifests import ADAPTER
from tests.adapter.copies import free_port
from tests.integration.world import World


async def test_restart(cluster: World) -> None:
    """While the only adapter is away HPAs are told an error, and then the same as before.

    It knows nothing when it comes back, and the load that rose meanwhile scales up at once.
    """
    await cluster.deploy()
    await cluster.scale()
    async with cluster.controller(), cluster.adapter() as copy:
        await cluster.until_replicas(3)
        await cluster.until_published(3)
        async with cluster.told() as answers:
            await copy.stop()
            await cluster.until_published(None)
            async with cluster.adapter("adapter-2"):
                await cluster.until_published(3)
                await cluster.until_held(ADAPTER, "adapter-2")
                assert set(answers) == {3, None}
                cluster.load["chat"] = 60
                await cluster.until_replicas(6)

    assert cluster.replicas["chat"] == [2, 3, 6]
    assert set(answers) == {3, 6, None}


@pytest.mark.parametrize("how", ["stops", "dies"])
async def test_leader_change(cluster: World, how: str) -> None:
    """When the adapter that evaluates goes, the other has told the same all along, and takes over.

    It is asked all the while, and is never without an answer.
    """
    await cluster.deploy()
    await cluster.scale()
    async with (
        cluster.controller(),
        cluster.adapter("leader", f"--secure-port={free_port()}") as leader,
    ):
        await cluster.until_held(ADAPTER, "leader")
        async with cluster.adapter("other"):
            await cluster.until_replicas(3)
            await cluster.until_published(3)
            async with cluster.told() as answers:
                await (leader.stop() if how == "stops" else leader.die())
                await cluster.until_held(ADAPTER, "other")
                assert answers == [3]
                cluster.load["chat"] = 60
                await cluster.until_replicas(6)

    assert answers == [3, 6]
    assert cluster.replicas["chat"] == [2, 3, 6]


async def test_falls_when_it_may(cluster: World) -> None:
    """Nothing else holds the replicas of these stories: when the load falls, they fall at once."""
    await cluster.deploy()
    await cluster.scale()
    async with cluster.controller(), cluster.adapter():
        await cluster.until_replicas(3)
        cluster.load["chat"] = 10
        await cluster.until_replicas(1)

    assert cluster.replicas["chat"] == [2, 3, 1]
