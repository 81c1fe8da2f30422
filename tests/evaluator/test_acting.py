"""Where nobody else acts, the evaluator brings the workload to what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import ForbiddenError, KubeError, KubeUnreachableError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.acting import Actor, Actuator
from budaiscaler.evaluator.deletion_costs import DeletionCosts
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import DEPLOYMENTS
from budaiscaler.kube.scales import ScaleReader
from tests import samples
from tests.evaluator.world import NAMESPACE, World, loop_s

pytestmark = pytest.mark.looptime

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")
APPS: Json = {
    "resources": [
        {"name": "deployments", "kind": "Deployment"},
        {"name": "deployments/scale", "kind": "Scale"},
    ]
}


@dataclass(slots=True)
class Direct:
    """A world whose scalers are scaled by us.

    Attributes:
        rival: what is said of whoever else is on a workload; an error where nobody knows.
        strategy: of the scalers.
        costs: what names the pods that go first; by default, to the API server of the world.
    """

    world: World
    rival: Condition | KubeError | None = None
    asked: list[str] = field(default_factory=list)
    strategy: Strategy = Strategy.BUD_SCALER
    costs: DeletionCosts | None = None

    def __post_init__(self) -> None:
        self.world.kube.objects["/apis/apps/v1"] = APPS

    def add(self, *, replicas: int, says: float | NoData, **fields: Any) -> None:
        """Add a workload and its scaler."""
        self.world.add(replicas=replicas, says=says, scalingStrategy=str(self.strategy), **fields)

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """An evaluator that acts, while inside."""
        evaluator = self.world.evaluator(strategy=self.strategy, actor=self._actor)
        async with self.world.leading(evaluator):
            yield

    @property
    def replicas(self) -> int:
        """What the workload is asked for."""
        found: int = self.world.kube.objects[DEPLOYMENTS.item(NAMESPACE, "chat")]["spec"][
            "replicas"
        ]
        return found

    @property
    def scalings(self) -> list[tuple[int, int, bool]]:
        """From, to and success of what the history has."""
        history = self.world.status("chat").get("scalingHistory", ())
        return [(e["previousScale"], e["newScale"], e["success"]) for e in history]

    def able(self) -> tuple[str, str]:
        """Status and reason of the condition."""
        found = self.world.condition("chat", conditions.ABLE_TO_SCALE)
        return found["status"], found["reason"]

    def ready(self) -> tuple[str, str]:
        """The same of what sums up."""
        found = self.world.condition("chat", conditions.READY)
        return found["status"], found["reason"]

    def _actor(self, recorder: Recorder) -> Actor:
        scales = ScaleReader(self.world.kube, loop_s)
        costs = self.costs or DeletionCosts(self.world.kube)
        return Actuator(scales, self._refusal, recorder, costs)

    async def _refusal(self, scaler: Scaler) -> Condition | None:
        self.asked.append(scaler.name)
        if isinstance(self.rival, KubeError):
            raise self.rival
        return self.rival


@pytest.fixture
def direct(world: World) -> Direct:
    return Direct(world)


async def test_a_workload_is_scaled_to_what_was_decided(direct: Direct) -> None:
    """Four replicas, a load of seven: 0.8 of the way is seven, and it is told what was done."""
    direct.add(replicas=4, says=7.0)
    async with direct.leading():
        await asyncio.sleep(5)
        assert direct.replicas == 7
        assert direct.scalings == [(4, 7, True)]
        assert "lastScaleTime" in direct.world.status("chat")
        assert direct.able() == ("True", "SucceededRescale")
    assert ("chat", "Normal", "SuccessfulRescale") in direct.world.events()


async def test_what_needs_no_change_is_left_alone(direct: Direct) -> None:
    """An hour on target writes no scale at all."""
    direct.add(replicas=4, says=4.0)
    async with direct.leading():
        await asyncio.sleep(3600)
        assert direct.able() == ("True", "ReadyForNewScale")
    assert direct.world.kube.made("patch", "chat/scale") == []


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(DEAD, id="dead"),
        pytest.param(float("nan"), id="nan"),
        pytest.param(-1.0, id="negative"),
    ],
)
async def test_missing_data_scales_nothing(direct: Direct, says: float | NoData) -> None:
    """For two hours, with every window long over, six stay six."""
    direct.add(replicas=6, says=says)
    async with direct.leading():
        await asyncio.sleep(7200)
    assert direct.replicas == 6


async def test_a_quiet_workload_shrinks_once_its_window_is_over(direct: Direct) -> None:
    """Six at a load of one: for five minutes nothing, and then in steps of at most half."""
    direct.add(replicas=6, says=1.0)
    async with direct.leading():
        await asyncio.sleep(299)
        assert direct.replicas == 6
        await asyncio.sleep(3600)
        assert direct.replicas == 1
    assert direct.scalings[0] == (6, 4, True)


async def test_whoever_else_is_there_is_yielded_to(direct: Direct) -> None:
    """A foreign HPA on the workload: nothing is written, and the condition says who."""
    direct.rival = Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", "HPA x")
    direct.add(replicas=4, says=40.0)
    async with direct.leading():
        await asyncio.sleep(60)
        assert direct.able() == ("False", "ForeignAutoscaler")
    assert direct.replicas == 4
    warnings = [event for event in direct.world.events() if event[1] == "Warning"]
    assert warnings == [("chat", "Warning", "ForeignAutoscaler")]


async def test_while_nobody_knows_who_else_is_there_nothing_is_scaled(direct: Direct) -> None:
    """The look-up fails, and works again later."""
    direct.rival = KubeUnreachableError("refused")
    direct.add(replicas=4, says=7.0)
    async with direct.leading():
        await asyncio.sleep(60)
        assert (direct.replicas, direct.able()) == (4, ("False", "RivalsUnknown"))
        direct.rival = None
        await asyncio.sleep(30)
        assert direct.replicas == 7


async def test_recommend_decides_and_changes_nothing(direct: Direct) -> None:
    """The wanted replicas stand in the status, and the workload stays as it is."""
    direct.add(replicas=4, says=7.0, mode="Recommend")
    async with direct.leading():
        await asyncio.sleep(60)
        assert direct.world.status("chat")["desiredScale"] == 7
        assert direct.able() == ("True", "RecommendOnly")
    assert direct.replicas == 4


async def test_recommend_is_the_way_out_beside_another_autoscaler(direct: Direct) -> None:
    """As the refusal says: who only recommends may stand beside anybody, and is ready."""
    direct.rival = Condition(conditions.ABLE_TO_SCALE, "False", "ForeignAutoscaler", "HPA x")
    direct.add(replicas=4, says=7.0)
    async with direct.leading():
        await asyncio.sleep(20)
        assert direct.ready() == ("False", "ForeignAutoscaler")
        direct.world.edit("chat", mode="Recommend")
        await asyncio.sleep(20)
        assert direct.able() == ("True", "RecommendOnly")
        assert direct.ready() == ("True", "ScalerReady")
    assert direct.replicas == 4


async def test_a_scale_that_is_refused_is_told_once(direct: Direct) -> None:
    """A missing right: one event and one entry of the history, however often it is tried."""
    direct.add(replicas=4, says=7.0)
    direct.world.kube.fail("patch", "chat/scale", ForbiddenError(403, "Forbidden", "no right"))
    async with direct.leading():
        await asyncio.sleep(600)
        assert direct.able() == ("False", "FailedUpdateScale")
        assert direct.scalings == [(4, 7, False)]
        assert "no right" in direct.world.status("chat")["scalingHistory"][0]["error"]
        direct.world.kube.heal()
        await asyncio.sleep(60)
        assert direct.scalings == [(4, 7, False), (4, 7, True)]
    warnings = [event for event in direct.world.events() if event[1] == "Warning"]
    assert warnings == [("chat", "Warning", "FailedUpdateScale")]


async def test_somebody_faster_is_not_overwritten(direct: Direct) -> None:
    """What was decided for four replicas is not asked for when there are nine by then."""
    direct.add(replicas=4, says=7.0)
    direct.world.kube.objects[f"{DEPLOYMENTS.item(NAMESPACE, 'chat')}/scale"] = {
        "spec": {"replicas": 9},
        "status": {},
    }
    async with direct.leading():
        await asyncio.sleep(5)
        assert direct.able() == ("True", "Outdated")
    assert direct.replicas == 4


@pytest.mark.parametrize(
    ("edit", "replicas"),
    [
        pytest.param({"paused": "Both"}, 4, id="paused"),
        pytest.param({"mode": "Recommend"}, 4, id="recommend"),
        pytest.param({"maxReplicas": 6}, 6, id="fewer-at-most"),
    ],
)
async def test_what_is_edited_while_it_is_evaluated_counts(
    direct: Direct, edit: Json, replicas: int
) -> None:
    """A source takes 20 s, and meanwhile somebody says what he wants: the old wish is not met."""
    direct.add(replicas=4, says=4.0)
    async with direct.leading():
        await asyncio.sleep(60)
        direct.world.source.answers["chat"] = 12.0
        direct.world.source.takes_s["chat"] = 20.0
        await asyncio.sleep(18)
        assert direct.world.source.under_way == ["chat"]
        direct.world.edit("chat", **edit)
        await asyncio.sleep(60)
        assert direct.replicas == replicas
        assert direct.scalings == ([(4, replicas, True)] if replicas != 4 else [])


async def test_the_history_keeps_the_last_ten(direct: Direct) -> None:
    """Case T58: of more scalings the oldest go."""
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}}
    direct.add(replicas=1, says=90.0, behavior=behavior)
    async with direct.leading():
        await asyncio.sleep(400)
    assert len(direct.scalings) == 10
    assert direct.scalings[-1][1] == direct.replicas


async def test_a_new_leader_keeps_the_history(direct: Direct) -> None:
    """What the one before did is still told."""
    direct.add(replicas=4, says=7.0)
    async with direct.leading():
        await asyncio.sleep(5)
    async with direct.leading():
        await asyncio.sleep(60)
        assert direct.scalings == [(4, 7, True)]
        assert direct.replicas == 7


async def test_the_kpa_strategy_samples_each_five_seconds(direct: Direct) -> None:
    """Its windows are short: a surge is met within seconds, and calm only after minutes."""
    direct.strategy = Strategy.KPA
    direct.add(replicas=4, says=4.0)
    async with direct.leading():
        await asyncio.sleep(600)
        times = direct.world.source.times("chat")
        assert 115 <= len(times) <= 121
        assert direct.replicas == 4
        direct.world.source.answers["chat"] = 40.0
        await asyncio.sleep(60)
        assert direct.replicas > 20
        direct.world.source.answers["chat"] = 4.0
        grown = direct.replicas
        await asyncio.sleep(170)
        assert direct.replicas >= grown


@pytest.mark.parametrize("strategy", [Strategy.KPA, Strategy.BUD_SCALER])
async def test_who_cannot_be_woken_is_told_as_long_as_it_is_so(
    direct: Direct, strategy: Strategy
) -> None:
    """It is the evaluator's own condition, which goes with its cause."""
    direct.strategy = strategy
    level = samples.level(name="chat")
    direct.add(replicas=1, says=0.0, minReplicas=0, metricsSources=[level])
    async with direct.leading():
        await asyncio.sleep(3600)
        assert direct.replicas == 1
        found = direct.world.condition("chat", conditions.SCALE_TO_ZERO)
        assert (found["status"], found["reason"]) == ("False", "NothingWakesIt")
        direct.world.edit("chat", minReplicas=1)
        await asyncio.sleep(20)
        assert direct.world.condition("chat", conditions.SCALE_TO_ZERO) == {}
