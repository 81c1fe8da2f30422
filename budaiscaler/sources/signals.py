"""Warns of series that are no good as the only signal, whatever the target.

A waiting queue is empty until it is too late, and then says nothing of how many replicas are too
few; GPU utilisation is near 100 % while a single batch runs.
"""

from __future__ import annotations

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import EngineType, MetricsSource, SourceType
from budaiscaler.sources import engines, expressions

_UTILISATION = frozenset({"DCGM_FI_DEV_GPU_UTIL", "nv_gpu_utilization"})
_WAITING = frozenset(
    measure.series
    for engine in EngineType
    for measure in engines.ALIASES[engine]["requests_waiting"]
    if not measure.where
)


def lint(spec: ScalerSpec) -> str | None:
    """Say what to add if all sources are such signals; None if they are not."""
    kinds = {_weakness(source) for source in spec.metrics_sources}
    if None in kinds or not kinds:
        return None
    what = " and ".join(sorted(kind for kind in kinds if kind is not None))
    return (
        f"the only signal is {what}, which tells too late and too little: add a source of what "
        "the replicas carry, such as requests_running, kv_cache_usage or generation_tokens"
    )


def _weakness(source: MetricsSource) -> str | None:
    """What a source measures, if it is such a signal."""
    series = _series(source)
    if not series:
        return None
    if series <= _WAITING:
        return "a waiting queue"
    return "GPU utilisation" if series <= _UTILISATION else None


def _series(source: MetricsSource) -> frozenset[str]:
    """The series that a source reads, as far as one can tell."""
    config = source.inference_engine_config
    if source.source_type is SourceType.INFERENCE_ENGINE and config is not None:
        measures = engines.find(config.engine_type, source.target_metric)
        waiting = engines.ALIASES[config.engine_type]["requests_waiting"]
        return _WAITING if measures == waiting else frozenset({measures[0].series})
    if source.source_type is SourceType.PROMETHEUS:
        return expressions.series(source.prom_ql or "")
    if source.source_type in {SourceType.POD, SourceType.CUSTOM}:
        return frozenset({source.target_metric})
    return frozenset()
