"""Of a custom kind scale and pods are asked for, which costs requests: as few as will do.

What we wrote ourselves, found changed, or were told to look at instead, is looked at anew.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import PODS
from tests.evaluator.test_acting import Direct
from tests.evaluator.world import NAMESPACE, World, loop_s

pytestmark = pytest.mark.looptime

API_VERSION = "leaderworkerset.x-k8s.io/v1"
GROUP = f"/apis/{API_VERSION}"
TARGET = {"apiVersion": API_VERSION, "kind": "LeaderWorkerSet"}


class Custom:
    """Scalers of strategy KPA on workloads of a custom kind, all of whose pods are ready."""

    def __init__(self, world: World) -> None:
        self.direct = Direct(world, strategy=Strategy.KPA)
        self.kube = world.kube
        self.source = world.source
        self.world = world
        self.kube.objects[GROUP] = {
            "resources": [
                {"name": "leaderworkersets", "kind": "LeaderWorkerSet"},
                {"name": "leaderworkersets/scale", "kind": "Scale"},
            ]
        }

    def add(self, name: str = "chat", *, replicas: int, says: float, **fields: Any) -> None:
        self.scale(replicas, name)
        self.source.answers[name] = says
        spec = {"scalingStrategy": "KPA", "scaleTargetRef": {**TARGET, "name": name}}
        self.world.add_scaler(name, **spec | fields)

    def scale(self, replicas: int, name: str = "chat") -> None:
        """Have that many replicas, as if somebody else had scaled it and all had started."""
        self.kube.put(
            f"{GROUP}/namespaces/{NAMESPACE}/leaderworkersets/{name}/scale",
            {
                "spec": {"replicas": replicas},
                "status": {"replicas": replicas, "selector": f"app={name}"},
            },
        )
        for number in range(replicas):
            metadata: Json = {"labels": {"app": name}}
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            body: Json = {"metadata": metadata, "status": status}
            self.kube.put(PODS.item(NAMESPACE, f"{name}-{number}"), body)

    def requests(self) -> int:
        """How often a scale was read, or the pods of one."""
        gets = self.kube.made("get")
        return sum(c.path.endswith("/scale") or "labelSelector" in (c.params or {}) for c in gets)

    def written(self) -> list[int]:
        """What scales were asked for, in order."""
        patches = self.kube.made("patch", "leaderworkersets")
        return [call.body["spec"]["replicas"] for call in patches]


@pytest.fixture
def custom(world: World) -> Custom:
    return Custom(world)


async def test_a_custom_kind_is_looked_at_as_often_as_sources_are_asked(custom: Custom) -> None:
    """Two requests each five seconds, although KPA decides each two: of 500 scalers, 200 a second.

    Asked for each decision, it was 600 a second: those at the time of a sample are added.
    """
    for number in range(10):
        custom.add(f"s{number}", replicas=3, says=3.0)
    async with custom.direct.leading():
        await asyncio.sleep(60)
        before, began_s = custom.requests(), loop_s()
        await asyncio.sleep(300)
        a_second = (custom.requests() - before) / (loop_s() - began_s)
    assert a_second / 10 == pytest.approx(2 / 5, rel=0.05)


async def test_after_our_own_write_the_scale_is_read_at_once(custom: Custom) -> None:
    """The next decision goes by what we made of it, and takes nobody else for its writer."""
    custom.add(replicas=10, says=10.0)
    seen = []
    async with custom.direct.leading():
        await asyncio.sleep(120)
        custom.source.answers["chat"] = 19.0
        for _ in range(200):
            await asyncio.sleep(0.5)
            seen.append(custom.direct.able())
    written = custom.written()
    assert len(written) > 5
    assert written == sorted(set(written))
    assert seen.count(("True", "SucceededRescale")) > 5
    assert ("True", "Outdated") not in seen


async def test_what_somebody_else_did_is_seen_when_it_matters(custom: Custom) -> None:
    """With the next sample; and a decision on what stood before him is not written over it."""
    custom.add(replicas=10, says=10.0)
    async with custom.direct.leading():
        await asyncio.sleep(60)
        custom.scale(4)
        await asyncio.sleep(7.5)
    assert custom.written() == [10]


async def test_an_edit_looks_at_the_new_target_at_once(custom: Custom) -> None:
    """What was seen of the old one says nothing of it."""
    custom.add(replicas=3, says=3.0)
    custom.scale(7, "other")
    async with custom.direct.leading():
        await asyncio.sleep(60)
        custom.world.edit("chat", scaleTargetRef={**TARGET, "name": "other"})
        await asyncio.sleep(0.1)
        assert custom.world.status("chat")["actualScale"] == 7
