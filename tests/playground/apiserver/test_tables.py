"""What kubectl prints: columns, cells and ages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain import times
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import DEPLOYMENTS, HPAS, PODS
from budaiscaler.playground.apiserver import jsonpaths, printing, tables
from tests.conftest import NOON
from tests.playground.apiserver.world import DEFINITIONS, GADGETS, World, gadgets

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


async def shown(world: World, path: str, **query: str) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows that are always shown."""
    table = await world.document(path, accept=TABLE, **query)
    narrow = [i for i, one in enumerate(table["columnDefinitions"]) if not one["priority"]]
    columns = [table["columnDefinitions"][i]["name"] for i in narrow]
    return columns, [[row["cells"][i] for i in narrow] for row in table["rows"]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (119, "119s"), (120, "2m"), (190, "3m10s"), (600, "10m"), (3600, "60m"),
        (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (8 * 3600, "8h"), (47 * 3600, "47h"),
        (2 * 86400, "2d"), (50 * 3600, "2d2h"), (8 * 86400, "8d"), (729 * 86400, "729d"),
        (730 * 86400, "2y"), (800 * 86400, "2y70d"), (9 * 365 * 86400, "9y"), (-5, "0s"),
        (-90, "<invalid>"),
    ],
)  # fmt: skip
def test_ages(seconds: int, text: str) -> None:
    """As kubectl writes them: two units while the second matters."""
    assert printing.age(times.rfc3339(NOON - timedelta(seconds=seconds)), NOON) == text


def test_an_age_of_nothing_is_unknown() -> None:
    """A time that is missing is not a time of long ago."""
    assert (printing.age(None, NOON), printing.age("soon", NOON)) == ("<unknown>", "<unknown>")


async def test_workloads(world: World) -> None:
    """Ready of wanted, and how old it is by the clock of the demo."""
    body: Json = {
        "metadata": {"name": "chat"},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": {}},
    }
    await world.kube.create(DEPLOYMENTS.collection("default"), body)
    world.later(90)

    assert await shown(world, DEPLOYMENTS.collection("default")) == (
        ["Name", "Ready", "Up-to-date", "Available", "Age"],
        [["chat", "0/3", 0, 0, "90s"]],
    )


