"""Server-side apply: who owns which field, as far as our status writers and HPAs rely on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from budaiscaler.domain.errors import ConflictError, InvalidObjectError, NotFoundError
from budaiscaler.kube import port
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import HPAS
from tests.contract import crds
from tests.contract.server import ApiServer


async def applied(
    api: ApiServer, manager: str, *, name: str = "one", force: bool = True, **spec: Any
) -> Json:
    """Apply a spec, and nothing else, as a manager."""
    body = {"apiVersion": crds.WIDGETS.api_version, "kind": "Widget", "spec": spec}
    body["metadata"] = {"name": name, "namespace": api.namespace}
    path = api.widget_path(name)
    return await port.apply(api.kube, path, body, field_manager=manager, force=force)


async def reported(api: ApiServer, manager: str, **status: Any) -> Json:
    """Apply a status, and nothing else, as a manager."""
    body = {
        "apiVersion": crds.WIDGETS.api_version,
        "kind": "Widget",
        "metadata": {"name": "one"},
        "status": status,
    }
    path = api.widget_path(subresource="status")
    return await port.apply(api.kube, path, body, field_manager=manager)


def _managers(found: Json) -> dict[tuple[str, str, str], Json]:
    """What each manager owns, by its name, how it got it, and through which subresource."""
    return {
        (one["manager"], one["operation"], one.get("subresource", "")): one["fieldsV1"]
        for one in found["metadata"]["managedFields"]
    }


async def test_makes_what_is_not_there(api: ApiServer) -> None:
    """An apply creates, and says who owns which field."""
    body = {
        "apiVersion": crds.WIDGETS.api_version,
        "kind": "Widget",
        "metadata": {"name": "one", "labels": {"a": "b"}},
        "spec": {"color": "red", "ports": [{"number": 80, "name": "http"}], "words": ["x"]},
    }
    answer = await api.ask(
        "PATCH",
        api.widget_path(),
        json.dumps(body),
        content_type=PatchType.APPLY,
        fieldManager="ours",
    )
    made = answer.json

    assert answer.status == 201
    assert made["spec"]["replicas"] == 1
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("ours", "Apply")
    assert (entry["apiVersion"], entry["fieldsType"]) == (crds.WIDGETS.api_version, "FieldsV1")
    assert entry["time"] == made["metadata"]["creationTimestamp"]
    item: Json = {".": {}, "f:name": {}, "f:number": {}}
    assert entry["fieldsV1"] == {
        "f:metadata": {"f:labels": {"f:a": {}}},
        "f:spec": {
            "f:color": {},
            "f:ports": {'k:{"number":80}': item},
            "f:words": {},
        },
    }


async def test_yaml(api: ApiServer) -> None:
    """An apply may be YAML, as kubectl sends it."""
    text = "apiVersion: contract.budaiscaler/v1\nkind: Widget\nmetadata: {name: one}\nspec: {color: red}\n"  # noqa: E501 - a file
    answer = await api.ask(
        "PATCH", api.widget_path(), text, content_type=PatchType.APPLY, fieldManager="ours"
    )

    assert answer.status == 201


async def test_same_again(api: ApiServer) -> None:
    """The same apply once more writes nothing: neither the version nor the times move."""
    made = await applied(api, "ours", color="red", size="S")

    assert await applied(api, "ours", color="red", size="S") == made


async def test_gives_up_what_it_leaves_out(api: ApiServer) -> None:
    """A field that its only owner no longer sends is removed, or goes back to its default."""
    await applied(api, "ours", color="red", size="S", replicas=5, limits={"memory": "1Gi"})
    changed = await applied(api, "ours", color="red")

    assert changed["spec"] == {"color": "red", "replicas": 1, "limits": {"cpu": "1"}}
    assert changed["metadata"]["generation"] == 2


async def test_shared_field_stays(api: ApiServer) -> None:
    """A field that two want to be the same belongs to both, and stays when one gives it up."""
    await applied(api, "ours", color="red", size="S")
    await applied(api, "theirs", force=False, color="red", size="S")
    changed = await applied(api, "ours", color="red")

    assert changed["spec"]["size"] == "S"
    managers = _managers(changed)
    assert managers["ours", "Apply", ""] == {"f:spec": {"f:color": {}}}
    assert managers["theirs", "Apply", ""] == {"f:spec": {"f:color": {}, "f:size": {}}}


async def test_conflict(api: ApiServer) -> None:
    """Without force another's field is a conflict, which names the field and its owner."""
    made = await applied(api, "theirs", color="red", size="S")
    body = {**crds.widget(color="blue", size="M")}
    answer = await api.ask(
        "PATCH", api.widget_path(), body, content_type=PatchType.APPLY, fieldManager="ours"
    )

    status = answer.refusal(409, "Conflict")
    assert "Apply failed with 2 conflicts" in status["message"]
    causes = {(one["reason"], one["field"]) for one in status["details"]["causes"]}
    assert causes == {
        ("FieldManagerConflict", ".spec.color"),
        ("FieldManagerConflict", ".spec.size"),
    }
    assert all('conflict with "theirs"' in one["message"] for one in status["details"]["causes"])
    assert await api.kube.get(api.widget_path()) == made


