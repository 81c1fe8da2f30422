"""Server-side apply: who owns what, and what becomes of fields that are given up."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import ConflictError
from budaiscaler.kube import port
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, HPAS
from tests.playground.apiserver.world import CONFIG_MAPS, World

PATH = f"{CONFIG_MAPS}/a"
DEPLOYMENT = DEPLOYMENTS.item("default", "chat")


def config(**data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data}


def owners(body: Json) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in body["metadata"]["managedFields"]}


async def test_what_was_applied_is_owned(world: World) -> None:
    """By who applied it, as Apply; and what an update adds, by who updated, as Update."""
    await port.apply(world.kube, PATH, config(x="1"), field_manager="ours")
    changed = await world.kube.patch(PATH, {"data": {"y": "2"}}, PatchType.MERGE)

    assert owners(changed) == {
        "ours": {"f:data": {"f:x": {}}},
        "budaiscaler": {"f:data": {"f:y": {}}},
    }
    operations = [entry["operation"] for entry in changed["metadata"]["managedFields"]]
    assert operations == ["Apply", "Update"]


async def test_a_field_of_another_is_a_conflict(world: World) -> None:
    """It names the field and its owner, and nothing is changed; with force it changes hands."""
    await port.apply(world.kube, PATH, config(x="1", y="1"), field_manager="ours")
    with pytest.raises(ConflictError) as caught:
        await port.apply(world.kube, PATH, config(x="2"), field_manager="theirs", force=False)

    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "ours": .data.x'
    assert (await world.kube.get(PATH))["data"] == {"x": "1", "y": "1"}

    changed = await port.apply(world.kube, PATH, config(x="2"), field_manager="theirs")
    assert changed["data"] == {"x": "2", "y": "1"}
    assert owners(changed) == {
        "ours": {"f:data": {"f:y": {}}},
        "theirs": {"f:data": {"f:x": {}}},
    }


async def test_many_conflicts_are_listed_by_owner(world: World) -> None:
    """So that one sees at a glance whose they are."""
    await port.apply(world.kube, PATH, config(x="1", y="1"), field_manager="ours")
    await world.kube.patch(PATH, {"data": {"z": "1"}}, PatchType.MERGE)
    wanted = config(x="2", y="2", z="2")
    with pytest.raises(ConflictError) as caught:
        await port.apply(world.kube, PATH, wanted, field_manager="theirs", force=False)

    assert str(caught.value).splitlines() == [
        'Apply failed with 3 conflicts: conflicts with "ours":',
        "- .data.x",
        "- .data.y",
        'conflicts with "budaiscaler" using v1:',
        "- .data.z",
    ]


async def test_the_same_value_is_owned_together(world: World) -> None:
    """It is no conflict, and stays until both have given it up."""
    await port.apply(world.kube, PATH, config(x="1"), field_manager="ours")
    await port.apply(world.kube, PATH, config(x="1"), field_manager="theirs", force=False)
    one_left = await port.apply(world.kube, PATH, config(), field_manager="ours")
    none_left = await port.apply(world.kube, PATH, config(), field_manager="theirs")

    assert one_left["data"] == {"x": "1"}
    assert "data" not in none_left or none_left["data"] == {}


async def test_applying_the_same_again_changes_nothing(world: World) -> None:
    """Not the version, and not the time of the entry, however late it is."""
    made = await port.apply(world.kube, PATH, config(x="1"), field_manager="ours")
    world.later(600)

    assert await port.apply(world.kube, PATH, config(x="1"), field_manager="ours") == made


async def test_defaults_go_with_what_they_are_in(world: World) -> None:
    """Of a behaviour that its owner gives up, nothing stays that the server filled in."""
    path = HPAS.item("default", "chat")
    body: Json = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "chat"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
            "maxReplicas": 3,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
        },
    }
    made = await port.apply(world.kube, path, body, field_manager="ours")
    assert made["spec"]["behavior"]["scaleUp"]["selectPolicy"] == "Max"
    del body["spec"]["behavior"]

    changed = await port.apply(world.kube, path, body, field_manager="ours")
    assert "behavior" not in changed["spec"]


async def test_a_scale_takes_the_replicas_over(world: World) -> None:
    """Who applied a Deployment with replicas no longer owns them once they were scaled."""
    template = {"spec": {"containers": [{"name": "a", "image": "b"}]}}
    body: Json = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    await port.apply(world.kube, DEPLOYMENT, body, field_manager="ours")
    scale = DEPLOYMENTS.item("default", "chat", "scale")
    await world.kube.patch(scale, {"spec": {"replicas": 5}}, PatchType.MERGE)
    body["spec"].pop("replicas")

    changed = await port.apply(world.kube, DEPLOYMENT, body, field_manager="ours")
    assert changed["spec"]["replicas"] == 5


async def test_managed_fields_can_be_cleared(world: World) -> None:
    """As kubectl does when it takes over an object that was applied the old way."""
    await port.apply(world.kube, PATH, config(x="1"), field_manager="ours")
    steps = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    changed = await world.kube.patch(PATH, steps, PatchType.JSON)

    assert "managedFields" not in changed["metadata"]
    await port.apply(world.kube, PATH, config(x="2"), field_manager="theirs", force=False)
