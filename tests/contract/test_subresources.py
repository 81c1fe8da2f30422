"""The subresources status and scale, and when a generation moves."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import InvalidObjectError, NotFoundError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from budaiscaler.kube.scales import ScaleReader
from tests.contract import crds
from tests.contract.server import ApiServer

MERGE = PatchType.MERGE
SCALABLE = [
    pytest.param(DEPLOYMENTS, "Deployment", id="deployment"),
    pytest.param(STATEFUL_SETS, "StatefulSet", id="stateful-set"),
    pytest.param(REPLICA_SETS, "ReplicaSet", id="replica-set"),
    pytest.param(crds.WIDGETS, "Widget", id="custom"),
]


async def test_status_apart(api: ApiServer) -> None:
    """The main path does not touch status, and the path of status nothing else of the content."""
    await api.widget()
    both = {"spec": {"color": "blue"}, "status": {"note": "x"}}
    changed = await api.kube.patch(api.widget_path(), both, MERGE)
    assert changed["spec"]["color"] == "blue"
    assert "status" not in changed

    both = {"spec": {"color": "green"}, "status": {"note": "x"}}
    changed = await api.kube.patch(api.widget_path(subresource="status"), both, MERGE)
    assert changed["spec"]["color"] == "blue"
    assert changed["status"] == {"note": "x"}


async def test_status_replaced(api: ApiServer) -> None:
    """A status is replaced by the same rules as an object: by who has read the newest version."""
    made = await api.widget()
    path = api.widget_path(subresource="status")
    changed = await api.kube.update(path, {**made, "status": {"note": "x"}})
    assert changed["status"] == {"note": "x"}

    late = {**made, "status": {"note": "y"}}
    (await api.ask("PUT", path, late)).refusal(409, "Conflict")
    assert (await api.kube.get(path))["status"] == {"note": "x"}


async def test_generation(api: ApiServer) -> None:
    """A generation moves with the spec, and with neither status nor labels."""
    await api.widget()

    async def generation(change: Json, subresource: str | None = None) -> int:
        changed = await api.kube.patch(api.widget_path(subresource=subresource), change, MERGE)
        return int(changed["metadata"]["generation"])

    assert await generation({"metadata": {"labels": {"a": "b"}}}) == 1
    assert await generation({"status": {"note": "x"}}, "status") == 1
    assert await generation({"spec": {"color": "blue"}}) == 2
    assert await generation({"spec": {"color": "blue"}}) == 2
    assert await generation({"spec": {"color": "red"}}) == 3


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        pytest.param(STATEFUL_SETS, "StatefulSet", id="stateful-set"),
        pytest.param(REPLICA_SETS, "ReplicaSet", id="replica-set"),
        pytest.param(crds.WIDGETS, "Widget", id="custom"),
    ],
)
async def test_generation_by_scale(api: ApiServer, resource: Resource, kind: str) -> None:
    """A generation moves through the scale too, if that changes something."""
    await _make(api, resource, kind)
    path = resource.item(api.namespace, "one")

    async def generation() -> int:
        return int((await api.kube.get(path))["metadata"]["generation"])

    await api.kube.patch(path, {"metadata": {"annotations": {"a": "b"}}}, MERGE)
    assert await generation() == 1
    await api.kube.patch(f"{path}/scale", {"spec": {"replicas": 0}}, MERGE)
    assert await generation() == 2
    await api.kube.patch(f"{path}/scale", {"spec": {"replicas": 0}}, MERGE)
    assert await generation() == 2


async def _make(api: ApiServer, resource: Resource, kind: str, replicas: int = 3) -> Json:
    """Make something that nobody starts pods for."""
    body = {
        "apiVersion": resource.api_version,
        "kind": kind,
        "metadata": {"name": "one"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "one"}},
            "template": {
                "metadata": {"labels": {"app": "one"}},
                "spec": {
                    "containers": [{"name": "c", "image": "i"}],
                    "schedulerName": "nobody",
                },
            },
            "serviceName": "one",
        },
    }
    if resource is not STATEFUL_SETS:
        del body["spec"]["serviceName"]  # type: ignore[attr-defined]  # it is a mapping
    if resource is crds.WIDGETS:
        body = crds.widget(replicas=replicas)
    return await api.kube.create(resource.collection(api.namespace), body)


@pytest.mark.parametrize(("resource", "kind"), SCALABLE)
async def test_scale_read(api: ApiServer, resource: Resource, kind: str) -> None:
    """A scale tells the replicas that are asked for, those that are, and the selector."""
    made = await _make(api, resource, kind)
    if resource is crds.WIDGETS:
        status = {"status": {"replicas": 2, "selector": "app=one"}}
        made = await api.kube.patch(api.widget_path(subresource="status"), status, MERGE)
    scale = await api.kube.get(resource.item(api.namespace, "one", "scale"))

    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    for same in ("name", "namespace", "uid", "creationTimestamp"):
        assert scale["metadata"][same] == made["metadata"][same]
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"]["selector"] == "app=one"
    if resource is crds.WIDGETS:
        assert scale["status"]["replicas"] == 2
        assert scale["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@pytest.mark.parametrize(("resource", "kind"), SCALABLE)
async def test_scale_written(api: ApiServer, resource: Resource, kind: str) -> None:
    """Our own writer changes the replicas of every kind, and nothing else of its spec."""
    made = await _make(api, resource, kind, 1)
    scales = ScaleReader(api.kube)
    await scales.write(resource.api_version, kind, api.namespace, "one", 2)
    found = await api.kube.get(resource.item(api.namespace, "one"))

    assert found["spec"] == {**made["spec"], "replicas": 2}
    assert found["metadata"]["generation"] > made["metadata"]["generation"]
    assert (await scales.read(resource.api_version, kind, api.namespace, "one")).spec_replicas == 2


@pytest.mark.parametrize(("resource", "kind"), SCALABLE)
async def test_scale_is_compared(api: ApiServer, resource: Resource, kind: str) -> None:
    """A scale that is replaced must be the newest; and it must make sense."""
    await _make(api, resource, kind, 0)
    path = resource.item(api.namespace, "one", "scale")
    scale = await api.kube.get(path)
    scale["metadata"]["resourceVersion"] = "1"
    (await api.ask("PUT", path, scale)).refusal(409, "Conflict")
    with pytest.raises(InvalidObjectError):
        await api.kube.patch(path, {"spec": {"replicas": -1}}, MERGE)

    del scale["metadata"]["resourceVersion"]
    scale["spec"] = {"replicas": 1}
    changed = await api.kube.update(path, scale)
    assert changed["spec"] == {"replicas": 1}
    assert (await api.kube.get(resource.item(api.namespace, "one")))["spec"]["replicas"] == 1


async def test_scale_from_nothing(api: ApiServer) -> None:
    """A scale of 0 is a 0 and not an absence, which our reader takes for one."""
    await _make(api, crds.WIDGETS, "Widget", 0)
    await api.kube.patch(api.widget_path(subresource="scale"), {"spec": {"replicas": 0}}, MERGE)
    scale = await ScaleReader(api.kube).read(
        crds.WIDGETS.api_version, "Widget", api.namespace, "one"
    )

    assert (scale.spec_replicas, scale.status_replicas, scale.selector) == (0, 0, "")


async def test_no_subresource(api: ApiServer) -> None:
    """Neither a missing object nor a kind that cannot be scaled has a scale."""
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    await api.kube.create(CONFIG_MAPS.collection(api.namespace), body)
    for path in (
        CONFIG_MAPS.item(api.namespace, "a", "scale"),
        DEPLOYMENTS.item(api.namespace, "none", "scale"),
        api.widget_path("none", "scale"),
        api.widget_path("none", "status"),
    ):
        with pytest.raises(NotFoundError):
            await api.kube.get(path)
