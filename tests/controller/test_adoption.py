"""Stories of HPAs that were somebody's before us: taken over whole, kept, and given back."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.api import naming
from budaiscaler.domain.errors import OverloadedError
from controller.hpas import ADOPTED_BY
from controller.keeping import FIELD_MANAGER
from tests.controller.world import RESYNC_S, World, hpa_path, raw_hpa, settle

pytestmark = pytest.mark.looptime

ADOPTING = {naming.ADOPT_ANNOTATION: "theirs"}


@pytest.fixture
def world() -> World:
    """A cluster with an HPA and a scaler that is to take it over."""
    world = World()
    world.add_hpa("theirs")
    world.add_scaler(annotations=ADOPTING)
    return world


def is_given_back(world: World) -> bool:
    """Whether the HPA is there, and nothing on it tells of us."""
    metadata = world.hpas()["theirs"]["metadata"]
    marks = metadata["labels"], metadata["annotations"], metadata["ownerReferences"]
    return metadata["uid"] == "hpa-theirs" and marks == ({}, {}, [])


async def test_adoption_changes_the_hpa_in_place(world: World) -> None:
    """One write makes the spec ours, whole; at no moment is there none, or a mix of two."""
    world.change_hpa("theirs", metrics=[{"type": "Resource"}], behavior={"scaleUp": {"x": 1}})
    async with world.controlled():
        after = world.hpas()["theirs"]

        assert list(world.hpas()) == ["theirs"]
        assert after["metadata"]["uid"] == "hpa-theirs"
        assert [metric["type"] for metric in after["spec"]["metrics"]] == ["External"]
        assert "x" not in after["spec"]["behavior"]["scaleUp"]
        assert after["metadata"]["annotations"] == {ADOPTED_BY: "chat/scaler-chat"}
        assert after["metadata"]["ownerReferences"] == [], "the cluster would collect it with us"
        assert [call.verb for call in world.kube.made("delete")] == []
        first, _ = world.kube.made("patch", "/horizontalpodautoscalers/theirs")
        assert isinstance(first.body, list), "the spec must be replaced before it is merged with"
        assert first.body[0] == {"op": "test", "path": "/metadata/uid", "value": "hpa-theirs"}
        assert first.params == {"fieldManager": FIELD_MANAGER}
        assert world.events() == [("chat", "Normal", "HPAAdopted")]

        await asyncio.sleep(2 * RESYNC_S)
        assert world.reconciler.keeper.applies == 1


@pytest.mark.parametrize("name", ["theirs", "chat-hpa"])
async def test_an_adopted_hpa_is_released_and_not_deleted(name: str) -> None:
    """It was somebody's before us: when we go it loses our marks and stays, whatever its name."""
    world = World()
    world.add_hpa(name)
    world.add_scaler(annotations={naming.ADOPT_ANNOTATION: name})
    async with world.controlled():
        world.edit(hpa={"manage": "Never"})
        await settle()
        released = world.hpas()[name]["metadata"]

        assert released["uid"] == f"hpa-{name}"
        assert released["annotations"] == {}
        assert released["labels"] == {}
        assert world.kube.made("delete") == []
        assert ("chat", "Normal", "HPAReleased") in world.events()
        (change,) = (
            call.body
            for call in world.kube.made("patch", f"/horizontalpodautoscalers/{name}")
            if isinstance(call.body, dict) and "spec" not in call.body
        )
        assert change["metadata"]["uid"] == f"hpa-{name}", (
            "another of that name must not be touched"
        )


async def test_the_annotation_taken_away_gives_the_hpa_back(world: World) -> None:
    """Without it the HPA is its owner's again, and foreign to us: none of ours comes beside it."""
    async with world.controlled():
        world.annotate()
        await settle()

        assert list(world.hpas()) == ["theirs"]
        assert is_given_back(world)
        assert world.condition() == ("False", "ForeignAutoscaler")
        assert [reason for _, _, reason in world.events()] == [
            "HPAAdopted",
            "HPAReleased",
            "ForeignAutoscaler",
        ]


async def test_an_annotation_is_an_edit(world: World) -> None:
    """Annotations do not count as generations, and still are looked at."""
    world.annotate()
    async with world.controlled():
        assert world.condition() == ("False", "ForeignAutoscaler")
        world.annotate(**ADOPTING)
        await settle()

        assert world.condition() == ("True", "HPAOwned")
        assert list(world.hpas()) == ["theirs"]


