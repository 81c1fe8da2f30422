"""What scales beside the metrics: GPUs, cost, forecasts, schedules, clusters.

Fields that only the chart of the original had are accepted, so that its objects stay valid.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from budaiscaler.domain.api.base import ApiModel, DurationText, IntOrString, Name

MAX_HINTS = 64
MAX_NAMES = 64
PREWARM_AUTO = "auto"

Percent = Annotated[int, Field(ge=0, le=100, strict=True)]
Weight = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]
_LIST = {"x-kubernetes-list-type": "atomic"}


class GpuMetricsSource(StrEnum):
    """Where GPU readings come from."""

    DCGM = "dcgm"
    NVML = "nvml"
    PROMETHEUS = "prometheus"


class CloudProvider(StrEnum):
    """Whose prices apply."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"


class CostOptimizationMode(StrEnum):
    """What to prefer."""

    BALANCED = "balanced"
    COST_OPTIMIZED = "cost-optimized"
    PERFORMANCE = "performance"


class OnPriceRise(StrEnum):
    """What a price that rises does to replicas that run."""

    HOLD = "Hold"
    REDUCE = "Reduce"


class FederationMode(StrEnum):
    """How several clusters share the load."""

    ACTIVE_ACTIVE = "active-active"
    ACTIVE_PASSIVE = "active-passive"
    LOAD_BALANCED = "load-balanced"


class GpuConfig(ApiModel):
    """Scaling on GPU readings."""

    enabled: Annotated[
        bool, Field(strict=True, description="Whether GPUs are read. Default: false.")
    ] = False
    gpu_memory_threshold: Annotated[
        Percent | None,
        Field(
            description="Target of GPU memory in use, in percent; 0 is as if left out. Default: it "
            "does not count."
        ),
    ] = None
    gpu_compute_threshold: Annotated[
        Percent | None,
        Field(
            description="Target of GPU utilisation, in percent; 0 is as if left out. Default: it "
            "does not count."
        ),
    ] = None
    metrics_source: Annotated[
        GpuMetricsSource | None,
        Field(
            description="dcgm: DCGM exporters, those of the nodes or dcgmEndpoint. nvml: the "
            "GPUs that our own process sees. prometheus: the series of DCGM in the operator's "
            "Prometheus. Default: dcgm."
        ),
    ] = None
    dcgm_endpoint: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="URL of a DCGM exporter, for example http://dcgm-exporter:9400/metrics. "
            "Default: the exporter pods on the nodes of the target's pods.",
        ),
    ] = None
    topology_aware: Annotated[
        bool | None,
        Field(strict=True, description="Without effect: placement is the scheduler's."),
    ] = None
    preferred_gpu_type: Annotated[
        Name | None,
        Field(
            alias="preferredGPUType",
            description="GPU model to prefer. Without effect: placement is the scheduler's.",
        ),
    ] = None
    vgpu_support: Annotated[
        bool | None,
        Field(strict=True, description="Without effect: virtual GPUs are read as all others."),
    ] = None
    vgpu_enabled: Annotated[
        bool | None, Field(strict=True, description="Older name of vgpuSupport. Without effect.")
    ] = None


class CostConfig(ApiModel):
    """A ceiling of cost."""

    enabled: Annotated[
        bool, Field(strict=True, description="Whether the budget limits growth. Default: false.")
    ] = False
    cloud_provider: Annotated[
        CloudProvider | None, Field(description="Whose prices apply. Default: aws.")
    ] = None
    budget_per_hour: Annotated[
        IntOrString | None, Field(description='USD an hour, for example "10.00". Default: none.')
    ] = None
    budget_per_day: Annotated[
        IntOrString | None, Field(description='USD a day, for example "200.00". Default: none.')
    ] = None
    prefer_spot_instances: Annotated[
        bool | None, Field(strict=True, description="Whether spot prices apply. Default: false.")
    ] = None
    spot_fallback_to_on_demand: Annotated[
        bool | None,
        Field(
            strict=True,
            description="Whether on-demand instances do where spot ones lack. Default: true.",
        ),
    ] = None
    cost_optimization_mode: Annotated[
        CostOptimizationMode | None, Field(description="What to prefer. Default: balanced.")
    ] = None
    on_price_rise: Annotated[
        OnPriceRise | None,
        Field(
            description="Hold: a price that rises removes no replica. Reduce: it may. "
            "Default: Hold."
        ),
    ] = None
    max_spot_percentage: Annotated[
        Percent | None,
        Field(description="Most of the replicas on spot instances, in percent. Default: 100."),
    ] = None


