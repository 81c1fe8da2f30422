"""Which fields have an effect, and when and why others have none.

A test walks the schema: each field is in `EFFECTIVE` or has rows here. A block of which nothing
inside is named speaks for all that is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_camel

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec, Strategy
from budaiscaler.domain.api.features import GpuConfig, GpuMetricsSource
from budaiscaler.domain.api.sources import MetricsSource, Protocol, SourceTls, SourceType

When = Callable[[ScalerSpec, Any], bool]
"""Whether a row holds; it is given the spec and the innermost object that has the field."""


@dataclass(frozen=True, slots=True)
class Row:
    """When a field that is set has no effect.

    Attributes:
        why: in few words, for the condition.
        when: whether it is so; always, if not given.
        is_planned: whether a later version is to give it one.
    """

    why: str
    when: When | None = None
    is_planned: bool = False


def _is_not(*kinds: SourceType) -> When:
    def when(_: ScalerSpec, source: MetricsSource) -> bool:
        return source.source_type not in kinds

    return when


def _is_metrics_api(_: ScalerSpec, source: MetricsSource) -> bool:
    """Whether the API server is asked, with our own identity, instead of an endpoint."""
    kind = source.source_type
    return kind in {SourceType.RESOURCE, SourceType.CUSTOM} or (
        kind is SourceType.EXTERNAL and not source.endpoint
    )


def _strategy_is(*strategies: Strategy) -> When:
    return lambda spec, _: spec.scaling_strategy in strategies


def _is_own_hpa(spec: ScalerSpec, _: object) -> bool:
    return spec.scaling_strategy is Strategy.HPA and spec.hpa.manage is Manage.NEVER


def has_deletion_costs(spec: ScalerSpec) -> bool:
    """Whether pods can be named that are to go first: by us, to a ReplicaSet's controller."""
    target = spec.scale_target_ref
    return (
        spec.scaling_strategy is not Strategy.HPA
        and target.api_version == "apps/v1"
        and target.kind in {"Deployment", "ReplicaSet"}
    )


def _has_costs(spec: ScalerSpec, _: object) -> bool:
    return spec.cost_config is not None and spec.cost_config.enabled


def _predicts(spec: ScalerSpec, _: object) -> bool:
    config = spec.prediction_config
    return config is not None and (config.enabled or config.enable_learning is True)


def _is_federated(spec: ScalerSpec, _: object) -> bool:
    return spec.multi_cluster_config is not None and spec.multi_cluster_config.enabled


def _has_engine(field: str) -> When:
    """Whether the block of the engine says the same and comes first."""

    def when(_: ScalerSpec, source: MetricsSource) -> bool:
        engine = source.inference_engine_config
        return (
            source.source_type is SourceType.INFERENCE_ENGINE
            and engine is not None
            and getattr(engine, field) is not None
        )

    return when


def _is_not_encrypted(_: ScalerSpec, source: MetricsSource) -> bool:
    """Whether it is asked by http; of the operator's Prometheus nobody here knows."""
    if source.source_type in {SourceType.POD, SourceType.INFERENCE_ENGINE}:
        return source.protocol_type is not Protocol.HTTPS
    return bool(source.endpoint) and not str(source.endpoint).lower().startswith("https://")


def _is_unchecked(_: ScalerSpec, tls: SourceTls) -> bool:
    return tls.insecure_skip_verify


def _is_zero(field: str) -> When:
    return lambda _, owner: getattr(owner, field) == 0


def _is_not_dcgm(_: ScalerSpec, gpu: GpuConfig) -> bool:
    return gpu.metrics_source not in {None, GpuMetricsSource.DCGM}


_OF_PODS = _is_not(SourceType.POD, SourceType.INFERENCE_ENGINE)
_PODS_ARE_ASKED = "pods are not asked"
_API_IS_ASKED = "the API server is asked, not an endpoint"
_OWN_HPA = "hpa.manage is Never: your own HPA has its own behavior"
NOT_OF_HPA = "of the strategies KPA and BudScaler"
OF_KPA = "of the strategy KPA"
OF_REPLICA_SETS = "of the strategies KPA and BudScaler, on Deployments and ReplicaSets"
_SCHEDULER = "placement is the scheduler's"
_OTHER_NAMESPACE = "the workload is in the scaler's own namespace"

