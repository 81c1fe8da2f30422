"""Capacity and budget as they are told: one event when they lack, one when they are back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.errors import OverloadedError
from budaiscaler.kube.resources import REPLICA_SETS
from tests import samples
from tests.conftest import NOON
from tests.evaluator.reports import Reporter
from tests.evaluator.world import NAMESPACE, World

pytestmark = pytest.mark.looptime

SHORTAGE = Shortage(Obstacle.UNSCHEDULABLE, NOON, "0/3 nodes are available")


def refuse(world: World, *, since: str = "2026-01-05T12:00:00Z") -> None:
    """Have the ReplicaSet say that a quota refuses its pods."""
    body = samples.replica_set("chat", namespace=NAMESPACE)
    body["status"] = {
        "conditions": [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "reason": "FailedCreate",
                "lastTransitionTime": since,
                "message": "exceeded quota: pods",
            }
        ]
    }
    world.kube.put(REPLICA_SETS.item(NAMESPACE, "chat"), body)


async def test_a_quota_is_told_and_stops_growth_after_five_minutes(world: World) -> None:
    """Six are asked for and four are there; then a load of nine comes, and five minutes pass."""
    world.add("chat", replicas=4, says=6.0)
    world.rewrite("chat", 6, "kubectl-scale")
    refuse(world)
    async with world.leading():
        await asyncio.sleep(1)
        told = world.condition("chat", "CapacityAvailable")
        assert (told["status"], told["reason"]) == ("False", "QuotaExceeded")
        assert told["message"] == (
            "a quota refuses 2 of 6 replicas since 2026-01-05T12:00:00Z: exceeded quota: pods"
        )
        world.source.answers["chat"] = 9.0
        await asyncio.sleep(280)
        assert world.status("chat")["desiredLoad"] == "9"
        await asyncio.sleep(40)
        status = world.status("chat")
        assert (status["desiredLoad"], status["boundBy"]) == ("6", "bounds")
        assert world.condition("chat", "ScalingLimited")["reason"] == "NoCapacity"

        world.add_workload("chat", replicas=6)
        await asyncio.sleep(30)
        assert world.status("chat")["desiredLoad"] == "9"
        assert world.condition("chat", "CapacityAvailable")["status"] == "True"
    assert world.events() == [
        ("chat", "Warning", "QuotaExceeded"),
        ("chat", "Normal", "ReplicasPlaced"),
    ]


def test_a_failure_forgets_neither_capacity_nor_budget() -> None:
    """They would be told anew after it."""
    spec = samples.spec(costConfig={"enabled": True, "budgetPerHour": "10"})
    reporter = Reporter(spec)
    seen: dict[str, Any] = {"shortage": SHORTAGE}
    short = {"ready": 2, "unschedulable": 2, **seen}
    assert ("Warning", "Unschedulable") in reporter.decided({"queue": 4}, **short)
    reporter.failed(OverloadedError(503, "", "etcd is slow"))
    assert reporter.condition("CapacityAvailable") == ("False", "Unschedulable")
    assert reporter.condition("WithinBudget") == ("Unknown", "CostNotEvaluated")
    assert reporter.decided({"queue": 4}, **short) == [("Normal", "Recovered")]
    reporter.now += timedelta(minutes=10)
    assert reporter.decided({"queue": 4}) == [("Normal", "ReplicasPlaced")]


def test_a_budget_is_told_once() -> None:
    """Who sets one is warned that nobody compares it, and not each quarter of a minute."""
    reporter = Reporter(samples.spec(costConfig={"enabled": True}))
    assert reporter.decided({"queue": 4}) == [("Warning", "CostNotEvaluated")]
    assert reporter.decided({"queue": 4}) == []
    reporter.edit(samples.spec())
    assert reporter.decided({"queue": 4}) == []
    assert reporter.condition("WithinBudget") is None
