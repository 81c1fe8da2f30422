"""A changed decision is one line of the log, and everything it was made of stands in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from budaiscaler.domain.api import validation
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from tests import samples
from tests.conftest import NOON
from tests.evaluator.world import NAMESPACE, FakeGpus, World

pytestmark = pytest.mark.looptime

Line = MutableMapping[str, Any]


def _decisions(logs: list[Line]) -> list[Line]:
    """The lines as they are on disk: JSON, with times as texts."""
    lines = [line for line in logs if line["event"] == "decision"]
    return [json.loads(json.dumps(line, default=str)) for line in lines]


def _replay(line: Line) -> Decision:
    decision, _ = decide(
        validation.parse_spec(line["spec"]),
        TypeAdapter(Observation).validate_python(line["observation"]),
        TypeAdapter(State).validate_python(line["state"]),
        datetime.fromisoformat(line["now"]),
    )
    return decision


async def test_a_decision_can_be_made_again_from_its_line(world: World, logs: list[Line]) -> None:
    """Loss of pods, a dead source and odd numbers: each line replays to the bit."""
    world.add("chat", replicas=7, says=(0.1, 0.2, 8.1), minReplicas=2)
    world.source.answers["usage"] = NoData(NoDataReason.TIMEOUT, "too slow")
    world.edit(
        "chat", metricsSources=[samples.total("0.3", name="chat"), samples.level(name="usage")]
    )
    decided = []
    async with world.leading() as evaluator:
        for step in range(4):
            await asyncio.sleep(0.5)
            decided.append(evaluator.outcomes[NAMESPACE, "chat"].decision)
            world.set_ready("chat", step, ready=False)
            world.source.answers["usage"] = 6.1 + 3 * step
            world.edit("chat", maxReplicas=50 - step)
    lines = _decisions(logs)
    assert len(lines) == 4
    replayed = [_replay(line) for line in lines]
    assert all(decision in decided for decision in replayed)
    for line, decision in zip(lines, replayed, strict=True):
        assert line["desired_load"] == decision.desired_load


async def test_a_decision_in_a_pause_can_be_made_again(world: World, logs: list[Line]) -> None:
    """What is paused, and until when, is part of what was seen."""
    world.add("chat", replicas=7, says=3.0)
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        world.annotate("chat", paused="ScaleDown until 2026-01-05T13:00:00Z")
        await asyncio.sleep(1)
        decided = evaluator.outcomes[NAMESPACE, "chat"].decision
    free, paused = map(_replay, _decisions(logs))
    assert (free.desired_replicas, paused.desired_replicas) == (3, 7)
    assert paused == decided


async def test_a_decision_of_the_kpa_strategy_can_be_made_again(
    world: World, logs: list[Line]
) -> None:
    """Windows and panic are in the line, and the annotations that tune them."""
    world.add("chat", replicas=4, says=4.1, scalingStrategy="KPA")
    world.annotate("chat", **{"panic-threshold": "150"})
    evaluator = world.evaluator(strategy=Strategy.KPA)
    async with world.leading(evaluator):
        decided = []
        for load in (4.1, 20.3, 0.7):
            world.source.answers["chat"] = load
            await asyncio.sleep(400)
            decided.append(evaluator.outcomes[NAMESPACE, "chat"].decision)
    lines = _decisions(logs)
    replayed = [_replay(line) for line in lines]
    assert [one.desired_replicas for one in replayed] == [
        line["desired_replicas"] for line in lines
    ]
    assert [one.desired_replicas for one in decided if one is not None] == [5, 21, 4]
    memories = [one["memory"] for line in lines for one in line["state"]["kpa"].values()]
    assert any(memory["panic_since"] for memory in memories)


async def test_gpus_are_in_the_line_and_their_endpoint_is_not(
    world: World, logs: list[Line]
) -> None:
    """What they told replays as well; a URL decides nothing, and may carry a password."""
    world.add(
        "chat",
        says=1.0,
        gpuConfig={
            "enabled": True,
            "gpuMemoryThreshold": 70,
            "gpuComputeThreshold": 80,
            "dcgmEndpoint": "http://user:secret@exporter:9400",
        },
    )
    gpus = world.gpu = FakeGpus()
    async with world.leading() as evaluator:
        decided = []
        for answer in (
            GpuReading(Reading(90.3, 0.1, 4, 4), NoData(NoDataReason.METRIC_NOT_FOUND, "none"), 4),
            GpuReading(Reading(10.1, 0.1, 4, 4), Reading(99.9, 0.1, 4, 4), 4, "H100"),
            NoData(NoDataReason.UNREACHABLE, "it is down"),
        ):
            gpus.answer = answer
            await asyncio.sleep(100)
            decided.append(evaluator.outcomes[NAMESPACE, "chat"].decision)
    lines = _decisions(logs)
    assert [line["desired_replicas"] for line in lines][-3:] == [6, 5, 4]
    assert [_replay(line) for line in lines][-2:] == decided[-2:]
    assert "secret" not in str(logs)


async def test_what_has_no_effect_is_told_by_the_line_too(world: World, logs: list[Line]) -> None:
    """Whether a field has one may depend on an endpoint; of that its place is logged."""
    fields: dict[str, Any] = {
        "endpoint": "https://user:secret@queue/secret",
        "headers": {"X-Key": "secret"},
        "auth": {"bearerTokenSecretRef": {"name": "queue", "key": "token"}},
        "tls": {"serverName": "a"},
    }
    other = {"targetMetric": "queue", "targetValue": "1", **fields}
    sources = [
        samples.total(name="chat", **fields),
        {**other, "metricSourceType": "external"},
        {**other, "metricSourceType": "pod", "name": "pod", "endpoint": "ftp://me:secret@queue"},
    ]
    gpus = {"metricsSource": "nvml", "dcgmEndpoint": "http://user:secret@exporter"}
    world.add("chat", says=1.0, metricsSources=sources, gpuConfig=gpus)
    async with world.leading() as evaluator:
        await asyncio.sleep(1)
        decided = evaluator.outcomes[NAMESPACE, "chat"].decision
    (line,) = _decisions(logs)
    assert _replay(line) == decided
    logged = [one["endpoint"] for one in line["spec"]["metricsSources"]]
    assert logged == ["https://queue:443", "https://queue:443", "?"]
    assert "secret" not in str(logs)


async def test_only_what_changed_is_logged(world: World, logs: list[Line]) -> None:
    """An hour of the same decision is one line, and a change of it is one more."""
    world.add("chat", replicas=10, says=10.0)
    async with world.leading() as evaluator:
        await asyncio.sleep(3600)
        world.source.answers["chat"] = 20.0
        await asyncio.sleep(3600)
        assert evaluator.counters.changes == 2
    assert [line["desired_replicas"] for line in _decisions(logs)] == [10, 20]


async def test_a_load_that_wavers_is_one_line(world: World, logs: list[Line]) -> None:
    """Now it needs one more and tolerance holds, now it fits: 5 replicas either way.

    For a thousand such scalers a line each time would be a gigabyte an hour.
    """
    world.add("chat", replicas=5, says=5.0)
    bound_by = set()
    async with world.leading() as evaluator:
        for _ in range(60):
            for load in (5.02, 5.0):
                world.source.answers["chat"] = load
                await asyncio.sleep(30)
                decided = evaluator.outcomes[NAMESPACE, "chat"].decision
                assert decided is not None
                bound_by.add(decided.bound_by)
    assert len(bound_by) == 2
    assert [line["desired_replicas"] for line in _decisions(logs)] == [5]


async def test_what_binds_for_a_minute_is_a_line(world: World, logs: list[Line]) -> None:
    """It is logged when it has lasted, and told of its beginning; not again while it goes on."""
    world.add("chat", replicas=5, says=5.0)
    async with world.leading():
        await asyncio.sleep(60)
        world.source.answers["chat"] = 5.02
        await asyncio.sleep(45)
        assert len(_decisions(logs)) == 1
        await asyncio.sleep(3600)
    lines = _decisions(logs)
    assert [line["bound_by"] for line in lines] == ["combine", "tolerance"]
    begun = datetime.fromisoformat(lines[1]["now"]) - NOON
    assert 60 <= begun.total_seconds() <= 60 + 17
    assert _replay(lines[1]).bound_by == "tolerance"


async def test_no_password_is_logged(world: World, logs: list[Line]) -> None:
    """An endpoint and headers may carry one, and decide nothing."""
    source = samples.total(
        name="chat",
        endpoint="http://user:secret@prometheus:9090",
        headers={"Authorization": "Bearer secret"},
    )
    world.add("chat", metricsSources=[source])
    async with world.leading():
        await asyncio.sleep(20)
    assert len(_decisions(logs)) == 1
    assert "secret" not in str(logs)
