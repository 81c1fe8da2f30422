"""Deletion: what goes along, and what holds it up."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import ForbiddenError, NotFoundError
from budaiscaler.kube.port import PatchType
from tests.playground.apiserver.world import CONFIG_MAPS, World, owned_by


async def names(world: World) -> list[str]:
    items = (await world.kube.get(CONFIG_MAPS))["items"]
    return [item["metadata"]["name"] for item in items]


async def test_what_an_object_owned_goes_with_it(world: World) -> None:
    """Down the whole chain, but not what has another owner that is still there."""
    owner = await world.config_map("owner")
    other = await world.config_map("other")
    child = await world.config_map("child", ownerReferences=owned_by(owner))
    await world.config_map("grandchild", ownerReferences=owned_by(child))
    await world.config_map("shared", ownerReferences=owned_by(owner) + owned_by(other))

    await world.kube.delete(f"{CONFIG_MAPS}/owner")
    assert await names(world) == ["other", "shared"]

    await world.kube.delete(f"{CONFIG_MAPS}/other")
    assert await names(world) == []


async def test_an_owner_that_is_gone_owns_nothing(world: World) -> None:
    """What is made for it afterwards is collected, as the real collector does a moment later."""
    owner = await world.config_map("owner")
    await world.kube.delete(f"{CONFIG_MAPS}/owner")
    await world.config_map("late", ownerReferences=owned_by(owner))

    assert await names(world) == []


async def test_orphans_stay(world: World) -> None:
    """With the policy Orphan dependents lose their owner, and nothing else."""
    owner = await world.config_map("owner")
    await world.config_map("child", ownerReferences=owned_by(owner))
    await world.ask("DELETE", f"{CONFIG_MAPS}/owner", {"propagationPolicy": "Orphan"})

    child = await world.kube.get(f"{CONFIG_MAPS}/child")
    assert "ownerReferences" not in child["metadata"]
    assert await names(world) == ["child"]


async def test_foreground_deletes_dependents_first(world: World) -> None:
    """So a watcher sees the children go before their owner."""
    owner = await world.config_map("owner")
    await world.config_map("child", ownerReferences=owned_by(owner))
    since = world.store.version
    await world.ask("DELETE", f"{CONFIG_MAPS}/owner", {"propagationPolicy": "Foreground"})

    gone = [change.key.name for change in world.store.since(since, "configmaps")]
    assert gone == ["child", "owner"]


async def test_a_finalizer_holds_an_object(world: World) -> None:
    """It is marked once, and goes when the last finalizer is taken away."""
    await world.config_map("a", finalizers=["example.org/hold"])
    await world.kube.delete(f"{CONFIG_MAPS}/a")
    marked = await world.kube.get(f"{CONFIG_MAPS}/a")
    world.later(10)
    await world.kube.delete(f"{CONFIG_MAPS}/a")

    assert marked["metadata"]["deletionTimestamp"] == "2026-01-05T12:00:00Z"
    assert await world.kube.get(f"{CONFIG_MAPS}/a") == marked
    change = {"metadata": {"finalizers": None}}
    await world.kube.patch(f"{CONFIG_MAPS}/a", change, PatchType.MERGE)
    assert await names(world) == []


async def test_a_namespace_goes_with_all_that_is_in_it(world: World) -> None:
    """Once nothing in it is held any more; meanwhile nothing new can be made there."""
    await world.kube.create("/api/v1/namespaces", {"metadata": {"name": "shop"}})
    path = "/api/v1/namespaces/shop/configmaps"
    held = {"metadata": {"name": "held", "finalizers": ["example.org/hold"]}}
    await world.kube.create(path, held)
    await world.kube.create(path, {"metadata": {"name": "free"}})
    await world.kube.delete("/api/v1/namespaces/shop")

    namespace = await world.kube.get("/api/v1/namespaces/shop")
    assert namespace["status"]["phase"] == "Terminating"
    with pytest.raises(ForbiddenError, match="because it is being terminated"):
        await world.kube.create(path, {"metadata": {"name": "new"}})

    await world.kube.patch(f"{path}/held", {"metadata": {"finalizers": None}}, PatchType.MERGE)
    with pytest.raises(NotFoundError):
        await world.kube.get("/api/v1/namespaces/shop")


async def test_the_first_namespaces_stay(world: World) -> None:
    """Nobody can saw off the branch that all demos sit on."""
    with pytest.raises(ForbiddenError, match="may not be deleted"):
        await world.kube.delete("/api/v1/namespaces/default")


async def test_a_collection_goes_by_selector(world: World) -> None:
    """Only what is selected, and a dry run nothing at all."""
    await world.config_map("a", labels={"on": "yes"})
    await world.config_map("b")
    await world.ask("DELETE", CONFIG_MAPS, labelSelector="on=yes", dryRun="All")
    assert await names(world) == ["a", "b"]

    await world.ask("DELETE", CONFIG_MAPS, labelSelector="on=yes")
    assert await names(world) == ["b"]
