"""Before a workload shrinks, its idlest pods are named, where its scaler asks for that."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.deletion_costs import ANNOTATION, MARK
from budaiscaler.domain.errors import ForbiddenError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator import deletion_costs
from budaiscaler.evaluator.deletion_costs import DeletionCosts
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import PODS
from budaiscaler.sources.base import Sample, SourceRequest
from tests.evaluator.test_acting import Direct
from tests.evaluator.world import NAMESPACE, World, loop_s
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

ASKS = {"pod-deletion-cost": "true"}
_ONE_AT_A_TIME = [{"type": "Pods", "value": 1, "periodSeconds": 600}]
SOON = {"scaleDown": {"stabilizationWindowSeconds": 1, "maxScaleRate": "0.1"}}
SLOWLY = {"scaleDown": {**SOON["scaleDown"], "policies": _ONE_AT_A_TIME}}


@dataclass(slots=True)
class PodByPod:
    """Answers what each pod says, by the name of the source.

    Attributes:
        says: of each pod, by source.
    """

    says: dict[str, dict[str, float]] = field(default_factory=dict)

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        told = self.says[request.source.key]
        if not told:
            return NoData(NoDataReason.UNREACHABLE, "nobody answers")
        return Sample(tuple(told.values()), loop_s(), len(told), len(told), told)


@pytest.fixture
def pods(world: World) -> PodByPod:
    """What the pods say."""
    source = PodByPod()
    world.sources[SourceType.POD] = source
    return source


@pytest.fixture
def direct(world: World) -> Direct:
    return Direct(world)


def _add(direct: Direct, pods: PodByPod, *loads: float, **fields: Any) -> None:
    """Add a workload of pods that have so much to do, where each should have 10."""
    direct.world.add_workload("chat", replicas=len(loads))
    pods.says["load"] = {f"chat-{index}": load for index, load in enumerate(loads)}
    direct.world.add_scaler(
        "chat",
        {"targetMetric": "load", "targetValue": "10"},
        scalingStrategy="BudScaler",
        **{"behavior": SOON, **fields},
    )


def _marked(direct: Direct) -> list[tuple[str, str | None]]:
    """Pods that were written, and what their cost became."""
    return [
        (call.path.rpartition("/")[2], call.body["metadata"]["annotations"][ANNOTATION])
        for call in direct.world.kube.made("patch", "/pods/")
    ]


async def test_the_idlest_are_named_before_the_scale_is_written(
    direct: Direct, pods: PodByPod
) -> None:
    """Four pods at a third of their target: two go, and it is the two with the least to do."""
    _add(direct, pods, 9, 1, 4, 0)
    direct.world.annotate("chat", **ASKS)
    async with direct.leading():
        await asyncio.sleep(60)
    assert direct.replicas < 4
    assert _marked(direct)[:1] == [("chat-3", MARK)]
    writes = [
        call.path for call in direct.world.kube.made("patch", "/") if "status" not in call.path
    ]
    assert writes.index(PODS.item(NAMESPACE, "chat-3")) < next(
        index for index, path in enumerate(writes) if path.endswith("chat/scale")
    )


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param({}, id="not-asked-for"),
        pytest.param({"pod-deletion-cost": "false"}, id="not-wanted"),
        pytest.param({"pod-deletion-cost": "yes"}, id="not-understood"),
    ],
)
async def test_nobody_is_named_unasked(
    direct: Direct, pods: PodByPod, annotations: dict[str, str]
) -> None:
    """It is opt-in, since it takes a right that few should have."""
    _add(direct, pods, 9, 1, 4, 0)
    direct.world.annotate("chat", **annotations)
    async with direct.leading():
        await asyncio.sleep(60)
    assert direct.replicas < 4
    assert _marked(direct) == []


async def test_what_is_not_known_is_not_named(direct: Direct, pods: PodByPod) -> None:
    """A source that tells of no single pod scales, and names nobody."""
    direct.add(replicas=4, says=1.0, behavior=SOON)
    direct.world.annotate("chat", **ASKS)
    async with direct.leading():
        await asyncio.sleep(60)
    assert direct.replicas < 4
    assert _marked(direct) == []


async def test_the_fullest_source_says_how_loaded_a_pod_is(direct: Direct, pods: PodByPod) -> None:
    """A pod without requests but with a full cache stays, and one silent in a source too."""
    _add(direct, pods, 0, 2, 3, 1)
    direct.world.add_scaler(
        "chat",
        {"targetMetric": "load", "targetValue": "10"},
        {"targetMetric": "cache", "targetValue": "100"},
        scalingStrategy="BudScaler",
        behavior=SLOWLY,
    )
    pods.says["cache"] = {"chat-0": 90, "chat-1": 10, "chat-2": 10}
    direct.world.annotate("chat", **ASKS)
    async with direct.leading():
        await asyncio.sleep(60)
    assert direct.replicas == 3
    assert _marked(direct) == [("chat-1", MARK)]


async def test_a_missing_right_stops_no_scale_down(direct: Direct, pods: PodByPod) -> None:
    """The workload shrinks all the same, and both condition and event say what to bind."""
    _add(
        direct,
        pods,
        9,
        1,
        4,
        0,
        behavior=SLOWLY,
    )
    direct.world.annotate("chat", **ASKS)
    direct.world.kube.fail("patch", "/pods/", ForbiddenError(403, "Forbidden", "no right"))
    async with direct.leading():
        await asyncio.sleep(2)
        assert direct.replicas == 4
        await asyncio.sleep(58)
        assert direct.replicas == 3
        warnings = [event for event in direct.world.events() if event[1] == "Warning"]
        assert warnings == [("chat", "Warning", "FailedPodDeletionCost")]
        (event,) = [
            call.body
            for call in direct.world.kube.made("create", "/events")
            if call.body["reason"] == "FailedPodDeletionCost"
        ]
        assert f"bind the ClusterRole {deletion_costs.ROLE}" in event["note"]


async def test_an_api_server_that_hangs_delays_it_by_seconds(
    direct: Direct, pods: PodByPod
) -> None:
    """The scale-down does not wait for names any longer than that."""
    _add(direct, pods, 9, 1, 4, 0, behavior=SLOWLY)
    direct.world.annotate("chat", **ASKS)
    direct.costs = DeletionCosts(Hanging())
    async with direct.leading():
        await asyncio.sleep(60)
        assert direct.replicas == 3
        warnings = [event for event in direct.world.events() if event[1] == "Warning"]
    assert warnings == [("chat", "Warning", "FailedPodDeletionCost")]


class Hanging(FakeKube):
    """Takes requests, and never answers."""

    async def patch(self, *args: object, **fields: object) -> Json:
        await asyncio.Event().wait()
        raise AssertionError("nobody waits for that")


async def test_a_mark_of_an_earlier_scale_down_is_taken_away(
    direct: Direct, pods: PodByPod
) -> None:
    """The pod that was to go then is busy now, and another goes."""
    _add(direct, pods, 9, 1, 4, 0, behavior=SLOWLY)
    path = PODS.item(NAMESPACE, "chat-0")
    body = copy.deepcopy(direct.world.kube.objects[path])
    body["metadata"]["annotations"] = {ANNOTATION: MARK}
    direct.world.kube.put(path, body)
    direct.world.annotate("chat", **ASKS)
    async with direct.leading():
        await asyncio.sleep(60)
    assert sorted(_marked(direct)) == [("chat-0", None), ("chat-3", MARK)]
