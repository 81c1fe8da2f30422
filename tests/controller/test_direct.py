"""Stories of scalers that scale by themselves: no HPA of ours, and others win all the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import KubeError, OverloadedError
from tests.controller.world import World, scaler_path, settle

pytestmark = pytest.mark.looptime

DIRECT: dict[str, Any] = {"scalingStrategy": "BudScaler"}


@dataclass(slots=True)
class Claims:
    """A controlled world in which a direct scaler asks who else is there."""

    world: World

    async def refusal(self, name: str = "chat") -> str | None:
        """Reason for which it must not act; None when it may."""
        scaler = self.world.reconciler.scalers.objects["ml", name]
        told: Condition | None = await self.world.reconciler.refusal(scaler)
        return told.reason if told is not None else None


@pytest.fixture
def claims() -> Claims:
    """An empty cluster."""
    return Claims(World())


async def test_it_has_no_hpa_and_may_act(claims: Claims) -> None:
    """Nobody else is there, and of its status we say nothing: the evaluator does."""
    claims.world.add_scaler(**DIRECT)
    async with claims.world.controlled():
        assert claims.world.hpas() == {}
        assert await claims.refusal() is None
        assert claims.world.condition() is None


async def test_changing_the_strategy_removes_the_hpa(claims: Claims) -> None:
    """Two would fight else; and what we told of the HPA is taken back."""
    claims.world.add_scaler()
    async with claims.world.controlled():
        assert claims.world.condition() == ("True", "HPAOwned")
        claims.world.edit(**DIRECT)
        await settle()
        assert claims.world.hpas() == {}
        assert claims.world.condition() is None
        claims.world.edit(scalingStrategy="HPA")
        await settle()
        assert list(claims.world.hpas()) == ["chat-hpa"]
        assert claims.world.condition() == ("True", "HPAOwned")


@pytest.mark.parametrize("other", ["hpa", "scaled-object", "vertical"])
async def test_another_tool_wins(claims: Claims, other: str) -> None:
    """Whatever it is, we scale nothing beside it."""
    add = {
        "hpa": lambda: claims.world.add_hpa("theirs"),
        "scaled-object": lambda: claims.world.add_scaled_object("theirs"),
        "vertical": lambda: claims.world.add_vertical("theirs", "Recreate"),
    }
    add[other]()
    claims.world.add_scaler(**DIRECT)
    async with claims.world.controlled():
        assert await claims.refusal() == "ForeignAutoscaler"


async def test_the_older_of_two_scalers_wins(claims: Claims) -> None:
    """Of whichever strategies they are."""
    claims.world.add_scaler("young", created="2026-02-01T00:00:00Z", **DIRECT)
    claims.world.add_scaler("old", **DIRECT)
    async with claims.world.controlled():
        assert await claims.refusal("young") == "ConflictDetected"
        assert await claims.refusal("old") is None
        claims.world.kube.remove(scaler_path("old"))
        await settle()
        assert await claims.refusal("young") is None


async def test_it_keeps_a_younger_hpa_scaler_from_its_workload(claims: Claims) -> None:
    """The younger one only publishes."""
    claims.world.add_scaler("direct", **DIRECT)
    claims.world.add_scaler("young", created="2026-02-01T00:00:00Z")
    async with claims.world.controlled():
        assert claims.world.hpas() == {}
        assert claims.world.condition(name="young") == ("False", "ConflictDetected")


async def test_recommend_claims_nothing(claims: Claims) -> None:
    """An older scaler that only recommends keeps nobody out."""
    claims.world.add_scaler("old", mode="Recommend", **DIRECT)
    claims.world.add_scaler("young", created="2026-02-01T00:00:00Z")
    async with claims.world.controlled():
        assert list(claims.world.hpas()) == ["young-hpa"]


async def test_what_cannot_be_looked_up_is_not_taken_for_absent(claims: Claims) -> None:
    """The API server does not list ScaledObjects just now."""
    claims.world.add_scaler(**DIRECT)
    claims.world.kube.fail("get", "/scaledobjects", OverloadedError(503, "", "not now"))
    async with claims.world.controlled():
        with pytest.raises(KubeError):
            await claims.refusal()


async def test_before_hpas_are_listed_nobody_knows_who_is_there(claims: Claims) -> None:
    """A new leader decides at once; its list of HPAs, which is long or refused, may come later."""
    claims.world.add_hpa("theirs")
    claims.world.add_scaler(**DIRECT)
    claims.world.kube.fail("get", "/horizontalpodautoscalers", OverloadedError(503, "", "not now"))
    async with claims.world.controlled():
        with pytest.raises(KubeError, match="HPAs"):
            await claims.refusal()
        claims.world.kube.heal()
        await asyncio.sleep(10)
        assert await claims.refusal() == "ForeignAutoscaler"


async def test_who_came_since_hpas_were_last_heard_of_is_not_known(claims: Claims) -> None:
    """Their watch is refused for minutes, and meanwhile somebody may have made one."""
    claims.world.add_scaler(**DIRECT)
    async with claims.world.controlled():
        assert await claims.refusal() is None
        for verb in ("get", "watch"):
            claims.world.kube.fail(verb, "/horizontalpodautoscalers", OverloadedError(503, "", ""))
        claims.world.kube.end_watches()
        await asyncio.sleep(200)
        claims.world.add_hpa("theirs")
        with pytest.raises(KubeError, match="HPAs"):
            await claims.refusal()
        claims.world.kube.heal()
        await asyncio.sleep(60)
        assert await claims.refusal() == "ForeignAutoscaler"


async def test_what_to_do_about_a_rival_fits_the_strategy(claims: Claims) -> None:
    """An option of the HPA strategy would not help here."""
    claims.world.add_hpa("theirs")
    claims.world.add_scaler(**DIRECT)
    async with claims.world.controlled():
        scaler = claims.world.reconciler.scalers.objects["ml", "chat"]
        told = await claims.world.reconciler.refusal(scaler)
    assert told is not None
    assert "so we scale nothing" in told.message
    assert told.message.endswith("or set spec.mode: Recommend")
