"""One pretended server: it slows down as it fills, queues what it cannot take, loses nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.playground.fleet.engine import BOUNDS_S, Engine, Hardware, Shape


def run(engine: Engine, requests_per_s: float, for_s: int) -> Engine:
    for _ in range(for_s):
        engine.step(requests_per_s, 1.0)
    return engine


def test_an_idle_server_is_quick() -> None:
    """One request a second waits for its prompt to be read, and for nobody else."""
    engine = run(Engine(), 1.0, 60)

    assert engine.waiting == 0
    assert engine.latency.first_token_s == pytest.approx(0.1, abs=0.05)
    assert engine.latency.per_token_s < 0.04


def test_tokens_take_longer_the_fuller_the_batch_is() -> None:
    """More load, more requests at once, and more time for each of their tokens."""
    light, heavy = run(Engine(), 2.0, 120), run(Engine(), 5.0, 120)

    assert light.running < heavy.running
    assert light.latency.per_token_s < heavy.latency.per_token_s


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(Shape(600, 200), id="usual"),
        pytest.param(Shape(123, 15), id="done-within-a-second"),
        pytest.param(Shape(12_000, 343), id="long-prompts"),
    ],
)
def test_what_runs_tells_the_load_of_requests_of_any_length(shape: Shape) -> None:
    """Twice the load within the latency target is about twice as many at once, or somewhat more."""
    half, full = (run(Engine(shape), share * shape.served_per_s(), 300) for share in (0.4, 0.8))

    assert half.running > 1
    assert 2 * half.running < full.running < 5 * half.running


def test_what_is_served_within_the_target_is_where_the_formula_says() -> None:
    """At the rate of the closed form a further token takes a tenth of a second."""
    shape = Shape()
    engine = run(Engine(shape), shape.served_per_s(), 600)

    assert engine.waiting == pytest.approx(0, abs=1)
    assert engine.latency.per_token_s == pytest.approx(0.1, rel=0.05)


def test_beyond_what_it_can_do_a_queue_grows_and_waits_longer() -> None:
    """A server that gets twice what it can serve answers no slower each minute, but later."""
    engine = run(Engine(), 12.0, 120)
    queue, wait_s = engine.waiting, engine.latency.first_token_s
    run(engine, 12.0, 60)

    assert queue > 100
    assert engine.waiting > queue
    assert engine.latency.first_token_s > wait_s > 3


def test_a_full_cache_lets_nobody_in() -> None:
    """Long requests fill the cache before the batch, and never beyond what it holds."""
    engine = run(Engine(Shape(20_000, 500)), 5.0, 300)

    assert engine.cache_usage == pytest.approx(0.95, abs=0.01)
    assert engine.running < Hardware().most_running
    assert engine.waiting > 0


@given(
    arrivals=st.lists(st.floats(0, 200), min_size=1, max_size=60),
    prompt=st.floats(1, 20_000),
    output=st.floats(1, 2000),
)
def test_no_request_is_lost_or_made_up(arrivals: list[float], prompt: float, output: float) -> None:
    """What came is waiting, or running, or was answered; bounds of batch and cache hold."""
    engine = Engine(Shape(prompt, output))
    for one in arrivals:
        engine.step(one, 1.0)

    there = engine.waiting + engine.running + engine.counters.requests
    assert there == pytest.approx(sum(arrivals), rel=1e-6, abs=1e-6)
    assert 0 <= engine.running <= engine.hardware.most_running + 1e-6
    assert 0 <= engine.cache_usage <= 1


@given(arrivals=st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_the_histogram_is_cumulative(arrivals: list[float]) -> None:
    """No bucket holds fewer than one before it, and none more than there were."""
    engine = Engine()
    for one in arrivals:
        engine.step(one, 1.0)

    counts = [engine.counters.first_tokens[bound] for bound in BOUNDS_S]
    assert counts == sorted(counts)
    assert counts[-1] <= engine.counters.first_token_count + 1e-9