_SOURCE = "metricsSources[]"
_UP, _DOWN = "behavior.scaleUp", "behavior.scaleDown"

EFFECTIVE = frozenset(
    {
        "scaleTargetRef",
        "scaleTargetRef.apiVersion",
        "scaleTargetRef.kind",
        "scaleTargetRef.name",
        "minReplicas",
        "maxReplicas",
        "scalingStrategy",
        "metricsSources",
        "mode",
        "paused",
        "behavior",
        "hpa",
        *(
            f"{_SOURCE}.{field}"
            for field in ("name", "metricSourceType", "targetMetric", "targetValue", "targetType")
        ),
        *(
            f"{direction}{field}"
            for direction in (_UP, _DOWN)
            for field in (
                "",
                ".tolerance",
                ".policies[].type",
                ".policies[].value",
                ".policies[].periodSeconds",
                ".startingPods",
            )
        ),
        *(
            f"{_SOURCE}.{field}"
            for field in (
                "describedObject.apiVersion",
                "describedObject.kind",
                "describedObject.name",
                "optional",
                "fallback",
                "fallback.after",
                "fallback.replicas",
                "fallback.behavior",
                "headersFrom[].name",
                "headersFrom[].secretKeyRef",
                "headersFrom[].secretKeyRef.name",
                "headersFrom[].secretKeyRef.key",
                "auth.bearerTokenSecretRef",
                "auth.bearerTokenSecretRef.name",
                "auth.bearerTokenSecretRef.key",
                "auth.basicSecretRef",
                "auth.basicSecretRef.name",
                "auth.basicSecretRef.usernameKey",
                "auth.basicSecretRef.passwordKey",
                "tls.serverName",
                "tls.insecureSkipVerify",
                "inferenceEngineConfig.engineType",
                "inferenceEngineConfig.metricsPort",
                "inferenceEngineConfig.metricsPath",
            )
        ),
        "gpuConfig",
        "gpuConfig.enabled",
        "gpuConfig.metricsSource",
        "scheduleHints",
        *(
            f"scheduleHints[].{field}"
            for field in (
                "name",
                "cronExpression",
                "targetReplicas",
                "duration",
                "timeZone",
                "prewarm",
            )
        ),
    }
)
"""Fields that have their effect, or whose block says when they have none."""

