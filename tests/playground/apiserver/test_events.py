"""Events of both groups are the same objects, and do not pile up."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.errors import KubeStatusError
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import EVENTS, Resource
from budaiscaler.playground.apiserver.registry import EVENTS_LAST
from tests.playground.apiserver.world import World

CORE = Resource("", "v1", "events").collection("default")
NEW = EVENTS.collection("default")


async def record(world: World, name: str = "chat") -> None:
    """Record one as our servers do."""
    recorder = Recorder(world.kube, "budaiscaler-adapter", "one", wall_clock=lambda: world.now)
    reference = ObjectRef("scaler.bud.studio/v1alpha1", "BudAIScaler", "default", name, "uid")
    recorder.record(reference, "Warning", "NoData", "nothing is known", "Evaluate")
    sending = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)


async def listed(world: World, path: str, **query: str) -> list[Json]:
    items: list[Json] = (await world.kube.get(path, query))["items"]
    return items


async def test_an_event_is_seen_in_both_groups(world: World) -> None:
    """By the names that each group has for its fields."""
    await record(world)
    (new,) = await listed(world, NEW)
    (core,) = await listed(world, CORE)

    assert (new["note"], core["message"]) == ("nothing is known", "nothing is known")
    assert new["regarding"] == core["involvedObject"]
    assert new["reportingController"] == core["reportingComponent"] == "budaiscaler-adapter"
    assert core["metadata"]["uid"] == new["metadata"]["uid"]
    assert (core["apiVersion"], new["apiVersion"]) == ("v1", "events.k8s.io/v1")
    assert "note" not in core
    assert "message" not in new


@pytest.mark.parametrize(
    ("path", "selector", "count"),
    [
        pytest.param(
            CORE, "involvedObject.name=chat,involvedObject.kind=BudAIScaler", 1, id="core"
        ),
        pytest.param(NEW, "regarding.name=chat", 1, id="new"),
        pytest.param(CORE, "involvedObject.name!=chat", 1, id="others"),
        pytest.param(CORE, "type=Normal", 0, id="type"),
        pytest.param(CORE, "source=budaiscaler-adapter", 2, id="source"),
    ],
)
async def test_events_of_an_object_can_be_selected(
    world: World, path: str, selector: str, count: int
) -> None:
    """As `kubectl describe` does it."""
    await record(world)
    await record(world, "other")

    assert len(await listed(world, path, fieldSelector=selector)) == count


async def test_a_field_that_cannot_be_selected_by_is_refused(world: World) -> None:
    """A selector that nobody applies would show everything."""
    with pytest.raises(KubeStatusError, match="field label not supported: message") as caught:
        await listed(world, CORE, fieldSelector="message=x")
    assert caught.value.code == 400


async def test_events_are_kept_for_an_hour(world: World) -> None:
    """By the clock of the objects: a demo at 600 times the speed would fill the memory."""
    await record(world, "old")
    world.later(EVENTS_LAST.total_seconds() + 1)
    await record(world, "new")

    assert [event["regarding"]["name"] for event in await listed(world, NEW)] == ["new"]
