"""Autoscalers of other tools, which make no HPA: found without a watch, and yielded to."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.errors import ForbiddenError, KubeError, NotFoundError, OverloadedError
from budaiscaler.kube.resources import SCALED_OBJECTS, VERTICAL_POD_AUTOSCALERS
from controller.other_tools import ABSENT_S, FAILED_S, REMEMBER_S, OtherTools
from tests.controller.world import NAMESPACE, RESYNC_S, World
from tests.evaluator.world import loop_s
from tests.fakes.kube import FakeKube
from tests.fakes.link import Link

pytestmark = pytest.mark.looptime


@pytest.fixture
def world() -> World:
    """An empty cluster."""
    return World()


async def test_keda_is_noticed_without_a_watch(world: World) -> None:
    """A ScaledObject makes no event of ours; the next looks find it, and that it is gone."""
    world.add_scaled_object("elsewhere", target="code")
    world.add_scaler()
    async with world.controlled():
        assert world.condition() == ("True", "HPAOwned")
        world.add_scaled_object("queue")
        await asyncio.sleep(2 * RESYNC_S)
        assert world.hpas() == {}
        assert world.condition() == ("False", "ForeignAutoscaler")
        assert "ScaledObject queue" in world.message()

        world.kube.remove(SCALED_OBJECTS.item(NAMESPACE, "queue"))
        await asyncio.sleep(2 * RESYNC_S)
        assert list(world.hpas()) == ["chat-hpa"]


TARGET = ("apps", "Deployment", "chat")


async def who(tools: OtherTools) -> str | None:
    """Who is on the workload."""
    found = await tools.on(NAMESPACE, TARGET)
    return found.who if found is not None else None


@pytest.mark.parametrize(
    ("mode", "target", "shown"),
    [
        pytest.param("Auto", "chat", "Auto", id="auto"),
        pytest.param("Recreate", "chat", "Recreate", id="recreate"),
        pytest.param("InPlaceOrRecreate", "chat", "InPlaceOrRecreate", id="in-place"),
        pytest.param(None, "chat", "Auto", id="by-default"),
        pytest.param("Off", "chat", None, id="only-recommends"),
        pytest.param("Initial", "chat", None, id="only-new-pods"),
        pytest.param("Auto", "code", None, id="elsewhere"),
    ],
)
async def test_a_vertical_autoscaler_counts_where_it_acts(
    world: World, mode: str | None, target: str, shown: str | None
) -> None:
    """One that evicts or resizes running pods is on the workload; advice is not."""
    world.add_vertical("sizes", mode, target)
    expected = f"VerticalPodAutoscaler sizes with updateMode {shown}" if shown else None
    assert await who(OtherTools(world.kube, loop_s)) == expected


async def test_what_names_no_target_is_on_no_workload(world: World) -> None:
    """An object that its own tool refuses stops nobody."""
    world.kube.put(VERTICAL_POD_AUTOSCALERS.item(NAMESPACE, "odd"), {"spec": {}})
    world.kube.put(SCALED_OBJECTS.item(NAMESPACE, "odd"), {})
    assert await who(OtherTools(world.kube, loop_s)) is None


async def test_a_vertical_autoscaler_wins(world: World) -> None:
    """Our HPA goes with one event, the message says what to do, and it comes back after."""
    world.add_scaler()
    async with world.controlled():
        world.add_vertical("sizes", "Recreate")
        await asyncio.sleep(2 * RESYNC_S)
        assert world.hpas() == {}
        assert world.condition() == ("False", "ForeignAutoscaler")
        assert "VerticalPodAutoscaler sizes" in world.message()
        assert 'set its updateMode to "Off"' in world.message()

        world.add_vertical("sizes", "Off")
        await asyncio.sleep(2 * RESYNC_S)
        assert list(world.hpas()) == ["chat-hpa"]
    reasons = [reason for _, _, reason in world.events()]
    assert reasons.count("ForeignAutoscaler") == 1


async def test_scaled_objects_are_listed_twice_a_minute_at_most(world: World) -> None:
    """A thousand scalers of a namespace cost one list in half a minute."""
    world.add_scaled_object("queue")
    tools = OtherTools(world.kube, loop_s)
    for _ in range(100):
        assert await who(tools) == "ScaledObject queue"
    assert len(world.kube.made("get", "/scaledobjects")) == 1

    await asyncio.sleep(REMEMBER_S + 1)
    assert await who(tools) == "ScaledObject queue"
    assert len(world.kube.made("get", "/scaledobjects")) == 2


async def test_who_asks_at_the_same_time_shares_the_list(world: World) -> None:
    """A new leader looks at all scalers at once, before the first answer is there."""
    world.add_scaled_object("queue")
    link = Link(world.kube, answer_after_s={"get": 0.5})
    tools = OtherTools(link, loop_s)
    found = await asyncio.gather(*(who(tools) for _ in range(100)))
    assert set(found) == {"ScaledObject queue"}
    assert len(world.kube.made("get", "/scaledobjects")) == 1


async def test_who_gives_up_takes_the_answer_from_nobody(world: World) -> None:
    """The one that asked first is cancelled, and the other still gets it."""
    world.add_scaled_object("queue")
    tools = OtherTools(Link(world.kube, answer_after_s={"get": 0.5}), loop_s)
    first, second = (asyncio.ensure_future(who(tools)) for _ in range(2))
    await asyncio.sleep(0.1)
    first.cancel()
    assert await second == "ScaledObject queue"


async def test_a_list_that_fails_is_not_tried_again_by_everybody() -> None:
    """A thousand scalers make nothing worse for an API server that cannot answer just now."""
    kube = FakeKube()
    kube.fail("get", "/scaledobjects", OverloadedError(503, "", "not now"))
    tools = OtherTools(kube, loop_s)
    for _ in range(100):
        with pytest.raises(KubeError, match="not now"):
            await who(tools)
    assert len(kube.made("get", "/scaledobjects")) == 1

    kube.heal()
    await asyncio.sleep(FAILED_S + 0.1)
    assert await who(tools) is None


@pytest.mark.parametrize(
    ("error", "again_s"),
    [
        pytest.param(NotFoundError(404, "NotFound", "no such kind"), ABSENT_S, id="not-installed"),
        pytest.param(ForbiddenError(403, "Forbidden", "no"), REMEMBER_S, id="not-allowed"),
    ],
)
@pytest.mark.parametrize("kind", ["scaledobjects", "verticalpodautoscalers"])
async def test_where_a_tool_is_not_nobody_is_asked_again_for_a_while(
    error: NotFoundError | ForbiddenError, again_s: float, kind: str
) -> None:
    """A kind that is not there, or not ours to see, has no objects, and costs few questions."""
    kube = FakeKube()
    kube.fail("get", f"/{kind}", error)
    tools = OtherTools(kube, loop_s)
    for _ in range(10):
        assert await tools.on(NAMESPACE, TARGET) is None
    await asyncio.sleep(again_s - 1)
    assert await tools.on(NAMESPACE, TARGET) is None
    assert len(kube.made("get", f"/{kind}")) == 1

    await asyncio.sleep(2)
    assert await tools.on(NAMESPACE, TARGET) is None
    assert len(kube.made("get", f"/{kind}")) == 2
