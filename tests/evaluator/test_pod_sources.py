"""Sources pod and inferenceEngine as the loop sees them: pods move replicas, silence does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.resources import PODS
from budaiscaler.sources.credentials import PLAIN, RequestOptions
from budaiscaler.sources.engine import EngineSource
from budaiscaler.sources.pages import Pages
from budaiscaler.sources.pod import PodSource
from tests import samples
from tests.evaluator.world import NAMESPACE, World, loop_s
from tests.sources.pods import credentials

pytestmark = pytest.mark.looptime

STALE_S = 80.0
"""After that the last good sample does not stand any more."""

Body = bytes | NoData


@dataclass(slots=True)
class Pods:
    """Answers for each pod by its number; four of them."""

    world: World
    bodies: list[Body | Callable[[], bytes]] = field(default_factory=list)

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions = PLAIN,
    ) -> Body:
        await asyncio.sleep(0)
        body = self.bodies[int(endpoint.split(":")[1].rpartition(".")[2])]
        return body() if callable(body) else body

    def say(self, *bodies: Body | Callable[[], bytes]) -> None:
        """Have each pod answer that; the last is that of the others too."""
        self.bodies = [*bodies, *[bodies[-1]] * (4 - len(bodies))]

    def set_ready(self, *, ready: bool) -> None:
        """Make all of them ready or not."""
        for number in range(4):
            body = samples.pod("chat", number, namespace=NAMESPACE, ready=ready)
            body["status"]["podIP"] = f"10.0.0.{number}"
            self.world.kube.put(PODS.item(NAMESPACE, f"chat-{number}"), body)


SILENT = NoData(NoDataReason.TIMEOUT, "it hangs")
SHARE = b'vllm:kv_cache_usage_perc{engine="0"} 0.84\n'


def source(kind: str, target: str = "10", **fields: Any) -> dict[str, Any]:
    """A level of each pod, from its own page or from that of its engine."""
    config = {"inferenceEngineConfig": {"engineType": "vllm"}} if kind == "inferenceEngine" else {}
    name = "vllm:num_requests_running" if kind == "pod" else "requests_running"
    raw = {"metricSourceType": kind, "targetMetric": name, "targetValue": target, "name": "chat"}
    return raw | config | fields


def running(value: float) -> bytes:
    return f"vllm:num_requests_running {value}\n".encode()


def add(world: World, *sources: dict[str, Any]) -> Pods:
    """Add a workload of four replicas whose pods have these sources."""
    pods = Pods(world)
    pages = Pages(pods, 10.0, loop_s)
    world.sources[SourceType.POD] = PodSource(pages, credentials())
    world.sources[SourceType.INFERENCE_ENGINE] = EngineSource(pages, credentials())
    world.add("chat", replicas=4, metricsSources=list(sources))
    pods.set_ready(ready=True)
    return pods


KINDS = pytest.mark.parametrize("kind", ["pod", "inferenceEngine"])


@KINDS
async def test_pods_move_replicas(world: World, kind: str) -> None:
    """Four pods at half as much again as their target ask for six, and at half of it for two."""
    pods = add(world, source(kind))
    pods.say(running(15))
    async with world.leading():
        await asyncio.sleep(1)
        assert world.status("chat")["desiredScale"] == 6
        pods.say(running(5))
        await asyncio.sleep(20)
    status = world.status("chat")
    assert (status["desiredScale"], status["desiredLoad"]) == (2, "2")
    (entry,) = status["sources"]
    assert (entry["value"], entry["answered"], entry["of"]) == ("5.0", 4, 4)


@KINDS
@pytest.mark.parametrize("kind_of_target", ["Value", "AverageValue"])
async def test_half_of_the_pods_silent(world: World, kind: str, kind_of_target: str) -> None:
    """Two of four at target that fall silent take nobody away, for a level as for a total.

    For as long as they are silent they count as at target, after a total held for its bound.
    """
    pods = add(world, source(kind, targetType=kind_of_target))
    pods.say(running(10))
    async with world.leading():
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 4
        pods.say(running(10), running(10), SILENT)
        await asyncio.sleep(STALE_S)
        assert world.status("chat")["desiredScale"] == 4
        pods.say(running(25), running(25), SILENT)
        await asyncio.sleep(20)
        assert world.status("chat")["desiredScale"] == 5
        pods.say(running(0), running(0), SILENT)
        await asyncio.sleep(620)
    assert world.status("chat")["desiredScale"] == 2


BAD = [
    pytest.param(SILENT, "Timeout", id="hang"),
    pytest.param(NoData(NoDataReason.UNREACHABLE, "refused"), "Unreachable", id="refuse"),
    pytest.param(b"vllm:num_requests_running NaN\n", "NotANumber", id="nan"),
    pytest.param(b"vllm:num_requests_running -5\n", "Negative", id="negative"),
    pytest.param(b"vllm:num_requests_running 1e999\n", "NotANumber", id="huge"),
    pytest.param(b"<html>", "BadAnswer", id="html"),
    pytest.param(b"", "MetricNotFound", id="empty"),
    pytest.param(b"vllm:num_requests_running{", "BadAnswer", id="broken-off"),
]


@KINDS
@pytest.mark.parametrize(("body", "reason"), BAD)
async def test_all_pods_without_data(world: World, kind: str, body: Body, reason: str) -> None:
    """Replicas stay as they were asked for, the status says why, and then it goes on."""
    pods = add(world, source(kind))
    pods.say(running(10))
    async with world.leading():
        await asyncio.sleep(20)
        pods.say(body)
        await asyncio.sleep(STALE_S)
        status = world.status("chat")
        assert (status["desiredScale"], status["desiredLoad"]) == (4, "4")
        assert status["sources"][0]["reason"] == reason
        active = world.condition("chat", "ScalingActive")
        assert (active["status"], active["reason"]) == ("False", "NoData")
        assert "none of 4 ready pods answers; chat-0:" in active["message"]
        pods.say(running(20))
        await asyncio.sleep(20)
    assert world.status("chat")["desiredScale"] == 8


@KINDS
async def test_all_pods_unready(world: World, kind: str) -> None:
    """Without a ready pod nobody is asked, and nobody is taken away."""
    pods = add(world, source(kind))
    pods.say(running(10))
    async with world.leading():
        await asyncio.sleep(20)
        pods.set_ready(ready=False)
        pods.say(running(0))
        await asyncio.sleep(STALE_S)
        status = world.status("chat")
        assert status["desiredScale"] == 4
        assert status["sources"][0]["reason"] == "NoReadyPods"
        assert world.condition("chat", "ScalingActive")["status"] == "False"


@pytest.mark.parametrize(
    ("target", "value", "replicas"),
    [
        pytest.param("70", 84.0, 5, id="percent"),
        pytest.param("0.7", 0.84, 5, id="a-share"),
    ],
)
async def test_a_share_against_percent(
    world: World, target: str, value: float, replicas: int
) -> None:
    """A cache that is 0.84 full is at 84 of 70 percent, whichever way the target is written."""
    pods = add(world, source("inferenceEngine", target, targetMetric="gpu_cache_usage"))
    pods.say(SHARE)
    async with world.leading():
        await asyncio.sleep(1)
    status = world.status("chat")
    assert float(status["sources"][0]["value"]) == pytest.approx(value)
    assert status["desiredScale"] == replicas


async def test_a_rate_after_a_restart_of_all(world: World) -> None:
    """When all pods restart at once, nobody knows their rates, and replicas stay."""
    pods = add(world, source("inferenceEngine", "100", targetMetric="generation_tokens"))

    def count(per_s: float) -> None:
        """Have each pod count tokens at that rate, from 0 on."""
        started_s = loop_s()
        name = b"vllm:generation_tokens_total"
        pods.say(lambda: name + b" %f\n" % (per_s * (loop_s() - started_s)))

    count(100)
    async with world.leading():
        for _ in range(8):
            await asyncio.sleep(7.5)
            assert world.status("chat")["desiredScale"] == 4
        count(100)
        for _ in range(8):
            await asyncio.sleep(7.5)
            assert world.status("chat")["desiredScale"] == 4
        count(200)
        await asyncio.sleep(40)
    assert world.status("chat")["desiredScale"] == 8


async def test_a_waiting_queue_alone_is_warned_of(world: World) -> None:
    """The condition says what to add, an event says it once, and adding it ends the warning."""
    pods = add(world, source("inferenceEngine", targetMetric="requests_waiting"))
    pods.say(b"vllm:num_requests_waiting 1\nvllm:num_requests_running 1\n")
    async with world.leading():
        await asyncio.sleep(40)
        warning = world.condition("chat", "SignalWarning")
        assert (warning["status"], warning["reason"]) == ("True", "WeakSignal")
        assert "requests_running" in warning["message"]
        assert world.events().count(("chat", "Warning", "SignalWarning")) == 1
        sources = [source("inferenceEngine"), source("inferenceEngine", name="waiting")]
        world.edit("chat", metricsSources=sources)
        await asyncio.sleep(20)
    assert world.condition("chat", "SignalWarning") == {}