@pytest.mark.parametrize(
    ("metric", "current", "text"),
    [
        pytest.param(
            {
                "type": "External",
                "external": {"target": {"type": "AverageValue", "averageValue": "1"}},
            },
            {"type": "External", "external": {"current": {"averageValue": "2500m"}}},
            "2500m/1 (avg)",
            id="external",
        ),
        pytest.param(
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
            None,
            "cpu: <unknown>/50%",
            id="nothing-known",
        ),
        pytest.param(
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}},
            {"type": "Resource", "resource": {"current": {"averageUtilization": 0}}},
            "cpu: 0%/50%",
            id="zero-is-known",
        ),
        pytest.param(
            {"type": "Pods", "pods": {"target": {"averageValue": "5"}}},
            {"type": "Pods", "pods": {"current": {"averageValue": "4"}}},
            "4/5",
            id="pods",
        ),
    ],
)
async def test_hpas(world: World, metric: Json, current: Json | None, text: str) -> None:
    """What each metric is and should be; unknown is not 0."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"}
    spec = {"scaleTargetRef": target, "maxReplicas": 9, "metrics": [metric]}
    body = {"metadata": {"name": "chat"}, "spec": spec}
    made = await world.kube.create(HPAS.collection("default"), body)
    if current is not None:
        made["status"] = {"currentMetrics": [current], "currentReplicas": 2}
        await world.kube.update(HPAS.item("default", "chat", "status"), made)

    _, ((*_, reference, targets, fewest, most, _replicas, _age),) = await shown(
        world, HPAS.collection("default")
    )
    assert (reference, targets, fewest, most) == ("Deployment/chat", text, 1, 9)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param({"phase": "Running"}, "Running", id="phase"),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, "Evicted", id="reason"),
        pytest.param(
            {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
            "CrashLoopBackOff",
            id="waiting",
        ),
    ],
)
async def test_pods(world: World, status: Json, text: str) -> None:
    """Why a pod is not running goes before its phase."""
    body: Json = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}}
    made = await world.kube.create(PODS.collection("default"), body)
    await world.kube.update(PODS.item("default", "a", "status"), {**made, "status": status})

    _, (row,) = await shown(world, PODS.collection("default"))
    assert row == ["a", "0/1", text, "0", "0s"]


async def test_columns_of_a_custom_kind(world: World) -> None:
    """As its definition says, and a value that is missing is empty."""
    columns = [
        {"name": "WANTED", "type": "integer", "jsonPath": ".spec.size.count"},
        {"name": "PODS", "type": "string", "jsonPath": ".status.pods"},
        {"name": "AGE", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    body = gadgets(additionalPrinterColumns=columns)
    await world.kube.create(DEFINITIONS.collection(), body)
    gadget = {"metadata": {"name": "one"}, "spec": {"size": {"count": 0}}}
    await world.kube.create(GADGETS.collection("default"), gadget)
    world.later(30)

    assert await shown(world, GADGETS.collection("default")) == (
        ["Name", "WANTED", "PODS", "AGE"],
        [["one", 0, None, "30s"]],
    )


async def test_metadata_alone(world: World) -> None:
    """Who asks for no more than that gets no more."""
    await world.config_map("a", labels={"x": "y"})
    path = "/api/v1/namespaces/default/configmaps"
    answer = await world.document(path, accept=PARTIAL)
    (item,) = answer["items"]

    assert answer["kind"] == "PartialObjectMetadataList"
    assert (item["kind"], item["metadata"]["labels"]) == ("PartialObjectMetadata", {"x": "y"})
    assert set(item) == {"kind", "apiVersion", "metadata"}


@pytest.mark.parametrize(
    ("include", "kind"),
    [
        pytest.param("None", None, id="none"),
        pytest.param("Metadata", "PartialObjectMetadata", id="metadata"),
        pytest.param("Object", "ConfigMap", id="object"),
    ],
)
async def test_rows_carry_what_is_asked_for(world: World, include: str, kind: str | None) -> None:
    """Nothing, the metadata, or the whole object, by which kubectl sorts and filters."""
    await world.config_map("a")
    path = "/api/v1/namespaces/default/configmaps"
    table = await world.document(path, accept=TABLE, includeObject=include)
    (row,) = table["rows"]

    assert (row["object"] or {}).get("kind") == kind


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("*/*", "", id="anything"),
        pytest.param(TABLE, "Table", id="table"),
        pytest.param("application/json," + TABLE, "", id="whole-first"),
        pytest.param("application/json;as=Table;v=v1;g=other", "", id="another-group"),
        pytest.param("application/vnd.kubernetes.protobuf,application/json", "", id="protobuf"),
    ],
)
def test_what_is_asked_for(accept: str, wanted: str) -> None:
    """The first clause that can be answered."""
    assert tables.wanted(accept) == wanted


DOCUMENT: Json = {
    "a": {"b": [1, {"c": 2}], "x.y": 3},
    "conditions": [{"type": "Ready", "status": "True"}, {"type": "Other", "status": "False"}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(".a.b[0]", 1, id="index"),
        pytest.param(".a.b[-1].c", 2, id="from-the-end"),
        pytest.param(".a['x.y']", 3, id="quoted"),
        pytest.param(".conditions[?(@.type=='Other')].status", "False", id="filter"),
        pytest.param('.conditions[?(@.type == "Ready")].status', "True", id="filter-double"),
        pytest.param(".conditions[*].type", "Ready", id="first-of-all"),
        pytest.param(".a.nothing.there", None, id="missing"),
        pytest.param(".a.b[9]", None, id="beyond-the-end"),
        pytest.param(".a.b.c", None, id="a-name-in-a-list"),
    ],
)
def test_json_paths(path: str, value: Any) -> None:
    """Those that definitions use; what is not there is None."""
    assert jsonpaths.first(path, DOCUMENT) == value
