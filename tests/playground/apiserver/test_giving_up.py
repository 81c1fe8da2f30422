"""What a field manager gives up in a list whose items have keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from budaiscaler.kube import port
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.playground import manifests
from budaiscaler.playground.apiserver import EmbeddedApiServer
from tests import samples

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
async def kube(tmp_path: Path) -> AsyncIterator[Kube]:
    async with EmbeddedApiServer(now=lambda: NOON, directory=tmp_path) as server:
        for collection, body in manifests.installed(443):
            await server.kube.create(collection, body)
        await server.kube.create(
            BUDAISCALERS.collection("default"), samples.scaler(namespace="default")
        )
        yield server.kube


async def _apply(kube: Kube, manager: str, *types: str) -> list[str]:
    conditions = [
        {
            "type": kind,
            "status": "True",
            "reason": "Told",
            "message": manager,
            "lastTransitionTime": "2026-11-26T12:00:00Z",
        }
        for kind in types
    ]
    body: Json = {
        **samples.scaler(namespace="default"),
        "metadata": {"name": "chat", "namespace": "default"},
        "status": {"conditions": conditions},
    }
    del body["spec"]
    path = BUDAISCALERS.item("default", "chat", "status")
    answer = await port.apply(kube, path, body, field_manager=manager)
    return [condition["type"] for condition in answer["status"]["conditions"]]


async def test_an_item_that_is_given_up_goes_whole(kube: Kube) -> None:
    """Not its key first, so that what is left of it would be an item without one."""
    for _ in range(8):  # which of its fields goes first was chance
        assert await _apply(kube, "evaluator", "Ready", "ScalingActive") == [
            "Ready",
            "ScalingActive",
        ]
        assert await _apply(kube, "evaluator", "Paused") == ["Paused"]


async def test_an_item_of_two_managers_stays_until_both_gave_it_up(kube: Kube) -> None:
    """What one of them leaves out is the other's."""
    await _apply(kube, "evaluator", "Ready")
    await _apply(kube, "controller", "Ready", "AbleToScale")

    assert sorted(await _apply(kube, "evaluator", "Paused")) == ["AbleToScale", "Paused", "Ready"]
    assert sorted(await _apply(kube, "controller", "AbleToScale")) == ["AbleToScale", "Paused"]
