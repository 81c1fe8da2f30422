"""The page of metrics that a server writes: the series of vLLM, by their documented names."""

from __future__ import annotations

from collections.abc import Iterator

from budaiscaler.playground.fleet.engine import Engine

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(engine: Engine, *, model: str, started_at_s: float) -> str:
    """Write the page.

    Args:
        engine: whose.
        model: its label `model_name`.
        started_at_s: when the server started, in seconds since the epoch; by it a reader tells a
            restart.
    """
    return "".join(f"{line}\n" for line in _lines(engine, model, started_at_s))


def _lines(engine: Engine, model: str, started_at_s: float) -> Iterator[str]:
    label = f'model_name="{model}"'
    counters = engine.counters
    yield "# TYPE process_start_time_seconds gauge"
    yield f"process_start_time_seconds {started_at_s:.3f}"
    for name, kind, value in (
        ("num_requests_running", "gauge", engine.running),
        ("num_requests_waiting", "gauge", engine.waiting),
        ("kv_cache_usage_perc", "gauge", engine.cache_usage),
        ("prompt_tokens_total", "counter", counters.prompt_tokens),
        ("generation_tokens_total", "counter", counters.generation_tokens),
        ("request_success_total", "counter", counters.requests),
    ):
        yield f"# TYPE vllm:{name} {kind}"
        yield f"vllm:{name}{{{label}}} {value:.6f}"
    name = "vllm:time_to_first_token_seconds"
    yield f"# TYPE {name} histogram"
    for bound_s, count in counters.first_tokens.items():
        yield f'{name}_bucket{{{label},le="{bound_s}"}} {count:.6f}'
    yield f'{name}_bucket{{{label},le="+Inf"}} {counters.first_token_count:.6f}'
    yield f"{name}_sum{{{label}}} {counters.first_token_sum_s:.6f}"
    yield f"{name}_count{{{label}}} {counters.first_token_count:.6f}"
