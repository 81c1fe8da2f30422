"""When a status is written: at once if somebody acts on it, else now and then, else not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.errors import OverloadedError
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import HPAS
from tests.evaluator.world import NAMESPACE, World, scaler_path
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime


def _hpa(*metrics: str) -> Json:
    return {
        "spec": {
            "metrics": [
                {"type": "External", "external": {"metric": {"name": name}}} for name in metrics
            ]
        }
    }


async def test_a_steady_scaler_is_written_once_and_never_again(world: World) -> None:
    """Ten minutes of the same need no second write; that it is fresh, the Lease says."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(600)
    assert world.writes() == 1


async def test_a_new_need_is_written_at_its_evaluation(world: World) -> None:
    """Each change of the replicas wanted is there within an interval."""
    world.add("chat")
    async with world.leading():
        for load in (9, 20, 3, 50):
            await asyncio.sleep(17)
            world.source.answers["chat"] = float(load)
            await asyncio.sleep(17)
            assert world.status("chat")["desiredScale"] == load


@pytest.mark.parametrize(
    ("wobble", "least", "most"),
    [
        pytest.param(0.09, 5, 11, id="more-than-five-percent-once-a-minute"),
        pytest.param(0.01, 2, 4, id="less-every-five-minutes"),
    ],
)
async def test_a_value_that_nobody_reads_is_written_now_and_then(
    world: World, wobble: float, least: int, most: int
) -> None:
    """A load that wobbles inside the dead band costs few writes, the fewer the less it does."""
    world.add("chat", replicas=10)
    async with world.leading():
        for step in range(120):
            world.source.answers["chat"] = 10.01 * (1 + wobble * (step % 7) / 6)
            await asyncio.sleep(5)
    assert least <= world.writes() <= most


@pytest.mark.parametrize(
    ("values", "most"),
    [
        pytest.param([10.0, 10.3], 11, id="little-moves-wait"),
        pytest.param([10.0, 10.8], 41, id="more-than-five-percent-do-not"),
    ],
)
async def test_a_value_that_an_hpa_reads_is_written_when_it_moves(
    world: World, values: list[float], most: int
) -> None:
    """An HPA on the source itself sees it within an interval, to five percent."""
    world.add("chat", replicas=10)
    world.kube.put(HPAS.item(NAMESPACE, "of-a-user"), _hpa("chat"))
    async with world.leading():
        for i in range(40):
            world.source.answers["chat"] = values[i % 2]
            await asyncio.sleep(15)
    assert most - 12 <= world.writes() <= most


async def test_a_status_that_somebody_edited_is_put_right(world: World) -> None:
    """A load that a person, or a restored backup, wrote there is gone within two minutes."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(60)
        raw = world.raw("chat")
        raw["status"] |= {"desiredLoad": "99", "desiredScale": 99}
        world.kube.put(scaler_path("chat"), raw)
        await asyncio.sleep(120)
        assert world.status("chat")["desiredLoad"] == "4"
        writes = world.writes()
        await asyncio.sleep(300)
    assert world.writes() == writes
    assert world.events() == []


async def test_a_refused_report_is_written_as_soon_as_it_is_taken(world: World) -> None:
    """What was not written is still different at the next evaluation, and its event is not lost."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(20)
        world.kube.fail("patch", "/status", OverloadedError(503, "", "etcd is slow"))
        world.source.answers["chat"] = RuntimeError("a bug")
        await asyncio.sleep(60)
        assert world.events() == []
        world.kube.heal()
        await asyncio.sleep(20)
    assert world.condition("chat", "Ready")["reason"] == "InternalError"
    assert world.events() == [("chat", "Warning", "InternalError")]


class _BrokenKube(FakeKube):
    """Its client has a bug: an error that the port does not know."""

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Any = None,
    ) -> Json:
        if "/ill/" in path:
            raise ValueError("a proxy answered with a page")
        return await super().patch(path, body, kind, params)


async def test_a_bug_below_a_report_does_not_stop_the_others() -> None:
    """Whatever goes wrong while one status is written stays with that one."""
    world = World(_BrokenKube())
    world.add("ill")
    world.add("well")
    async with world.leading() as evaluator:
        await asyncio.sleep(60)
        world.source.answers["well"] = 9.0
        await asyncio.sleep(20)
        assert evaluator.counters.failures >= 4
    assert world.status("well")["desiredScale"] == 9


async def test_the_target_that_is_gone_is_told_once_and_publishes_nothing(world: World) -> None:
    """A Deployment that is deleted takes the load with it; made again, it comes back."""
    world.add("chat")
    async with world.leading():
        await asyncio.sleep(20)
        path = "/apis/apps/v1/namespaces/ml/deployments/chat"
        deployment = world.kube.objects[path]
        world.kube.remove(path)
        await asyncio.sleep(120)
        assert "desiredLoad" not in world.status("chat")
        assert "check scaleTargetRef" in world.condition("chat", "Ready")["message"]
        world.kube.put(path, deployment)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredLoad"] == "4"
    assert world.events() == [
        ("chat", "Warning", "TargetNotFound"),
        ("chat", "Normal", "Recovered"),
    ]


async def test_a_workload_that_is_switched_off_publishes_nothing_until_it_is_back(
    world: World,
) -> None:
    """The 0 of the night is not what the HPA reads when the owner switches it on again."""
    world.add("chat", replicas=4)
    path = "/apis/apps/v1/namespaces/ml/deployments/chat"
    async with world.leading():
        await asyncio.sleep(20)
        world.kube.put(path, world.kube.objects[path] | {"spec": {"replicas": 0}})
        world.source.answers["chat"] = 0.0
        await asyncio.sleep(20)
        assert "desiredLoad" not in world.status("chat")
        assert world.condition("chat", "ScalingActive")["reason"] == "ScalingDisabled"
        world.kube.put(path, world.kube.objects[path] | {"spec": {"replicas": 6}})
        await asyncio.sleep(20)
        assert world.status("chat")["desiredLoad"] == "6"
