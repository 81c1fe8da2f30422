"""Patches: what each type does, and which is not understood."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.errors import InvalidObjectError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS
from tests.contract import crds
from tests.contract.server import ApiServer

STRATEGIC = "application/strategic-merge-patch+json"


async def test_merge(api: ApiServer) -> None:
    """A merge patch sets, removes by null, merges objects and replaces lists."""
    await api.widget(size="S", words=["a", "b"])
    change = {"spec": {"size": None, "words": ["c"], "limits": {"memory": "1Gi"}}}
    changed = await api.kube.patch(api.widget_path(), change, PatchType.MERGE)

    assert changed["spec"] == {
        "color": "red",
        "replicas": 1,
        "words": ["c"],
        "limits": {"cpu": "1", "memory": "1Gi"},
    }


async def test_json_patch(api: ApiServer) -> None:
    """A JSON patch adds, replaces and removes by path, also in lists."""
    await api.widget(size="S", words=["a", "b"])
    operations: list[Json] = [
        {"op": "test", "path": "/spec/color", "value": "red"},
        {"op": "replace", "path": "/spec/color", "value": "blue"},
        {"op": "remove", "path": "/spec/size"},
        {"op": "add", "path": "/spec/words/-", "value": "c"},
        {"op": "remove", "path": "/spec/words/0"},
        {"op": "add", "path": "/metadata/annotations", "value": {"a/b": "c"}},
        {"op": "add", "path": "/metadata/annotations/d~1e", "value": "f"},
    ]
    changed = await api.kube.patch(api.widget_path(), operations, PatchType.JSON)

    assert changed["spec"]["color"] == "blue"
    assert "size" not in changed["spec"]
    assert changed["spec"]["words"] == ["b", "c"]
    assert changed["metadata"]["annotations"] == {"a/b": "c", "d/e": "f"}


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param({"op": "test", "path": "/spec/color", "value": "green"}, id="test"),
        pytest.param({"op": "remove", "path": "/spec/size"}, id="remove"),
        pytest.param({"op": "replace", "path": "/spec/nothing/x", "value": 1}, id="replace"),
    ],
)
async def test_json_patch_that_does_not_fit(api: ApiServer, operation: Json) -> None:
    """An operation that cannot be done refuses the whole patch."""
    made = await api.widget()
    operations = [{"op": "replace", "path": "/spec/color", "value": "blue"}, operation]

    with pytest.raises(InvalidObjectError):
        await api.kube.patch(api.widget_path(), operations, PatchType.JSON)
    assert await api.kube.get(api.widget_path()) == made


async def test_nothing_changed(api: ApiServer) -> None:
    """A patch that changes nothing writes nothing: the version stays."""
    made = await api.widget()

    assert (
        await api.kube.patch(api.widget_path(), {"spec": {"color": "red"}}, PatchType.MERGE) == made
    )
    assert await api.kube.patch(api.widget_path(), {}, PatchType.MERGE) == made


async def test_patch_of_a_version(api: ApiServer) -> None:
    """A patch that names a version is compared with it; one that names none is not."""
    made = await api.widget()
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}}
    await api.kube.patch(api.widget_path(), {"spec": {"color": "blue"}}, PatchType.MERGE)
    late = {**stale, "spec": {"color": "green"}}
    answer = await api.ask("PATCH", api.widget_path(), late, content_type=PatchType.MERGE)

    answer.refusal(409, "Conflict")
    await api.kube.patch(api.widget_path(), {"spec": {"color": "green"}}, PatchType.MERGE)


async def test_nothing_left(api: ApiServer) -> None:
    """Labels, annotations and finalizers of which nothing is left are not there at all."""
    body = crds.widget()
    body["metadata"] |= {"labels": {}, "annotations": {"a": "b"}, "finalizers": []}
    made = await api.kube.create(api.widgets(), body)
    change = {"metadata": {"annotations": {"a": None}}}
    changed = await api.kube.patch(api.widget_path(), change, PatchType.MERGE)

    assert not {"labels", "finalizers"} & made["metadata"].keys()
    assert "annotations" not in changed["metadata"]


@pytest.mark.parametrize(
    ("content_type", "body", "code", "reason"),
    [
        pytest.param(STRATEGIC, {}, 415, "UnsupportedMediaType", id="strategic-of-a-custom-kind"),
        pytest.param("application/json", {}, 415, "UnsupportedMediaType", id="plain"),
        pytest.param(PatchType.MERGE, "{", 400, "BadRequest", id="no-json"),
        pytest.param(PatchType.JSON, {"spec": {}}, 400, "BadRequest", id="no-list"),
        pytest.param(PatchType.MERGE, {"spec": {"color": "RED"}}, 422, "Invalid", id="invalid"),
        pytest.param(PatchType.MERGE, {"metadata": {"name": "two"}}, 400, "BadRequest", id="name"),
    ],
)
async def test_not_understood(
    api: ApiServer, content_type: str, body: Any, code: int, reason: str
) -> None:
    """Types that a kind does not take, and bodies that are none, are refused."""
    made = await api.widget()
    answer = await api.ask("PATCH", api.widget_path(), body, content_type=content_type)

    answer.refusal(code, reason)
    assert await api.kube.get(api.widget_path()) == made


@pytest.mark.parametrize("kind", [PatchType.MERGE, PatchType.JSON])
async def test_patch_of_nothing(api: ApiServer, kind: PatchType) -> None:
    """Only an apply makes what is not there."""
    body: Any = [] if kind is PatchType.JSON else {}

    (await api.ask("PATCH", api.widget_path(), body, content_type=kind)).refusal(404, "NotFound")


async def test_strategic_merge(api: ApiServer) -> None:
    """A strategic merge patch of a built-in kind merges containers by their name."""
    containers = [{"name": "a", "image": "i"}, {"name": "b", "image": "i"}]
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "chat"}},
            "template": {
                "metadata": {"labels": {"app": "chat"}},
                "spec": {"containers": containers},
            },
        },
    }
    await api.kube.create(DEPLOYMENTS.collection(api.namespace), body)
    change = {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "b", "image": "j"},
                        {"name": "a", "$patch": "delete"},
                        {"name": "c", "image": "k"},
                    ]
                }
            }
        }
    }
    path = DEPLOYMENTS.item(api.namespace, "chat")
    changed = (await api.ask("PATCH", path, change, content_type=STRATEGIC)).json

    found = changed["spec"]["template"]["spec"]["containers"]
    assert {one["name"]: one["image"] for one in found} == {"b": "j", "c": "k"}
