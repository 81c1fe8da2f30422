"""The page that a pretended server writes is read by the real reader of pages."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api.sources import EngineType
from budaiscaler.playground.fleet import page
from budaiscaler.playground.fleet.engine import Engine
from budaiscaler.sources import engines, measures, pages
from budaiscaler.sources.pages import Look, Page

ASKED = (
    "requests_running",
    "requests_waiting",
    "kv_cache_usage",
    "generation_tokens",
    "requests",
    "time_to_first_token",
)


def vllm(name: str) -> engines.Measures:
    return engines.find(EngineType.VLLM, name)


def looked(engine: Engine, at_s: float) -> Page:
    text = page.render(engine, model="chat", started_at_s=1_790_000_000)
    names = {name: 0.0 for asked in ASKED for one in vllm(asked) for name in one.names}
    found = pages.read(text.encode(), names, at_s)
    assert isinstance(found, Page)
    return found


def value(look: Look, name: str) -> object:
    return next(read for one in vllm(name) if (read := one.read(look)) is not None)


def test_levels_are_read_as_they_are() -> None:
    """Running, waiting and cache usage by the names that a scaler asks for."""
    engine = Engine(waiting=7.5, running=64.25)
    look = Look(looked(engine, 0.0))

    assert value(look, "requests_running") == 64.25
    assert value(look, "requests_waiting") == 7.5
    assert value(look, "kv_cache_usage") == pytest.approx(engine.cache_usage, rel=1e-4)


def test_rates_and_latencies_come_from_two_looks() -> None:
    """Tokens a second of the story, and the wait for a first token between the looks."""
    engine = Engine()
    for _ in range(120):
        engine.step(4.0, 1.0)
    before = looked(engine, 120.0)
    for _ in range(15):
        engine.step(4.0, 1.0)
    look = Look(looked(engine, 135.0), before)

    assert value(look, "generation_tokens") == pytest.approx(4.0 * 200, rel=0.02)
    assert value(look, "requests") == pytest.approx(4.0, rel=0.02)
    first_s = value(look, "time_to_first_token")
    assert first_s == pytest.approx(engine.latency.first_token_s, rel=0.05)
    assert measures.STARTED in before.found
