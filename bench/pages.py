"""A page as a vLLM of today writes it: eighty kilobytes, most of it buckets of histograms."""

from __future__ import annotations

from collections.abc import Iterator

MODEL = "meta-llama/Llama-3.1-8B"
ENGINES = 3
_TIMES = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000)
_GAUGES = (
    "num_requests_running",
    "num_requests_waiting",
    "kv_cache_usage_perc",
    "gpu_cache_usage_perc",
    "engine_sleep_state",
)
_COUNTERS = (
    "prompt_tokens_total",
    "generation_tokens_total",
    "num_preemptions_total",
    "prefix_cache_queries_total",
    "prefix_cache_hits_total",
)
_LATENCIES = (
    "time_to_first_token_seconds",
    "inter_token_latency_seconds",
    "request_time_per_output_token_seconds",
    "e2e_request_latency_seconds",
    "request_queue_time_seconds",
    "request_inference_time_seconds",
    "request_prefill_time_seconds",
    "request_decode_time_seconds",
)
_SIZES = ("request_prompt_tokens", "request_generation_tokens", "iteration_tokens_total")


def vllm(seed: int = 0) -> bytes:
    """Write one; with a larger `seed`, of a later time."""
    return "".join(f"{line}\n" for line in _lines(seed)).encode()


def _lines(seed: int) -> Iterator[str]:
    for number, name in enumerate(_GAUGES):
        yield from _head(name, "gauge")
        for engine in range(ENGINES):
            yield f"vllm:{name}{_labels(engine)} {(seed + number + engine) % 50 / 4}"
    for number, name in enumerate(_COUNTERS):
        yield from _head(name, "counter")
        for engine in range(ENGINES):
            yield f"vllm:{name}{_labels(engine)} {1e6 * (number + 1) + 1000.0 * seed + engine}"
    for name in _LATENCIES:
        yield from _histogram(name, _TIMES, seed)
    for name in _SIZES:
        yield from _histogram(name, _COUNTS, seed)


def _histogram(name: str, bounds: tuple[float, ...], seed: int) -> Iterator[str]:
    yield from _head(name, "histogram")
    for engine in range(ENGINES):
        count = 0
        for number, bound in enumerate([*map(float, bounds), "+Inf"]):
            count += (number * 7 + engine) % 23 * (seed + 1)
            labels = _labels(engine, f'le="{bound}"')
            yield f"vllm:{name}_bucket{labels} {float(count)}"
        yield f"vllm:{name}_count{_labels(engine)} {float(count)}"
        yield f"vllm:{name}_sum{_labels(engine)} {count * 0.73}"


def _head(name: str, kind: str) -> Iterator[str]:
    yield f"# HELP vllm:{name} What vLLM says of {name.replace('_', ' ')}."
    yield f"# TYPE vllm:{name} {kind}"


def _labels(engine: int, more: str = "") -> str:
    pairs = [f'engine="{engine}"', *([more] if more else []), f'model_name="{MODEL}"']
    return f"{{{','.join(pairs)}}}"
