"""External sources as the loop sees them: a load moves replicas, and nothing else does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.errors import NotFoundError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.credentials import RequestOptions, SourceCredentials
from budaiscaler.sources.external import ExternalSource
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from tests import samples
from tests.evaluator.world import NAMESPACE, World, loop_s

pytestmark = pytest.mark.looptime

STALE_S = 80.0
"""After that the last good sample does not stand any more."""
METRIC = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/elsewhere"


@dataclass(slots=True)
class Endpoint:
    """Answers every GET the same."""

    answer: bytes | NoData

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions,
    ) -> bytes | NoData:
        return self.answer


def external(metric: str = "chat", **fields: Any) -> dict[str, Any]:
    """A total from an endpoint; one replica for ten."""
    return {
        "metricSourceType": "external",
        "targetMetric": metric,
        "targetValue": "10",
        "targetType": "AverageValue",
        "endpoint": "http://queue.default:8080/load",
        **fields,
    }


def add(world: World, answer: bytes | NoData, *sources: dict[str, Any]) -> Endpoint:
    """Add a workload of four replicas with an external source that answers so."""
    endpoint = Endpoint(answer)
    credentials = SourceCredentials(SecretReader(world.kube, clock=loop_s), TlsContexts())
    world.sources[SourceType.EXTERNAL] = ExternalSource(
        endpoint, world.kube, credentials, clock=loop_s
    )
    world.add("chat", replicas=4, metricsSources=list(sources or [external()]))
    return endpoint


async def test_a_load_moves_replicas(world: World) -> None:
    """A total of 73 at ten a replica asks for eight."""
    add(world, b'{"value": 73}')
    async with world.leading():
        await asyncio.sleep(1)
    status = world.status("chat")
    assert (status["desiredScale"], status["desiredLoad"]) == (8, "7300m")
    assert status["sources"] == [{"name": "chat", "metric": "chat", "value": "73.0", "answered": 1}]


async def test_a_level_is_the_default(world: World) -> None:
    """Without a type the number is one of each replica: 15 at ten asks for half as many again."""
    add(world, b"15", {k: v for k, v in external().items() if k != "targetType"})
    async with world.leading():
        await asyncio.sleep(1)
    assert world.status("chat")["desiredScale"] == 6
    assert world.condition("chat", "UnitAssumed") == {}


FAILURES = [
    pytest.param(b"", "BadAnswer", id="empty"),
    pytest.param(b"<html>", "BadAnswer", id="garbage"),
    pytest.param(b'{"error": "down", "value": 0}', "BadAnswer", id="error"),
    pytest.param(b'{"value": null}', "BadAnswer", id="null"),
    pytest.param(b"NaN", "NotANumber", id="nan"),
    pytest.param(b'{"value": Infinity}', "NotANumber", id="infinity"),
    pytest.param(b"-1", "Negative", id="negative"),
    pytest.param(b"9" * 400, "NotANumber", id="huge"),
    pytest.param(NoData(NoDataReason.HTTP_ERROR, "HTTP 500"), "HTTPError", id="500"),
    pytest.param(NoData(NoDataReason.TIMEOUT, "hangs"), "Timeout", id="hangs"),
    pytest.param(NoData(NoDataReason.DENIED_ADDRESS, "no"), "DeniedAddress", id="denied"),
]


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_no_data_holds(world: World, answer: bytes | NoData, reason: str) -> None:
    """After a good load the replicas it asked for stay, and the status says since when and why."""
    endpoint = add(world, b"40")
    async with world.leading():
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 4
        endpoint.answer = answer
        await asyncio.sleep(STALE_S)
        status = world.status("chat")
        assert (status["actualScale"], status["desiredScale"]) == (4, 4)
        assert status["desiredLoad"] == "4"
        assert "holdingSince" in status
        assert status["sources"][0]["reason"] == reason
        active = world.condition("chat", "ScalingActive")
        assert (active["status"], active["reason"]) == ("False", "NoData")
        endpoint.answer = b"70"
        await asyncio.sleep(20)
    assert world.status("chat")["desiredScale"] == 7
    assert world.condition("chat", "ScalingActive")["status"] == "True"


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_no_data_from_the_start_holds(
    world: World, answer: bytes | NoData, reason: str
) -> None:
    """A scaler that never had data leaves the replicas as they are, and publishes no load."""
    add(world, answer)
    async with world.leading():
        await asyncio.sleep(STALE_S)
    status = world.status("chat")
    assert status["desiredScale"] == 4
    assert "desiredLoad" not in status
    assert status["sources"][0]["reason"] == reason
    assert world.condition("chat", "Ready")["status"] == "False"
    assert reason in str(world.condition("chat", "Ready"))


async def test_a_silent_endpoint_blocks_scale_down(world: World) -> None:
    """While it is silent, a second source that asks for less gets nothing removed."""
    add(
        world, NoData(NoDataReason.TIMEOUT, "hangs"), external("remote"), samples.total(name="chat")
    )
    world.source.answers["chat"] = 1.0
    async with world.leading():
        await asyncio.sleep(STALE_S)
        assert world.status("chat")["desiredScale"] == 4
        world.source.answers["chat"] = 9.0
        await asyncio.sleep(20)
    assert world.status("chat")["desiredScale"] == 9


async def test_a_name_on_the_cluster(world: World) -> None:
    """A metric of another server moves replicas; when it goes, they stay."""
    source = external(targetMetric="elsewhere", name="chat")
    del source["endpoint"]
    add(world, b"", source)
    world.kube.put(METRIC, {"items": [{"metricLabels": {}, "value": "55"}]})
    async with world.leading():
        await asyncio.sleep(1)
        assert world.status("chat")["desiredScale"] == 6
        world.kube.fail("get", METRIC, NotFoundError(404, "NotFound", "gone"))
        await asyncio.sleep(STALE_S)
    status = world.status("chat")
    assert (status["desiredScale"], status["sources"][0]["reason"]) == (4, "EmptyResult")
    assert "nobody publishes elsewhere" in world.condition("chat", "ScalingActive")["message"]
