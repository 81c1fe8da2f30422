"""An API server that goes, forgets, or refuses: decisions go on after it, and no replica falls."""

from __future__ import annotations

import asyncio

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.kube.resources import BUDAISCALERS, HPAS, PODS
from budaiscaler.playground.manifests import NAMESPACE
from tests.integration.world import World, touch, until

BOTH = {"chat": Strategy.HPA, "bud": Strategy.BUD_SCALER}


async def prepare(cluster: World) -> None:
    """One scaler that an HPA acts for, and one for which the controller does."""
    for name, strategy in BOTH.items():
        cluster.load[name] = 30
        await cluster.deploy(name)
        await cluster.scale(name, strategy)


async def until_all(cluster: World, replicas: int) -> None:
    """Wait until both have so many replicas."""
    for name in BOTH:
        await cluster.until_replicas(replicas, name)


async def test_restart(cluster: World) -> None:
    """After restarts of the API server the watches come back: what is new is seen, and acted upon.

    Nothing scales down meanwhile.
    """
    await prepare(cluster)
    async with cluster.adapter(), cluster.controller():
        await until_all(cluster, 3)
        for _ in range(3):
            await cluster.api.restart()
            await asyncio.sleep(0)
        cluster.load |= {"chat": 40, "bud": 40, "late": 30}
        await until_all(cluster, 4)
        await cluster.deploy("late")
        await cluster.scale("late", Strategy.BUD_SCALER)
        await cluster.until_replicas(3, "late")

    for name in BOTH:
        assert cluster.replicas[name] == [2, 3, 4]
    assert cluster.replicas["late"] == [2, 3]


async def test_storm_of_410(cluster: World) -> None:
    """While every watch is too old again and again, caches list anew, and decisions go on."""
    await prepare(cluster)
    async with cluster.adapter(), cluster.controller():
        await until_all(cluster, 3)
        for replicas in (4, 5):
            await forget(cluster)
            cluster.load |= dict.fromkeys(BOTH, replicas * 10.0)
            await until_all(cluster, replicas)
        await cluster.kube.delete(BUDAISCALERS.item(NAMESPACE, "chat"))
        await forget(cluster)
        await cluster.until_published(None)

    for name in BOTH:
        assert cluster.replicas[name] == [2, 3, 4, 5]


async def forget(cluster: World) -> None:
    """End every watch, and forget the versions that they would go on from."""
    for resource in (PODS, BUDAISCALERS, HPAS):
        items = (await cluster.kube.get(resource.collection(NAMESPACE)))["items"]
        for item in items[:1]:
            await touch(cluster.kube, resource.item(NAMESPACE, item["metadata"]["name"]))
    cluster.api.compact()
    cluster.api.disconnect_watches()


async def test_deleted_while_away(cluster: World) -> None:
    """A scaler that is deleted keeps its replicas, and what was made for it goes with it."""
    await prepare(cluster)
    async with cluster.adapter(), cluster.controller():
        await until_all(cluster, 3)
        for name in BOTH:
            await cluster.kube.delete(BUDAISCALERS.item(NAMESPACE, name))
        await cluster.api.restart()

        async def is_gone() -> bool:
            return not (await cluster.kube.get(HPAS.collection(NAMESPACE)))["items"]

        await until(is_gone, "the HPA to go")
        for name in BOTH:
            await cluster.until_published(None, name)

    for name in BOTH:
        assert cluster.replicas[name] == [2, 3]
