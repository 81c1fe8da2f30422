"""What there is: discovery in both forms, subresources, OpenAPI, and health."""

from __future__ import annotations

import pytest

from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube.kinds import Kinds
from budaiscaler.kube.port import Json
from tests.contract import crds
from tests.contract.server import ApiServer
from tests.contract.waiting import until

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
BUILT_IN = {
    "apiregistration.k8s.io": "v1",
    "apps": "v1",
    "events.k8s.io": "v1",
    "authentication.k8s.io": "v1",
    "authorization.k8s.io": "v1",
    "autoscaling": "v2",
    "apiextensions.k8s.io": "v1",
    "coordination.k8s.io": "v1",
}
READ_AND_WRITE = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}


async def test_groups(api: ApiServer) -> None:
    """The plain list names every group that we use, and ours, with the preferred version."""
    core = (await api.ask("GET", "/api")).json
    groups = (await api.ask("GET", "/apis")).json

    assert (core["kind"], core["versions"]) == ("APIVersions", ["v1"])
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupList", "v1")
    preferred = {one["name"]: one["preferredVersion"] for one in groups["groups"]}
    for group, version in {**BUILT_IN, crds.GROUP: "v1", "scaler.bud.studio": "v1alpha1"}.items():
        assert preferred[group] == {"groupVersion": f"{group}/{version}", "version": version}


async def test_one_group(api: ApiServer) -> None:
    """A group describes itself at a path of its own."""
    group = (await api.ask("GET", f"/apis/{crds.GROUP}")).json

    assert (group["kind"], group["apiVersion"], group["name"]) == ("APIGroup", "v1", crds.GROUP)
    assert group["versions"] == [{"groupVersion": f"{crds.GROUP}/v1", "version": "v1"}]


