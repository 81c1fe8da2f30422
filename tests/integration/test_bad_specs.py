"""A scaler that no rule refused: it says what is wrong with it, and disturbs no other."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.kube.port import PatchType
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.playground.manifests import NAMESPACE
from tests.integration.world import World, until


@pytest.mark.parametrize("strategy", [Strategy.HPA, Strategy.BUD_SCALER])
async def test_invalid(cluster: World, strategy: Strategy) -> None:
    """With a spec that a rule of the real API server refuses, Ready is False and nothing scales.

    The scaler beside it is none the wiser; and once corrected, this one scales as well.
    """
    cluster.load["bad"] = 30
    for name in ("chat", "bad"):
        await cluster.deploy(name)
    async with cluster.adapter(), cluster.controller():
        await cluster.scale("bad", strategy, minReplicas=9, maxReplicas=4)
        await cluster.scale("chat", strategy)
        await cluster.until_replicas(3)

        async def is_told() -> bool:
            ready = (await cluster.conditions("bad")).get("Ready") or {}
            return (ready.get("status"), ready.get("reason")) == ("False", "InvalidSpec")

        await until(is_told, "Ready=False")
        ready = (await cluster.conditions("bad"))["Ready"]
        assert "lower minReplicas or raise maxReplicas" in ready["message"]
        cluster.load["chat"] = 40
        await cluster.until_replicas(4)
        assert cluster.replicas["bad"] == [2]

        change = {"spec": {"minReplicas": 1}}
        await cluster.kube.patch(BUDAISCALERS.item(NAMESPACE, "bad"), change, PatchType.MERGE)
        await cluster.until_replicas(3, "bad")

    assert cluster.replicas == {"chat": [2, 3, 4], "bad": [2, 3]}
