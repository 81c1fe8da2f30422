"""Tables: what `kubectl get` prints, made by the server."""

from __future__ import annotations

import json

import pytest

from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import (
    BUDAISCALERS,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    LEASES,
    PODS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from tests.contract.server import NAMESPACES, ApiServer
from tests.contract.test_schemas import scaler

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
SERVICES = Resource("", "v1", "services")


def _columns(table: Json, *, wide: bool = False) -> list[str]:
    return [
        column["name"]
        for column in table["columnDefinitions"]
        if wide or column.get("priority", 0) == 0
    ]


async def test_custom_columns(api: ApiServer) -> None:
    """A custom kind has the columns of its CRD, in order, with their types and priorities."""
    await api.widget("a")
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await api.kube.patch(api.widget_path("a", "status"), ready, PatchType.MERGE)
    await api.widget("b", color="blue", replicas=0)
    answer = await api.ask("GET", api.widgets(), accept=TABLE)
    table = answer.json

    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert _columns(table) == ["Name", "Color", "Replicas", "Ready", "Age"]
    assert _columns(table, wide=True) == ["Name", "Color", "Replicas", "Ready", "Cpu", "Age"]
    types = [column["type"] for column in table["columnDefinitions"]]
    assert types == ["string", "string", "integer", "string", "string", "date"]
    assert table["columnDefinitions"][0]["format"] == "name"
    cells = [row["cells"][:-1] for row in table["rows"]]
    assert cells == [["a", "red", 1, "True", "1"], ["b", "blue", 0, None, "1"]]
    assert all(row["cells"][-1].endswith("s") for row in table["rows"])
    assert int(table["metadata"]["resourceVersion"]) > 0


async def test_object_of_a_row(api: ApiServer) -> None:
    """A row carries its object's metadata, or all of it, or nothing, as asked."""
    made = await api.widget()
    rows = {}
    for include in ("Metadata", "Object", "None"):
        answer = await api.ask("GET", api.widget_path(), accept=TABLE, includeObject=include)
        (row,) = answer.json["rows"]
        rows[include] = row.get("object")

    assert rows["None"] is None
    assert rows["Object"] == made
    partial = rows["Metadata"]
    assert (partial["kind"], partial["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert partial["metadata"]["uid"] == made["metadata"]["uid"]
    assert "spec" not in partial


async def test_empty(api: ApiServer) -> None:
    """An empty list is a table with columns and without rows."""
    table = (await api.ask("GET", api.widgets(), accept=TABLE)).json

    assert (len(table["columnDefinitions"]), table["rows"]) == (6, [])


async def test_watched(api: ApiServer) -> None:
    """A watch may be of tables, one row an event."""
    await api.widget()
    answer = await api.ask(
        "GET", api.widgets(), accept=TABLE, watch="true", resourceVersion="0", timeoutSeconds="1"
    )
    (event,) = (json.loads(line) for line in answer.text.splitlines())

    assert event["type"] == "ADDED"
    assert event["object"]["kind"] == "Table"
    (row,) = event["object"]["rows"]
    assert row["cells"][:2] == ["one", "red"]
    assert _columns(event["object"]) == ["Name", "Color", "Replicas", "Ready", "Age"]


async def test_our_own_kind(api: ApiServer) -> None:
    """Our scalers show as they are shipped."""
    await api.kube.create(BUDAISCALERS.collection(api.namespace), scaler())
    path = BUDAISCALERS.collection(api.namespace)
    table = (await api.ask("GET", path, accept=TABLE)).json

    names = "Name MIN MAX REPLICAS DESIRED STRATEGY READY REASON AGE"
    assert _columns(table) == names.split()
    (row,) = table["rows"]
    assert row["cells"][:3] == ["chat", 1, 9]
    assert "HPA" in row["cells"]


@pytest.mark.parametrize(
    ("resource", "columns"),
    [
        pytest.param(PODS, "Name Ready Status Restarts Age", id="pods"),
        pytest.param(DEPLOYMENTS, "Name Ready Up-to-date Available Age", id="deployments"),
        pytest.param(STATEFUL_SETS, "Name Ready Age", id="stateful-sets"),
        pytest.param(REPLICA_SETS, "Name Desired Current Ready Age", id="replica-sets"),
        pytest.param(HPAS, "Name Reference Targets MinPods MaxPods Replicas Age", id="hpas"),
        pytest.param(LEASES, "Name Holder Age", id="leases"),
        pytest.param(SERVICES, "Name Type Cluster-IP External-IP Port(s) Age", id="services"),
        pytest.param(EVENTS, "Last Seen;Type;Reason;Object;Message", id="events"),
        pytest.param(NAMESPACES, "Name Status Age", id="namespaces"),
    ],
)
async def test_built_in_columns(api: ApiServer, resource: Resource, columns: str) -> None:
    """Built-in kinds have the columns that everybody knows."""
    path = resource.collection(None if resource is NAMESPACES else api.namespace)
    table = (await api.ask("GET", path, accept=TABLE)).json

    assert _columns(table) == columns.split(";" if ";" in columns else None)


async def test_deployment(api: ApiServer) -> None:
    """A Deployment's row tells ready pods out of those that are wanted."""
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "chat"}},
            "template": {
                "metadata": {"labels": {"app": "chat"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    }
    await api.kube.create(DEPLOYMENTS.collection(api.namespace), body)
    table = (await api.ask("GET", DEPLOYMENTS.collection(api.namespace), accept=TABLE)).json

    (row,) = table["rows"]
    assert row["cells"][:4] == ["chat", "0/0", 0, 0]
