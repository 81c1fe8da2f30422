"""What clients learn about the API before they use it."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.kube.port import Json
from tests.playground.apiserver.world import DEFINITIONS, GADGETS, SERVICES, World, gadgets

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"


async def test_both_forms_tell_the_same(world: World) -> None:
    """Old clients ask for each version, new ones for everything at once."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    whole = await world.document("/apis", accept=AGGREGATED)
    (group,) = (one for one in whole["items"] if one["metadata"]["name"] == "example.org")
    (resource,) = group["versions"][0]["resources"]
    listed = await world.document("/apis/example.org/v1")

    names = {one["name"] for one in listed["resources"]}
    assert names == {"gadgets", "gadgets/status", "gadgets/scale"}
    assert {one["subresource"] for one in resource["subresources"]} == {"status", "scale"}
    assert resource["shortNames"] == ["gad"]
    scale = next(one for one in resource["subresources"] if one["subresource"] == "scale")
    kind = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    assert scale["responseKind"] == kind


async def test_the_core_group_stands_alone(world: World) -> None:
    """Below /api, and nowhere else."""
    core = await world.document("/api", accept=AGGREGATED)
    others = await world.document("/apis", accept=AGGREGATED)

    assert [one["metadata"]["name"] for one in core["items"]] == [""]
    assert "" not in [one["metadata"]["name"] for one in others["items"]]
    assert (await world.document("/api"))["versions"] == ["v1"]


async def test_an_aggregated_version_that_does_not_answer_is_stale(world: World) -> None:
    """It is listed all the same, so that clients know that something is missing."""
    service: Json = {"metadata": {"name": "far"}, "spec": {"type": "ExternalName"}}
    await world.kube.create(SERVICES.collection("default"), service)
    reference = {"name": "far", "namespace": "default"}
    spec = {"group": "far.example", "version": "v1", "service": reference}
    body = {"metadata": {"name": "v1.far.example"}, "spec": spec}
    await world.kube.create("/apis/apiregistration.k8s.io/v1/apiservices", body)
    whole = await world.document("/apis", accept=AGGREGATED)
    groups = await world.document("/apis")

    (group,) = (one for one in whole["items"] if one["metadata"]["name"] == "far.example")
    assert group["versions"] == [{"version": "v1", "resources": [], "freshness": "Stale"}]
    assert "far.example" in [one["name"] for one in groups["groups"]]


async def test_a_custom_kind_is_described(world: World) -> None:
    """For `kubectl explain`, and so that kubectl leaves validation to the server."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    document = await world.document("/openapi/v3/apis/example.org/v1")
    schema: Any = document["components"]["schemas"]["org.example.v1.Gadget"]
    item = document["paths"][
        f"{GADGETS.collection('{namespace}').replace('%7B', '{').replace('%7D', '}')}/{{name}}"
    ]

    assert set(schema["properties"]) == {"apiVersion", "kind", "metadata", "spec", "status"}
    gvk = {"group": "example.org", "version": "v1", "kind": "Gadget"}
    assert schema["x-kubernetes-group-version-kind"] == [gvk]
    assert item["patch"]["x-kubernetes-group-version-kind"] == gvk
    assert "fieldValidation" in [one["name"] for one in item["patch"]["parameters"]]


async def test_a_description_has_a_new_address_when_it_changes(world: World) -> None:
    """Clients keep what they have read by its address."""

    async def address() -> str:
        index = await world.document("/openapi/v3")
        return str(index["paths"]["apis/example.org/v1"]["serverRelativeURL"])

    await world.kube.create(DEFINITIONS.collection(), gadgets())
    before = await address()
    assert await address() == before

    declared = "/spec/versions/0/schema/openAPIV3Schema/properties/color"
    steps = [{"op": "add", "path": declared, "value": {"type": "string"}}]
    await world.ask(
        "PATCH",
        DEFINITIONS.item(None, "gadgets.example.org"),
        steps,
        content_type="application/json-patch+json",
    )
    assert await address() != before


@pytest.mark.parametrize("path", ["/apis/nobody.example", "/openapi/v3/apis/nobody/v1", "/else"])
async def test_what_is_not_served(world: World, path: str) -> None:
    """It is a 404, as everywhere."""
    with pytest.raises(Exception, match="could not find the requested resource"):
        await world.document(path)
