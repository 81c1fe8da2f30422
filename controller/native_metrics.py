"""Renders the metrics of the child HPA: pure, from a scaler's spec.

What the HPA reads itself comes first, in the order of the sources; `desired-load` stands for all
others, and is left out where there are none. Quantities are written as the API server gives them
back, or each comparison would find an edit.
"""

from __future__ import annotations

from budaiscaler.domain.algorithms import native
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import KIND, ScalerSpec
from budaiscaler.domain.api.sources import MetricsSource, SourceType
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.port import Json


def render(scaler: Scaler, spec: ScalerSpec) -> tuple[list[Json], bool]:
    """Render all metrics; also tell whether `desired-load` is the only one."""
    published, targets = native.split(spec, has_child=True)
    metrics = [
        _native(source, targets[source.key])
        for source in spec.metrics_sources
        if source.key in targets
    ]
    if published:
        metrics.append(_desired_load(scaler))
    return metrics, not targets


def _native(source: MetricsSource, target: native.Target) -> Json:
    rendered: Json = {"type": "AverageValue", "averageValue": target.average}
    if target.utilization is not None:
        rendered = {"type": "Utilization", "averageUtilization": target.utilization}
    if source.source_type is SourceType.RESOURCE:
        resource = {"name": source.target_metric, "target": rendered}
        return {"type": "Resource", "resource": resource}
    return {"type": "Pods", "pods": {"metric": {"name": source.target_metric}, "target": rendered}}


def _desired_load(scaler: Scaler) -> Json:
    """The External metric: AverageValue 1, so replicas land exactly; selected, or it would sum."""
    return {
        "type": "External",
        "external": {
            "metric": {
                "name": naming.DESIRED_LOAD,
                "selector": {
                    "matchLabels": {naming.LABEL_KIND: KIND, naming.LABEL_SCALER: scaler.name}
                },
            },
            "target": {"type": "AverageValue", "averageValue": "1"},
        },
    }
