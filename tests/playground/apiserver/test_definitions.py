"""Kinds that come and go at run time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from budaiscaler.domain.errors import InvalidObjectError, KubeStatusError, NotFoundError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.kube.scales import ScaleReader
from tests import samples
from tests.playground.apiserver.world import DEFINITIONS, GADGETS, World, gadgets

CRD = Path(__file__).parents[3] / "manifests/crd/scaler.bud.studio_budaiscalers.yaml"
PATH = GADGETS.collection("default")
DEFINITION = DEFINITIONS.item(None, "gadgets.example.org")


def gadget(**spec: Any) -> Json:
    return {"metadata": {"name": "one"}, "spec": spec}


async def test_a_kind_is_served_as_soon_as_it_is_defined(world: World) -> None:
    """And its definition says so, at the time of the demo's clock."""
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        await world.kube.get(PATH)
    made = await world.kube.create(DEFINITIONS.collection(), gadgets())

    assert {one["type"]: one["status"] for one in made["status"]["conditions"]} == {
        "NamesAccepted": "True",
        "Established": "True",
    }
    assert (await world.kube.create(PATH, gadget()))["kind"] == "Gadget"


async def test_a_kind_goes_with_its_objects(world: World) -> None:
    """Defined again it begins empty."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    await world.kube.create(PATH, gadget())
    await world.kube.delete(DEFINITION)
    with pytest.raises(NotFoundError):
        await world.kube.get(PATH)
    await world.kube.create(DEFINITIONS.collection(), gadgets())

    assert (await world.kube.get(PATH))["items"] == []


async def test_a_kind_changes_with_its_definition(world: World) -> None:
    """A field that it newly declares is kept from then on."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    before = await world.kube.create(PATH, gadget(color="red"))
    declared = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/color"
    steps = [{"op": "add", "path": declared, "value": {"type": "string"}}]
    await world.kube.patch(DEFINITION, steps, PatchType.JSON)
    after = await world.kube.patch(f"{PATH}/one", {"spec": {"color": "red"}}, PatchType.MERGE)

    assert ("color" in before["spec"], after["spec"]["color"]) == (False, "red")


async def test_replicas_lie_where_the_definition_says(world: World) -> None:
    """So our scale reader works with any kind that has a scale."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    await world.kube.create(PATH, gadget(size={"count": 2}))
    status = {"status": {"running": 1, "pods": "app=one"}}
    await world.kube.patch(f"{PATH}/one/status", status, PatchType.MERGE)
    reader = ScaleReader(world.kube)
    where = ("example.org/v1", "Gadget", "default", "one")
    await reader.write(*where, 5)
    scale = await reader.read(*where)

    assert (scale.spec_replicas, scale.status_replicas, scale.selector) == (5, 1, "app=one")
    stored = await world.kube.get(f"{PATH}/one")
    assert (stored["spec"]["size"]["count"], stored["metadata"]["generation"]) == (5, 2)


async def test_an_object_without_replicas_has_no_scale(world: World) -> None:
    """The server says which field is missing, instead of making up a 0."""
    await world.kube.create(DEFINITIONS.collection(), gadgets())
    await world.kube.create(PATH, gadget())

    with pytest.raises(KubeStatusError, match=r'"\.spec\.size\.count" does not exist'):
        await world.kube.get(f"{PATH}/one/scale")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"metadata": {"name": "other"}}, "metadata.name", id="name"),
        pytest.param({"spec": {"group": "example.org"}}, "spec.versions: Required", id="versions"),
    ],
)
async def test_a_definition_that_makes_no_kind_is_refused(
    world: World, change: Json, told: str
) -> None:
    """With the field that is wrong."""
    with pytest.raises(InvalidObjectError, match=told):
        await world.kube.create(DEFINITIONS.collection(), gadgets() | change)


async def test_a_column_that_shows_nothing_is_refused(world: World) -> None:
    """A path that cannot be read would make every list of the kind fail."""
    column = {"name": "X", "type": "string", "jsonPath": ".spec[?(@.a>1)]"}
    body = gadgets(additionalPrinterColumns=[column])
    with pytest.raises(InvalidObjectError, match="no JSON path that is known here"):
        await world.kube.create(DEFINITIONS.collection(), body)


async def test_our_own_kind(world: World) -> None:
    """It gets its defaults; what only a CEL rule forbids is stored, and our servers say so."""
    await world.kube.create(DEFINITIONS.collection(), yaml.safe_load(CRD.read_text()))
    body = samples.scaler(namespace="default")
    body["spec"]["minReplicas"] = body["spec"]["maxReplicas"] + 1
    made = await world.kube.create(BUDAISCALERS.collection("default"), body)

    assert made["spec"]["mode"] == "Auto"
    assert made["spec"]["minReplicas"] > made["spec"]["maxReplicas"]