ROWS: Mapping[str, tuple[Row, ...]] = {
    "scaleTargetRef.namespace": (Row(_OTHER_NAMESPACE),),
    **{
        f"scaleTargetRef.{field}": (Row("a workload is found by kind and name"),)
        for field in ("fieldPath", "resourceVersion", "uid")
    },
    "subTargetSelector": (Row("the whole workload is scaled"),),
    "hpa.manage": (Row("of the strategy HPA", _strategy_is(Strategy.KPA, Strategy.BUD_SCALER)),),
    # Sources.
    f"{_SOURCE}.endpoint": (
        Row("only prometheus and external sources have one", _is_not(
            SourceType.PROMETHEUS, SourceType.EXTERNAL
        )),
    ),
    f"{_SOURCE}.promQL": (Row("only prometheus sources have one", _is_not(SourceType.PROMETHEUS)),),
    **{
        f"{_SOURCE}.{field}": (Row(_API_IS_ASKED, _is_metrics_api),)
        for field in ("headers", "headersFrom", "auth", "scrapeTimeout")
    },
    f"{_SOURCE}.tls": (
        Row(_API_IS_ASKED, _is_metrics_api),
        Row("it is asked by http, not https", _is_not_encrypted),
    ),
    f"{_SOURCE}.tls.caBundle": (Row("insecureSkipVerify is set", _is_unchecked),),
    f"{_SOURCE}.protocolType": (Row(_PODS_ARE_ASKED, _OF_PODS),),
    f"{_SOURCE}.port": (
        Row(_PODS_ARE_ASKED, _OF_PODS),
        Row("inferenceEngineConfig.metricsPort is set", _has_engine("metrics_port")),
    ),
    f"{_SOURCE}.path": (
        Row(_PODS_ARE_ASKED, _OF_PODS),
        Row("inferenceEngineConfig.metricsPath is set", _has_engine("metrics_path")),
    ),
    f"{_SOURCE}.describedObject": (
        Row("only custom sources have one", _is_not(SourceType.CUSTOM)),
    ),
    f"{_SOURCE}.inferenceEngineConfig": (
        Row("only inferenceEngine sources have one", _is_not(SourceType.INFERENCE_ENGINE)),
    ),
    # Behaviour.
    **{
        f"{direction}.{field}": (Row(_OWN_HPA, _is_own_hpa),)
        for direction in (_UP, _DOWN)
        for field in ("stabilizationWindowSeconds", "selectPolicy", "policies")
    },
    **{
        f"{direction}.maxScaleRate": (Row(NOT_OF_HPA, _strategy_is(Strategy.HPA)),)
        for direction in (_UP, _DOWN)
    },
    **{
        f"{direction}.startingPods.startingPodWeight": (
            Row("starting replicas are counted as supply anyway"),
        )
        for direction in (_UP, _DOWN)
    },
    **{
        f"{_UP}.startingPods.{field}": (Row(NOT_OF_HPA, _strategy_is(Strategy.HPA)),)
        for field in ("maxStartingPods", "maxStartingPodPercent")
    },
    f"{_UP}.startingPods.bypassGateOnPanic": (
        Row(OF_KPA, _strategy_is(Strategy.HPA, Strategy.BUD_SCALER)),
    ),
    **{
        f"{_DOWN}.startingPods.{field}": (Row("starting replicas hold up growth only"),)
        for field in ("maxStartingPods", "maxStartingPodPercent", "bypassGateOnPanic")
    },
    # What scales beside the metrics.
    **{
        f"gpuConfig.{to_camel(field)}": (Row("0 counts for nothing", _is_zero(field)),)
        for field in ("gpu_memory_threshold", "gpu_compute_threshold")
    },
    "gpuConfig.dcgmEndpoint": (Row("metricsSource is not dcgm", _is_not_dcgm),),
    "gpuConfig.topologyAware": (Row(_SCHEDULER),),
    "gpuConfig.preferredGPUType": (Row(_SCHEDULER),),
    "gpuConfig.vgpuSupport": (Row("virtual GPUs are read as all others"),),
    "gpuConfig.vgpuEnabled": (Row("virtual GPUs are read as all others"),),
    "costConfig": (Row("not yet supported", _has_costs, is_planned=True),),
    "predictionConfig": (Row("not yet supported", _predicts, is_planned=True),),
    "multiClusterConfig": (Row("there is one cluster", _is_federated),),
}  # fmt: skip

ANNOTATIONS: Mapping[str, str | None] = {
    naming.ADOPT_ANNOTATION: None,
    naming.PAUSED_ANNOTATION: None,
    **{
        f"{GROUP}/{name}": NOT_OF_HPA
        for name in (
            "max-scale-up-rate",
            "max-scale-down-rate",
            "scale-up-rate",
            "scale-down-rate",
            "scale-up-tolerance",
            "scale-down-tolerance",
            "tolerance",
            "scale-up-cooldown",
            "scale-down-cooldown",
            "scale-to-zero",
        )
    },
    **{
        f"{GROUP}/{name}": OF_KPA
        for name in (
            "panic-threshold",
            "panic-window",
            "stable-window",
            "activation-scale",
            "initial-scale",
            "scale-down-delay",
            "scale-to-zero-grace-period",
            "scale-to-zero-pod-retention-period",
        )
    },
    f"{GROUP}/pod-deletion-cost": OF_REPLICA_SETS,
    f"{GROUP}/gpu-preferred-type": _SCHEDULER,
    f"{GROUP}/gpu-topology-aware": _SCHEDULER,
    f"{GROUP}/cost-max-hourly": "use costConfig.budgetPerHour",
    f"{GROUP}/cost-max-daily": "use costConfig.budgetPerDay",
    f"{GROUP}/cost-prefer-spot": "use costConfig.preferSpotInstances",
}
"""Annotations that are known, and why one has no effect; None for one that has."""