async def test_force(api: ApiServer) -> None:
    """With force the field changes, and its owner; the other keeps the rest."""
    await applied(api, "theirs", color="red", size="S")
    changed = await applied(api, "ours", color="red", size="M")

    assert changed["spec"]["size"] == "M"
    managers = _managers(changed)
    assert managers["ours", "Apply", ""] == {"f:spec": {"f:color": {}, "f:size": {}}}
    assert managers["theirs", "Apply", ""] == {"f:spec": {"f:color": {}}}


async def test_patch_takes_a_field(api: ApiServer) -> None:
    """Who changes a field by a patch owns it from then on, and an apply conflicts with it."""
    await applied(api, "ours", color="red", size="S")
    params = {"fieldManager": "person"}
    change = {"spec": {"size": "M"}}
    changed = await api.kube.patch(api.widget_path(), change, PatchType.MERGE, params)

    managers = _managers(changed)
    assert managers["person", "Update", ""] == {"f:spec": {"f:size": {}}}
    assert managers["ours", "Apply", ""] == {"f:spec": {"f:color": {}}}
    with pytest.raises(ConflictError, match=r'conflict with "person".*\.spec\.size'):
        await applied(api, "ours", force=False, color="red", size="S")


async def test_manager_of_a_patch_by_default(api: ApiServer) -> None:
    """Who names no manager is named by its User-Agent."""
    made = await api.widget()

    assert set(_managers(made)) == {("budaiscaler", "Update", "")}


async def test_maps_by_key(api: ApiServer) -> None:
    """Two managers have items of their own in a list that is a map; each gives up its own only."""
    await applied(api, "ours", color="red", ports=[{"number": 1}, {"number": 2, "name": "b"}])
    await applied(api, "theirs", color="red", ports=[{"number": 3, "name": "c"}])
    changed = await applied(api, "ours", color="red", ports=[{"number": 2, "name": "B"}])

    assert changed["spec"]["ports"] == [
        {"number": 2, "name": "B", "protocol": "TCP"},
        {"number": 3, "name": "c", "protocol": "TCP"},
    ]


async def test_atomic_lists(api: ApiServer) -> None:
    """A list of which the schema says nothing more is one field, replaced as a whole."""
    await applied(api, "ours", color="red", words=["a", "b"])
    with pytest.raises(ConflictError, match=r"\.spec\.words"):
        await applied(api, "theirs", force=False, color="red", words=["c"])
    changed = await applied(api, "theirs", color="red", words=["c"])

    assert changed["spec"]["words"] == ["c"]


async def test_conditions_of_two(api: ApiServer) -> None:
    """Adapter and controller each report conditions of one object, and neither touches the other's.

    They are two field managers of one list that is a map by type.
    """
    await api.widget()
    ready, scaling = ({"type": kind, "status": "True"} for kind in ("Ready", "ScalingActive"))
    managed = {"type": "HPAManaged", "status": "True", "reason": "Yes"}
    await reported(api, "adapter", replicas=3, conditions=[ready, scaling])
    await reported(api, "controller", conditions=[managed])
    changed = await reported(api, "adapter", replicas=4, conditions=[{**ready, "status": "False"}])

    assert changed["status"]["replicas"] == 4
    found = {one["type"]: one for one in changed["status"]["conditions"]}
    assert found == {"Ready": {**ready, "status": "False"}, "HPAManaged": managed}
    managers = _managers(changed)
    assert managers["controller", "Apply", "status"] == {
        "f:status": {
            "f:conditions": {
                'k:{"type":"HPAManaged"}': {".": {}, "f:type": {}, "f:status": {}, "f:reason": {}}
            }
        }
    }
    assert ("adapter", "Apply", "status") in managers


async def test_status_of_nothing(api: ApiServer) -> None:
    """A status does not make its object."""
    with pytest.raises(NotFoundError):
        await reported(api, "adapter", replicas=3)