async def test_resources_of_a_kind_of_ours(api: ApiServer) -> None:
    """A version lists its kinds, and their subresources as entries of their own."""
    answer = (await api.ask("GET", f"/apis/{crds.GROUP}/v1")).json
    resources = {one["name"]: one for one in answer["resources"]}

    assert (answer["kind"], answer["groupVersion"]) == ("APIResourceList", f"{crds.GROUP}/v1")
    widgets = resources["widgets"]
    assert (widgets["kind"], widgets["namespaced"]) == ("Widget", True)
    assert (widgets["singularName"], widgets["shortNames"]) == ("widget", ["wd"])
    assert widgets["categories"] == ["contract"]
    assert set(widgets["verbs"]) == READ_AND_WRITE
    scale = resources["widgets/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert set(scale["verbs"]) == {"get", "patch", "update"}
    assert resources["widgets/status"]["kind"] == "Widget"


@pytest.mark.parametrize(
    ("api_version", "kind", "plural", "scales"),
    [
        pytest.param("apps/v1", "Deployment", "deployments", True, id="deployment"),
        pytest.param("apps/v1", "StatefulSet", "statefulsets", True, id="stateful-set"),
        pytest.param("apps/v1", "ReplicaSet", "replicasets", True, id="replica-set"),
        pytest.param("v1", "Pod", "pods", False, id="pod"),
        pytest.param(
            "autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", False, id="hpa"
        ),
        pytest.param("coordination.k8s.io/v1", "Lease", "leases", False, id="lease"),
        pytest.param(f"{crds.GROUP}/v1", "Widget", "widgets", True, id="custom"),
        pytest.param("scaler.bud.studio/v1alpha1", "BudAIScaler", "budaiscalers", False, id="ours"),
    ],
)
async def test_our_client_finds_kinds(
    api: ApiServer, api_version: str, kind: str, plural: str, *, scales: bool
) -> None:
    """Our own look-up of kinds finds the plural, and whether it can be scaled."""
    kinds = Kinds(api.kube)

    assert await kinds.plural(api_version, kind) == plural
    assert (f"{plural}/scale" in await kinds.plurals(api_version)) is scales


async def test_unknown_versions_and_kinds(api: ApiServer) -> None:
    """What is not served is not found, which is how a missing KEDA shows."""
    with pytest.raises(NotFoundError):
        await api.kube.get("/apis/keda.example/v1alpha1")
    with pytest.raises(NotFoundError):
        await api.kube.get("/apis/apps/v1/nothings")
    with pytest.raises(NotFoundError):
        await api.kube.get(f"/apis/{crds.GROUP}/v2/widgets")


@pytest.mark.parametrize("root", ["/api", "/apis"])
async def test_aggregated_form(api: ApiServer, root: str) -> None:
    """Asked for it, both roots tell everything at once, under the media type that was asked for."""
    answer = await api.ask("GET", root, accept=f"{AGGREGATED},application/json")

    parameters = {part.strip() for part in answer.headers["Content-Type"].split(";")}
    assert parameters == set(AGGREGATED.split(";"))
    document = answer.json
    assert document["kind"] == "APIGroupDiscoveryList"
    assert document["apiVersion"] == "apidiscovery.k8s.io/v2"
    groups = {one["metadata"].get("name", ""): one["versions"] for one in document["items"]}
    assert ("apps" in groups) is (root == "/apis")
    assert ("" in groups) is (root == "/api")
    for versions in groups.values():
        assert {one["freshness"] for one in versions} == {"Current"}


async def test_aggregated_kind(api: ApiServer) -> None:
    """A kind of ours shows with its verbs, names, scope and subresources in the aggregated form."""
    document = (await api.ask("GET", "/apis", accept=AGGREGATED)).json
    (versions,) = (
        one["versions"] for one in document["items"] if one["metadata"]["name"] == crds.GROUP
    )
    widgets = next(one for one in versions[0]["resources"] if one["resource"] == "widgets")

    assert versions[0]["version"] == "v1"
    assert widgets["responseKind"] == {"group": crds.GROUP, "version": "v1", "kind": "Widget"}
    assert (widgets["scope"], widgets["singularResource"]) == ("Namespaced", "widget")
    assert (widgets["shortNames"], widgets["categories"]) == (["wd"], ["contract"])
    assert set(widgets["verbs"]) == READ_AND_WRITE
    assert {one["subresource"] for one in widgets["subresources"]} == {"scale", "status"}


async def test_a_kind_comes_and_goes(api: ApiServer) -> None:
    """A kind that is created is established, served and discovered, and gone once deleted."""
    plural = f"x{api.namespace.removeprefix('contract-')}s"
    wanted = crds.definition(plural, plural.capitalize(), short=plural[:8])
    name = wanted["metadata"]["name"]
    try:
        made = await crds.create(api.kube, wanted)
        await crds.established(api.kube, name)
        assert made["spec"]["conversion"] == {"strategy": "None"}
        listed = await until(lambda: _discovered(api, plural, there=True), "the kind")
        assert f"{plural}/status" in listed
    finally:
        await api.kube.delete(crds.CRDS.item(None, name))
    await until(lambda: _discovered(api, plural, there=False), "the kind to go")
    with pytest.raises(NotFoundError):
        await api.kube.get(f"/apis/{crds.GROUP}/v1/{plural}")


async def _discovered(api: ApiServer, plural: str, *, there: bool) -> set[str] | None:
    answer = await api.kube.get(f"/apis/{crds.GROUP}/v1")
    names = {one["name"] for one in answer["resources"]}
    return names if (plural in names) is there else None


async def test_openapi_of_a_kind(api: ApiServer) -> None:
    """OpenAPI v3 has a document for the group, and in it the schema with its descriptions."""
    root = (await api.ask("GET", "/openapi/v3")).json
    address: str = root["paths"][f"apis/{crds.GROUP}/v1"]["serverRelativeURL"]
    document = (await api.ask("GET", address)).json

    def is_of_widgets(schema: Json) -> bool:
        known: list[Json] = schema.get("x-kubernetes-group-version-kind") or []
        return {"group": crds.GROUP, "version": "v1", "kind": "Widget"} in known

    schemas = document["components"]["schemas"]
    (schema,) = filter(is_of_widgets, schemas.values())
    assert schema["description"] == "A thing of which there can be several."
    assert schema["properties"]["spec"]["properties"]["color"]["description"] == "Its color."
    assert schema["properties"]["spec"]["required"] == ["color"]
    assert f"/apis/{crds.GROUP}/v1/namespaces/{{namespace}}/widgets/{{name}}" in document["paths"]


async def test_version_and_health(api: ApiServer) -> None:
    """Whoever waits for the server, or looks how old it is, gets an answer."""
    version = (await api.ask("GET", "/version")).json

    assert version["major"] == "1"
    assert version["gitVersion"].startswith(f"v1.{version['minor']}.")
    for path in ("/livez", "/readyz", "/healthz"):
        answer = await api.ask("GET", path)
        assert (answer.status, answer.text) == (200, "ok")