class LegacyHint(ApiModel):
    """A hint as the chart of the original had it."""

    cron_expression: Annotated[
        Name | None, Field(description="When; five fields of cron. Default: never.")
    ] = None
    expected_load: Annotated[Name | None, Field(description="Load to expect. Default: none.")] = (
        None
    )
    pre_scale_minutes: Annotated[
        int | None, Field(strict=True, description="Minutes to scale ahead. Default: 0.")
    ] = None


class PredictionConfig(ApiModel):
    """Forecasts."""

    enabled: Annotated[
        bool,
        Field(strict=True, description="Whether a forecast may raise replicas. Default: false."),
    ] = False
    look_ahead_minutes: Annotated[
        int | None,
        Field(
            ge=1,
            le=1440,
            strict=True,
            description="Horizon of the forecast in minutes. Default: the measured time from "
            "asking for a replica to its readiness.",
        ),
    ] = None
    historical_data_days: Annotated[
        int | None,
        Field(ge=1, le=90, strict=True, description="Days of history to learn from. Default: 7."),
    ] = None
    enable_learning: Annotated[
        bool | None, Field(strict=True, description="Whether to learn. Default: true.")
    ] = None
    min_confidence: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            strict=True,
            description="Least confidence of a forecast to act on. Default: 0.7.",
        ),
    ] = None
    max_predicted_replicas: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**31 - 1,
            strict=True,
            description="Most replicas that a forecast may ask for. Default: maxReplicas.",
        ),
    ] = None
    prediction_metrics: Annotated[
        tuple[Name, ...] | None,
        Field(
            max_length=MAX_NAMES,
            json_schema_extra=_LIST,
            description="Sources to forecast, by name. Default: all.",
        ),
    ] = None
    seasonal_metrics: Annotated[
        tuple[Name, ...] | None,
        Field(
            max_length=MAX_NAMES,
            json_schema_extra=_LIST,
            description="Sources to keep a weekly profile of, by name. Default: all.",
        ),
    ] = None
    schedule_hints: Annotated[
        tuple[LegacyHint, ...] | None,
        Field(
            max_length=MAX_HINTS,
            json_schema_extra=_LIST,
            description="Hints of an older chart; use spec.scheduleHints. Default: none.",
        ),
    ] = None


class ScheduleHint(ApiModel):
    """A floor of replicas at known times."""

    name: Annotated[Name, Field(description="Name of the hint, unique in the scaler. Required.")]
    cron_expression: Annotated[
        Name,
        Field(
            description="When it begins: five fields of cron (minute, hour, day of the month, "
            'month, day of the week from 0 for Sunday to 6), for example "0 9 * * 1-5". Required.'
        ),
    ]
    target_replicas: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, strict=True, description="Fewest replicas meanwhile. Required."),
    ]
    duration: Annotated[
        DurationText,
        Field(description="How long it lasts, for example 90m, 2h or 1d; 0s for never. Required."),
    ]
    time_zone: Annotated[
        Name | None,
        Field(description="IANA time zone of the expression, such as Europe/Berlin. Default: UTC."),
    ] = None
    prewarm: Annotated[
        DurationText | None,
        Field(
            description="How long before its time replicas are asked for; auto: one measured "
            "start. Default: not before."
        ),
    ] = None


class MultiClusterConfig(ApiModel):
    """Several clusters; accepted, and without effect in this version."""

    enabled: Annotated[bool, Field(strict=True, description="Default: false.")] = False
    federation_mode: Annotated[
        FederationMode | None, Field(description="How clusters share. Default: load-balanced.")
    ] = None
    target_clusters: Annotated[
        tuple[Name, ...] | None,
        Field(
            max_length=MAX_NAMES,
            json_schema_extra=_LIST,
            description="Clusters by name. Default: none.",
        ),
    ] = None
    cluster_weights: Annotated[
        dict[str, Weight] | None,
        Field(max_length=MAX_NAMES, description="Share of each cluster, by name. Default: none."),
    ] = None
    failover_enabled: Annotated[bool | None, Field(strict=True, description="Default: true.")] = (
        None
    )
    cluster_selector: Annotated[
        dict[str, Name] | None,
        Field(
            max_length=MAX_NAMES, description="Clusters by label, of an older chart. Default: none."
        ),
    ] = None
    federated_metrics: Annotated[
        bool | None, Field(strict=True, description="Of an older chart. Default: false.")
    ] = None