async def test_uid_of_another(api: ApiServer) -> None:
    """The uid of an object that is gone is refused by its successor, but a status is taken.

    On the path of status the server looks at nothing of the metadata but the version.
    """
    made = await api.widget()
    await api.kube.delete(api.widget_path())
    again = await api.widget()
    body = {**crds.widget(), "status": {"replicas": 3}}
    body["metadata"]["uid"] = made["metadata"]["uid"]
    with pytest.raises(InvalidObjectError, match=r"metadata.uid: .* field is immutable"):
        await port.apply(api.kube, api.widget_path(), body, field_manager="adapter")
    path = api.widget_path(subresource="status")
    changed = await port.apply(api.kube, path, body, field_manager="adapter")

    assert changed["status"] == {"replicas": 3}
    assert changed["metadata"]["uid"] == again["metadata"]["uid"]


async def test_version_of_a_status(api: ApiServer) -> None:
    """A status that is applied to a version is compared with it."""
    made = await api.widget()
    await api.kube.patch(api.widget_path(), {"spec": {"color": "blue"}}, PatchType.MERGE)
    body = {**crds.widget(), "status": {"replicas": 3}}
    body["metadata"]["resourceVersion"] = made["metadata"]["resourceVersion"]
    path = api.widget_path(subresource="status")

    with pytest.raises(ConflictError):
        await port.apply(api.kube, path, body, field_manager="adapter")


async def test_status_leaves_the_spec(api: ApiServer) -> None:
    """An apply of status owns nothing of the spec, whatever is in its body."""
    await api.widget()
    body = {**crds.widget(color="blue"), "status": {"replicas": 3}}
    path = api.widget_path(subresource="status")
    changed = await port.apply(api.kube, path, body, field_manager="adapter")

    assert changed["spec"]["color"] == "red"
    assert changed["status"] == {"replicas": 3}
    assert _managers(changed)["adapter", "Apply", "status"] == {"f:status": {"f:replicas": {}}}


@pytest.mark.parametrize(
    ("change", "params", "code", "reason"),
    [
        pytest.param({}, {}, 422, "Invalid", id="no-manager"),
        pytest.param(
            {"metadata": {"name": "one", "managedFields": [{"manager": "x"}]}},
            {"fieldManager": "ours"},
            400,
            "BadRequest",
            id="managed-fields",
        ),
        pytest.param(
            {"spec": {"color": "RED"}}, {"fieldManager": "ours"}, 422, "Invalid", id="pattern"
        ),
    ],
)
async def test_refused(
    api: ApiServer, change: Json, params: dict[str, str], code: int, reason: str
) -> None:
    """An apply without a manager, of what the server keeps, or of what is invalid is refused."""
    body = crds.widget() | change
    answer = await api.ask("PATCH", api.widget_path(), body, content_type=PatchType.APPLY, **params)

    answer.refusal(code, reason)


async def test_wrong_type(api: ApiServer) -> None:
    """A field of a wrong type fails an apply before it is validated, as an error of the server."""
    body = crds.widget(color=7)
    answer = await api.ask(
        "PATCH", api.widget_path(), body, content_type=PatchType.APPLY, fieldManager="ours"
    )

    assert (answer.status, answer.json["code"]) == (500, 500)
    assert ".spec.color: expected string, got" in answer.json["message"]


async def test_our_hpa(api: ApiServer) -> None:
    """The HPA that we apply gets its defaults once; applied again it is the same, and yields them.

    The behaviour that we leave out later is given up, and the server's own comes back.
    """
    metric = {"name": "desired-load", "selector": {"matchLabels": {"scaler": "chat"}}}
    target = {"type": "AverageValue", "averageValue": "1"}
    spec: Json = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [{"type": "External", "external": {"metric": metric, "target": target}}],
        "behavior": {
            "scaleDown": {
                "tolerance": "0",
                "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
            }
        },
    }
    body: Json = {
        "apiVersion": HPAS.api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "chat-hpa", "namespace": api.namespace},
        "spec": spec,
    }
    path = HPAS.item(api.namespace, "chat-hpa")
    made = await port.apply(api.kube, path, body, field_manager="ours")

    assert made["spec"]["minReplicas"] == 2
    assert made["spec"]["metrics"] == spec["metrics"]
    assert made["spec"]["behavior"]["scaleDown"]["selectPolicy"] == "Max"
    assert (
        made["spec"]["behavior"]["scaleDown"]["policies"]
        == (spec["behavior"]["scaleDown"]["policies"])
    )
    again = await port.apply(api.kube, path, body, field_manager="ours")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    del spec["behavior"], spec["minReplicas"]
    changed = await port.apply(api.kube, path, body, field_manager="ours")
    assert changed["spec"]["minReplicas"] == 1
    assert "behavior" not in changed["spec"]
