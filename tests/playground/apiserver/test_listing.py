"""Lists in pages, and writes that come too late."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import ConflictError, ExpiredError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.playground.apiserver import listing
from tests.playground.apiserver.world import CONFIG_MAPS, World


async def page(world: World, token: str = "") -> tuple[list[str], Json]:
    query = {"limit": "2", **({"continue": token} if token else {})}
    found = await world.kube.get(CONFIG_MAPS, query)
    return [item["metadata"]["name"] for item in found["items"]], found["metadata"]


async def test_pages_are_of_one_moment(world: World) -> None:
    """What comes, goes and changes meanwhile is not seen: a watch from the version tells it."""
    for name in "abcde":
        await world.config_map(name)
    names, metadata = await page(world)
    assert (names, metadata["remainingItemCount"]) == (["a", "b"], 3)

    await world.kube.delete(f"{CONFIG_MAPS}/c")
    await world.config_map("d2")
    second, after = await page(world, metadata["continue"])
    last, end = await page(world, after["continue"])

    assert (second, last) == (["c", "d"], ["e"])
    assert {one["resourceVersion"] for one in (metadata, after, end)} == {
        metadata["resourceVersion"]
    }
    assert "continue" not in end


async def test_a_list_from_before_the_compaction_is_expired(world: World) -> None:
    """It is said so at once; the lister begins anew."""
    for name in "abc":
        await world.config_map(name)
    _, metadata = await page(world)
    world.router.lists.forget()

    with pytest.raises(ExpiredError, match="too old to display a consistent list"):
        await page(world, metadata["continue"])


async def test_lists_that_nobody_goes_on_with_do_not_pile_up(world: World) -> None:
    """The oldest is forgotten."""
    for name in "abc":
        await world.config_map(name)
    _, first = await page(world)
    newest = first
    for _ in range(listing.MOST_CONTINUED - 1):
        _, newest = await page(world)
    assert (await page(world, first["continue"]))[0] == ["c"]

    await page(world)
    assert (await page(world, newest["continue"]))[0] == ["c"]
    with pytest.raises(ExpiredError):
        await page(world, first["continue"])


async def test_a_write_to_an_old_version_is_refused(world: World) -> None:
    """By update and by patch, and the newer write stays."""
    made = await world.config_map("a")
    path = f"{CONFIG_MAPS}/a"
    await world.kube.patch(path, {"data": {"x": "new"}}, PatchType.MERGE)

    with pytest.raises(ConflictError, match="please apply your changes to the latest version"):
        await world.kube.update(path, {**made, "data": {"x": "late"}})
    version = {"resourceVersion": made["metadata"]["resourceVersion"]}
    with pytest.raises(ConflictError):
        await world.kube.patch(path, {"metadata": version, "data": {"x": "late"}}, PatchType.MERGE)
    assert (await world.kube.get(path))["data"] == {"x": "new"}