async def test_an_adopted_hpa_follows_the_scaler(world: World) -> None:
    """What the user takes away again goes from the HPA as well, though an update put it there."""
    world.edit(
        behavior={"scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Disabled"}}
    )
    async with world.controlled():
        rules = world.hpas()["theirs"]["spec"]["behavior"]["scaleDown"]
        assert (rules["stabilizationWindowSeconds"], rules["selectPolicy"]) == (600, "Disabled")

        world.edit(behavior={})
        await settle()
        rules = world.hpas()["theirs"]["spec"]["behavior"]["scaleDown"]
        assert (rules["stabilizationWindowSeconds"], rules["selectPolicy"]) == (300, "Max")


async def test_the_owners_label_stays(world: World) -> None:
    """A tool tells by its label what it manages: we add ours, and take only ours away."""
    raw = raw_hpa("theirs")
    raw["metadata"]["labels"] = {naming.MANAGED_BY_LABEL: "Helm"}
    world.kube.put(hpa_path("theirs"), raw)
    async with world.controlled():
        assert world.hpas()["theirs"]["metadata"]["labels"] == {
            naming.MANAGED_BY_LABEL: "Helm",
            naming.SCALER_LABEL: "chat",
        }
        world.annotate()
        await settle()
        assert world.hpas()["theirs"]["metadata"]["labels"] == {naming.MANAGED_BY_LABEL: "Helm"}


@pytest.mark.parametrize("part", ["labels", "annotations"])
async def test_lost_marks_of_an_adopted_hpa_are_put_back(world: World, part: str) -> None:
    """Either mark comes back when somebody takes it away; the HPA is still not ours to delete."""
    async with world.controlled():
        raw = world.hpas()["theirs"]
        before = raw["metadata"][part]
        world.kube.put(hpa_path("theirs"), {**raw, "metadata": {**raw["metadata"], part: {}}})
        await settle()
        assert world.hpas()["theirs"]["metadata"][part] == before

        world.edit(hpa={"manage": "Never"})
        await settle()
        assert is_given_back(world)


async def test_a_deleted_scaler_gives_back_what_it_adopted(world: World) -> None:
    """Nothing collects the HPA with the scaler: it loses our marks, and that is told."""
    async with world.controlled():
        spec = world.hpas()["theirs"]["spec"]
        world.delete()
        await settle()

        assert is_given_back(world)
        assert world.hpas()["theirs"]["spec"] == spec
        assert world.events()[1:] == [("chat", "Normal", "HPAReleased")]
        written = world.writes()
        await asyncio.sleep(2 * RESYNC_S)
        assert world.writes() == written


async def test_what_was_adopted_is_given_back_later(world: World) -> None:
    """A scaler that went while no controller ran is found by the marks that it left."""
    async with world.controlled():
        pass
    world.delete()
    async with world.controlled():
        assert is_given_back(world)


async def test_a_scaler_on_its_way_out_gives_back(world: World) -> None:
    """A finalizer of others may hold a scaler for days; its HPA goes back when it is deleted."""
    async with world.controlled():
        raw = world.scaler()
        raw["metadata"]["deletionTimestamp"] = "2026-01-05T12:00:00Z"
        world.add_scaler_as(raw)
        await settle()

        assert is_given_back(world)


async def test_a_release_that_fails_is_tried_again(world: World) -> None:
    """An API server that is away when the scaler goes does not leave our marks for ever."""
    async with world.controlled():
        away = OverloadedError(503, "ServiceUnavailable", "come back later")
        world.kube.fail("patch", "/horizontalpodautoscalers/", away)
        world.delete()
        await asyncio.sleep(5)
        assert not is_given_back(world)

        world.kube.heal()
        await asyncio.sleep(RESYNC_S)
        assert is_given_back(world)


@pytest.mark.parametrize("while_leading", [True, False])
async def test_a_scaler_that_is_made_again_keeps_what_it_adopts(
    world: World, *, while_leading: bool
) -> None:
    """Under the same annotation the new scaler has the HPA, without a moment of nobody's."""
    async with world.controlled():
        if while_leading:
            world.delete()
            world.add_scaler(uid="scaler-anew", annotations=ADOPTING)
            await settle()
    if not while_leading:
        world.delete()
        world.add_scaler(uid="scaler-anew", annotations=ADOPTING)
        async with world.controlled():
            pass

    assert world.hpas()["theirs"]["metadata"]["annotations"] == {ADOPTED_BY: "chat/scaler-anew"}
    assert world.condition() == ("True", "HPAOwned")
    assert "HPAReleased" not in [reason for _, _, reason in world.events()]


async def test_a_scaler_that_is_made_again_without_the_annotation(world: World) -> None:
    """What the earlier one of its name took over goes back, and is foreign to the new one."""
    async with world.controlled():
        world.delete()
        world.add_scaler(uid="scaler-anew")
        await settle()

        assert is_given_back(world)
        assert world.condition() == ("False", "ForeignAutoscaler")
