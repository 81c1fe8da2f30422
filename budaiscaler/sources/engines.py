"""What inference engines write, as data: names for us to ask by, the series behind them, and units.

Series were renamed from version to version, so behind each name stand several, newest first, and
the first that a page has is read. A series' own name works too, and finds what it is called now.
Names that several engines share mean the same thing of each.

Sources: the metrics of vLLM 0.4 to 0.10, of TGI 2 and 3, of SGLang 0.4 and 0.5, and of Triton with
and without its TensorRT-LLM backend, as they document them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from budaiscaler.domain.api.sources import EngineType, MetricsSource, SourceType
from budaiscaler.sources import expressions
from budaiscaler.sources.measures import Kind, Measure, Unit

Measures = tuple[Measure, ...]

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def _gauge(*series: str, unit: Unit = Unit.COUNT) -> Measures:
    return tuple(Measure(Kind.GAUGE, one, unit) for one in series)


def _rate(*series: str, scale: float = 1.0) -> Measures:
    return tuple(Measure(Kind.RATE, one, scale=scale) for one in series)


def _mean(over: str, per: str, unit: Unit, scale: float = 1.0) -> Measures:
    return (Measure(Kind.MEAN, over, unit, per=per, scale=scale),)


def _labelled(series: str, unit: Unit = Unit.COUNT, **where: str) -> Measures:
    return (Measure(Kind.GAUGE, series, unit, where=tuple(sorted(where.items()))),)


def _histogram(
    name: str, *bases: str, unit: Unit = Unit.SECONDS, scale: float = 1.0
) -> dict[str, Measures]:
    """A mean under the name itself, and quantiles under `<name>_p95` and the like."""
    means = tuple(
        Measure(Kind.MEAN, f"{base}_sum", unit, per=f"{base}_count", scale=scale) for base in bases
    )
    return {name: means, f"{name}_mean": means} | {
        f"{name}_{suffix}": tuple(
            Measure(Kind.QUANTILE, f"{base}_bucket", unit, quantile=at, scale=scale)
            for base in bases
        )
        for suffix, at in _QUANTILES.items()
    }


def _called(measures: Measures, *names: str) -> dict[str, Measures]:
    return dict.fromkeys(names, measures)


_CACHE = (
    "kv_cache_usage",
    "kv_cache_usage_perc",
    "kv_cache_utilization",
    "gpu_cache_usage",
    "gpu_cache_usage_perc",
    "cache_usage",
)
_RUNNING = ("requests_running", "num_requests_running", "running_requests")
_WAITING = (
    "requests_waiting",
    "num_requests_waiting",
    "waiting_requests",
    "queue_depth",
    "queue_size",
)

_VLLM: dict[str, Measures] = {
    **_called(
        _gauge("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", unit=Unit.FRACTION), *_CACHE
    ),
    **_called(_gauge("vllm:cpu_cache_usage_perc", unit=Unit.FRACTION), "cpu_cache_usage"),
    **_called(_gauge("vllm:num_requests_running"), *_RUNNING, "batch_size"),
    **_called(
        _gauge("vllm:num_requests_waiting", "vllm:num_requests_waiting_by_reason"), *_WAITING
    ),
    **_called(_gauge("vllm:num_requests_swapped"), "requests_swapped"),
    **_called(_rate("vllm:prompt_tokens_total"), "prompt_tokens"),
    **_called(
        _rate("vllm:generation_tokens_total") + _gauge("vllm:avg_generation_throughput_toks_per_s"),
        "generation_tokens",
        "generation_throughput",
    ),
    **_called(_rate("vllm:request_success_total"), "requests", "request_rate"),
    **_called(_rate("vllm:num_preemptions_total"), "preemptions"),
    **_called(
        _mean("vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total", Unit.FRACTION)
        + _mean(
            "vllm:gpu_prefix_cache_hits_total", "vllm:gpu_prefix_cache_queries_total", Unit.FRACTION
        )
        + _gauge("vllm:gpu_prefix_cache_hit_rate", unit=Unit.FRACTION),
        "prefix_cache_hit_rate",
        "cache_hit_rate",
    ),
    **_histogram("time_to_first_token", "vllm:time_to_first_token_seconds"),
    **_histogram(
        "inter_token_latency",
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
    ),
    **_histogram(
        "time_per_output_token",
        "vllm:request_time_per_output_token_seconds",
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
    ),
    **_histogram("request_latency", "vllm:e2e_request_latency_seconds"),
    **_histogram("queue_time", "vllm:request_queue_time_seconds", "vllm:time_in_queue_requests"),
    **_histogram("prefill_time", "vllm:request_prefill_time_seconds"),
    **_histogram("decode_time", "vllm:request_decode_time_seconds"),
    **_histogram("request_prompt_tokens", "vllm:request_prompt_tokens", unit=Unit.COUNT),
    **_histogram("request_generation_tokens", "vllm:request_generation_tokens", unit=Unit.COUNT),
}

_TGI: dict[str, Measures] = {
    **_called(_gauge("tgi_batch_current_size"), *_RUNNING, "batch_size"),
    **_called(_gauge("tgi_queue_size"), *_WAITING),
    **_called(_gauge("tgi_batch_current_max_tokens"), "batch_max_tokens"),
    **_called(_rate("tgi_request_count"), "requests", "request_rate", "request_count"),
    **_called(_rate("tgi_request_success"), "requests_finished"),
    **_called(_rate("tgi_request_input_length_sum"), "prompt_tokens"),
    **_called(
        _rate("tgi_request_generated_tokens_sum"), "generation_tokens", "generation_throughput"
    ),
    **_histogram("request_latency", "tgi_request_duration"),
    **_histogram("queue_time", "tgi_request_queue_duration"),
    **_histogram("inference_time", "tgi_request_inference_duration"),
    **_histogram("time_per_output_token", "tgi_request_mean_time_per_token_duration"),
    **_histogram("request_prompt_tokens", "tgi_request_input_length", unit=Unit.COUNT),
    **_histogram("request_generation_tokens", "tgi_request_generated_tokens", unit=Unit.COUNT),
}

_SGLANG: dict[str, Measures] = {
    **_called(_gauge("sglang:token_usage", unit=Unit.FRACTION), *_CACHE, "token_usage"),
    **_called(_gauge("sglang:num_running_reqs"), *_RUNNING, "num_running_reqs", "batch_size"),
    **_called(_gauge("sglang:num_queue_reqs"), *_WAITING, "num_queue_reqs"),
    **_called(_gauge("sglang:num_used_tokens"), "used_tokens"),
    **_called(
        _rate("sglang:generation_tokens_total") + _gauge("sglang:gen_throughput"),
        "generation_tokens",
    ),
    **_called(_gauge("sglang:gen_throughput"), "generation_throughput", "gen_throughput"),
    **_called(_rate("sglang:prompt_tokens_total"), "prompt_tokens"),
    **_called(_rate("sglang:cached_tokens_total"), "cached_tokens"),
    **_called(_rate("sglang:num_requests_total"), "requests", "request_rate"),
    **_called(_rate("sglang:num_aborted_requests_total"), "requests_aborted"),
    **_called(
        _gauge("sglang:cache_hit_rate", unit=Unit.FRACTION),
        "prefix_cache_hit_rate",
        "cache_hit_rate",
    ),
    **_histogram("time_to_first_token", "sglang:time_to_first_token_seconds"),
    **_histogram(
        "inter_token_latency",
        "sglang:inter_token_latency_seconds",
        "sglang:time_per_output_token_seconds",
    ),
    **_histogram(
        "time_per_output_token",
        "sglang:time_per_output_token_seconds",
        "sglang:inter_token_latency_seconds",
    ),
    **_histogram("request_latency", "sglang:e2e_request_latency_seconds"),
    **_histogram("queue_time", "sglang:queue_time_seconds"),
    **_called(
        _mean("sglang:queue_time_seconds_sum", "sglang:queue_time_seconds_count", Unit.SECONDS)
        + _gauge("sglang:avg_request_queue_latency", unit=Unit.SECONDS),
        "queue_time",
        "queue_time_mean",
    ),
}

_TRITON: dict[str, Measures] = {
    **_called(
        _labelled(
            "nv_trt_llm_kv_cache_block_metrics", Unit.FRACTION, kv_cache_block_type="fraction"
        ),
        *_CACHE,
    ),
    **_called(
        _labelled("nv_trt_llm_request_metrics", request_type="scheduled")
        + _labelled("nv_trt_llm_request_metrics", request_type="active"),
        *_RUNNING,
        "batch_size",
    ),
    **_called(
        _labelled("nv_trt_llm_request_metrics", request_type="waiting")
        + _gauge("nv_inference_pending_request_count"),
        *_WAITING,
    ),
    **_called(_gauge("nv_inference_pending_request_count"), "pending_requests"),
    **_called(_rate("nv_inference_request_success"), "requests", "request_rate"),
    **_called(_rate("nv_inference_request_failure"), "requests_failed"),
    **_called(_rate("nv_inference_count"), "inferences"),
    **_called(
        _mean("nv_inference_queue_duration_us", "nv_inference_request_success", Unit.SECONDS, 1e-6),
        "queue_time",
        "queue_time_mean",
    ),
    **_called(
        _mean(
            "nv_inference_request_duration_us", "nv_inference_request_success", Unit.SECONDS, 1e-6
        ),
        "request_latency",
        "request_latency_mean",
    ),
    **_called(
        _mean(
            "nv_inference_compute_infer_duration_us",
            "nv_inference_request_success",
            Unit.SECONDS,
            1e-6,
        ),
        "inference_time",
        "inference_time_mean",
    ),
    **_histogram("time_to_first_token", "nv_inference_first_response_histogram_ms", scale=1e-3),
    **_called(_gauge("nv_gpu_utilization", unit=Unit.FRACTION), "nv_gpu_utilization"),
    **_called(_gauge("nv_gpu_memory_used_bytes"), "gpu_memory_used_bytes"),
}

ALIASES: Mapping[EngineType, Mapping[str, Measures]] = {
    EngineType.VLLM: _VLLM,
    EngineType.TGI: _TGI,
    EngineType.SGLANG: _SGLANG,
    EngineType.TRITON: _TRITON,
}
"""By engine: how to read what is asked for by each name."""

OTHER_UNITS: Mapping[str, Unit] = {
    "DCGM_FI_DEV_GPU_UTIL": Unit.PERCENT,
    "DCGM_FI_DEV_MEM_COPY_UTIL": Unit.PERCENT,
    "DCGM_FI_PROF_GR_ENGINE_ACTIVE": Unit.FRACTION,
    "DCGM_FI_PROF_SM_ACTIVE": Unit.FRACTION,
    "DCGM_FI_PROF_SM_OCCUPANCY": Unit.FRACTION,
    "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": Unit.FRACTION,
    "DCGM_FI_PROF_DRAM_ACTIVE": Unit.FRACTION,
    "inference_pool_average_kv_cache_utilization": Unit.FRACTION,
    "llm_d_epp_flow_control_pool_saturation": Unit.FRACTION,
}
"""Shares of other exporters."""


def _by_series(engine: EngineType) -> Iterator[tuple[str, Measures]]:
    """The names that series themselves have, each followed by what it was renamed to or from."""
    for measures in ALIASES[engine].values():
        for measure in measures:
            others = tuple(one for one in measures if one is not measure)
            if measure.kind is Kind.MEAN and measure.series.endswith("_sum"):
                yield measure.series.removesuffix("_sum"), (measure, *others)
            elif measure.kind in {Kind.GAUGE, Kind.RATE} and not measure.where:
                yield measure.series, (measure, *others)


SERIES: Mapping[EngineType, Mapping[str, Measures]] = {
    # Of two ways to read one series, the first in the table.
    engine: dict(reversed(list(_by_series(engine))))
    for engine in EngineType
}
"""By engine: the same for the names of series."""


def find(engine: EngineType, name: str) -> Measures:
    """Tell how to read a name; one that nobody knows is taken as that of a series."""
    known = ALIASES[engine].get(name) or SERIES[engine].get(name)
    if known is not None:
        return known
    return _rate(name) if name.endswith("_total") else _gauge(name, unit=Unit.OTHER)


def unit_of(name: str, engine: EngineType | None = None) -> Unit:
    """Tell the unit of a name; without an engine only of those that mean one thing anywhere."""
    if engine is not None:
        return find(engine, name)[0].unit
    return _UNITS.get(name, Unit.OTHER)


_UNITS: Mapping[str, Unit] = {
    **{name: measures[0].unit for known in SERIES.values() for name, measures in known.items()},
    **OTHER_UNITS,
    **dict.fromkeys(_CACHE, Unit.FRACTION),
}


def unit_factor(source: MetricsSource) -> float:
    """What to multiply a source's number by, so that it is in the unit of its target.

    Whether a series is told in shares of one or in percent is a property of its name. So a listed
    share against a target above 1 is read as percent, whatever kind of source it comes from, and
    nothing is ever guessed from how large a number is.
    """
    unit = _unit_of_source(source)
    if unit is Unit.FRACTION and source.target > 1:
        return 100.0
    return 0.01 if unit is Unit.PERCENT and source.target <= 1 else 1.0


def _unit_of_source(source: MetricsSource) -> Unit:
    kind, config = source.source_type, source.inference_engine_config
    if kind is SourceType.RESOURCE:
        return Unit.OTHER
    if kind is SourceType.INFERENCE_ENGINE and config is not None:
        return unit_of(source.target_metric, config.engine_type)
    if kind is SourceType.PROMETHEUS:
        series = expressions.unit_series(source.prom_ql or "")
        return unit_of(series) if series is not None else Unit.OTHER
    return unit_of(source.target_metric)
