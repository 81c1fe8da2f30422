"""The evaluator's series, read off its state when Prometheus asks."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.evaluator.telemetry import EvaluatorCollector
from budaiscaler.sources.measuring import Flights
from tests import samples
from tests.evaluator.world import World

pytestmark = pytest.mark.looptime

VERSION = version("budaiscaler")
CHAT = {"namespace": "ml", "name": "chat"}


def _registry(evaluator: Evaluator, world: World) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(EvaluatorCollector(evaluator, lambda: True, lambda: len(world.source.asked)))
    return registry


def _series_of(registry: CollectorRegistry, name: str) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if f'name="{name}"' in line]


async def test_a_pause_that_holds_is_a_limit(world: World) -> None:
    """Who is alerted of a held load finds which limit it is."""
    world.add("chat", replicas=4, says=8.0, paused="ScaleUp")
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        gate = CHAT | {"limit": "gate"}
        assert registry.get_sample_value("budaiscaler_limited", gate) == 1


async def test_a_scaler_has_its_figures(world: World) -> None:
    """Replicas, load, limits, and each source with its value and age."""
    world.add("chat", replicas=4, says=200.0)
    world.source.answers["usage"] = NoData(NoDataReason.TIMEOUT, "too slow")
    sources = [samples.total(name="chat"), samples.level(name="usage")]
    world.edit("chat", metricsSources=sources)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        figures = {
            name: registry.get_sample_value(f"budaiscaler_{name}", CHAT)
            for name in (
                "desired_replicas",
                "current_replicas",
                "ready_replicas",
                "desired_load_replicas",
                "scaling_active",
            )
        }
        assert figures == {
            "desired_replicas": 100,
            "current_replicas": 4,
            "ready_replicas": 4,
            "desired_load_replicas": 100,
            "scaling_active": 1,
        }
        limits = {
            limit: registry.get_sample_value("budaiscaler_limited", CHAT | {"limit": limit})
            for limit in ("bounds", "gate", "tolerance")
        }
        assert limits == {"bounds": 1, "gate": 0, "tolerance": 0}
        queue = CHAT | {"source": "chat"}
        assert registry.get_sample_value("budaiscaler_source_value", queue) == 200
        assert registry.get_sample_value("budaiscaler_source_age_seconds", queue) == 0
        silent = CHAT | {"source": "usage", "reason": "Timeout"}
        assert registry.get_sample_value("budaiscaler_source_no_data", silent) == 1
        usage = CHAT | {"source": "usage"}
        assert registry.get_sample_value("budaiscaler_source_value", usage) is None


async def test_a_scaler_that_is_gone_has_no_series(world: World) -> None:
    """Deleted, given to another strategy, or no longer ours since we do not lead."""
    for name in ("deleted", "given", "kept"):
        world.add(name)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        assert _series_of(registry, "deleted")
        assert _series_of(registry, "given")
        world.delete("deleted")
        world.edit("given", scalingStrategy="KPA")
        await asyncio.sleep(30)
        assert _series_of(registry, "deleted") == []
        assert _series_of(registry, "given") == []
        assert _series_of(registry, "kept")
    assert _series_of(registry, "kept") == []


async def test_a_scaler_that_cannot_be_evaluated_is_not_active_and_has_no_figures(
    world: World,
) -> None:
    """An alert finds it; old figures would hide it."""
    world.add("chat")
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        world.edit("chat", minReplicas=200)
        await asyncio.sleep(1)
        assert registry.get_sample_value("budaiscaler_scaling_active", CHAT) == 0
        assert len(_series_of(registry, "chat")) == 1


async def test_a_scaler_without_data_is_not_active_but_has_its_replicas(world: World) -> None:
    """What is held can still be seen."""
    world.add("chat", says=NoData(NoDataReason.TIMEOUT, "too slow"))
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        assert registry.get_sample_value("budaiscaler_scaling_active", CHAT) == 0
        assert registry.get_sample_value("budaiscaler_desired_replicas", CHAT) == 4


async def test_totals_count_what_happened(world: World) -> None:
    """Evaluations, those that failed, changed decisions, writes, and queries really sent."""
    world.add("chat")
    world.add("invalid", minReplicas=200)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(1)
        world.source.answers["chat"] = 9.0
        await asyncio.sleep(16)
        totals = {
            name: registry.get_sample_value(f"budaiscaler_{name}_total")
            for name in (
                "evaluations",
                "evaluation_failures",
                "decision_changes",
                "status_writes",
                "status_write_errors",
                "source_queries",
                "watch_restarts",
            )
        }
    queries = len(world.source.asked)
    assert totals["evaluations"] == queries + (totals["evaluation_failures"] or 0)
    assert totals["source_queries"] == queries
    assert totals["decision_changes"] == 2
    assert totals["status_writes"] == world.writes() == 3
    assert (totals["status_write_errors"], totals["watch_restarts"]) == (0, 0)


async def test_a_copy_that_does_not_lead_says_so(world: World) -> None:
    """It has its version and its totals, and no scaler."""
    evaluator = world.evaluator()
    registry = CollectorRegistry()
    registry.register(EvaluatorCollector(evaluator, lambda: False, lambda: 0))
    assert registry.get_sample_value("budaiscaler_leader") == 0
    assert registry.get_sample_value("budaiscaler_build_info", {"version": VERSION}) == 1
    assert b'namespace="' not in generate_latest(registry)


async def test_fetches_by_type(world: World) -> None:
    """How long fetches took and why they failed is told by type of source, and by nothing else."""
    flights = Flights()
    flights.record(0.02, None)
    flights.record(3.0, NoData(NoDataReason.TIMEOUT, "late"))
    registry = CollectorRegistry()
    async with world.leading() as evaluator:
        registry.register(
            EvaluatorCollector(
                evaluator, lambda: True, lambda: 2, lambda: {SourceType.PROMETHEUS: flights}
            )
        )
        kind = {"type": "prometheus"}
        latency = "budaiscaler_source_latency_seconds"
        counted = {
            bound: registry.get_sample_value(f"{latency}_bucket", kind | {"le": bound})
            for bound in ("0.01", "0.025", "2.5", "5", "+Inf")
        }
        assert counted == {"0.01": 0, "0.025": 1, "2.5": 1, "5": 2, "+Inf": 2}
        assert registry.get_sample_value(f"{latency}_sum", kind) == 3.02
        assert registry.get_sample_value(f"{latency}_count", kind) == 2
        errors = "budaiscaler_source_errors_total"
        assert registry.get_sample_value(errors, kind | {"reason": "Timeout"}) == 1


async def test_how_late_evaluations_are(world: World) -> None:
    """Three look-ups of two seconds each: all are over 2 s after they were due, and none before."""
    world.add("chat", replicas=4, says=4.0)
    world.source.takes_s["chat"] = 2.0
    async with world.leading(world.evaluator(interval_s=10.0)) as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(30)
        name = "budaiscaler_evaluation_delay_seconds"
        counted = {
            bound: registry.get_sample_value(f"{name}_bucket", {"le": bound})
            for bound in ("1", "2.5", "+Inf")
        }
        total = registry.get_sample_value(f"{name}_count")
    assert total is not None
    assert total >= 3
    assert counted == {"1": 0, "2.5": total, "+Inf": total}


def _replica_seconds(registry: CollectorRegistry, stage: str) -> float | None:
    labels = CHAT | {"bound_by": stage}
    return registry.get_sample_value("budaiscaler_replica_seconds_total", labels)


async def test_each_replica_second_is_charged_to_what_needs_it(world: World) -> None:
    """Of ten that stand the queue needs four; all together it is ten for each second."""
    world.add("chat", replicas=10, says=4.0)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(600)
        needed, idle = (_replica_seconds(registry, stage) for stage in ("combine", "final"))
        assert needed is not None
        assert idle is not None
        assert 4 * 580 <= needed <= 4 * 600
        assert needed / 4 == pytest.approx(idle / 6)


async def test_what_is_held_for_want_of_data_is_charged_to_its_source(world: World) -> None:
    """From the minute on in which the last reading is too old, and also while nobody can look."""
    world.add("chat", replicas=10, says=10.0)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(60)
        world.source.answers["chat"] = NoData(NoDataReason.TIMEOUT, "too slow")
        await asyncio.sleep(600)
        held = _replica_seconds(registry, "source")
        assert held is not None
        world.source.answers["chat"] = RuntimeError("a bug")
        await asyncio.sleep(60)
        world.source.answers["chat"] = 10.0
        await asyncio.sleep(60)
        now_held, needed = (_replica_seconds(registry, stage) for stage in ("source", "combine"))
        assert now_held is not None
        assert needed is not None
        assert held + 450 <= now_held <= held + 900
        assert now_held + needed == pytest.approx(10 * 780, abs=300)


async def test_a_scaler_that_is_gone_is_charged_no_more(world: World) -> None:
    """Its series go with it, and a copy that leads no more has none."""
    world.add("chat", replicas=10, says=10.0)
    world.add("other", replicas=10, says=10.0)
    async with world.leading() as evaluator:
        registry = _registry(evaluator, world)
        await asyncio.sleep(60)
        assert _replica_seconds(registry, "combine")
        world.delete("chat")
        await asyncio.sleep(60)
        assert _series_of(registry, "chat") == []
        assert _series_of(registry, "other")
    assert _series_of(registry, "other") == []
