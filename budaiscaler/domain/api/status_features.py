"""Blocks of the status that the original has: history, GPUs, cost, forecasts, learning, clusters.

Its two schemas agree on most; where they differ in a type, the generated one is followed, since its
program wrote nothing of the other.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from budaiscaler.domain.api.base import NUMBER_LENGTH, TIME, ApiModel, Name

MAX_HISTORY = 10
MAX_CLUSTERS = 64

Text = Annotated[str, Field(max_length=NUMBER_LENGTH)]
"""A number written for people."""
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


class ScalingHistoryEntry(ApiModel):
    """One change of the replicas that was tried."""

    timestamp: Annotated[str, Field(json_schema_extra=TIME, description="When.")]
    previous_scale: Annotated[Count | None, Field(description="Replicas before.")] = None
    new_scale: Annotated[Count | None, Field(description="Replicas that were asked for.")] = None
    reason: Annotated[str | None, Field(max_length=1024, description="Why.")] = None
    algorithm: Annotated[Name | None, Field(description="Strategy that decided it.")] = None
    success: Annotated[bool | None, Field(description="Whether the workload took it.")] = None
    error: Annotated[
        str | None, Field(max_length=1024, description="Why it did not; absent if it did.")
    ] = None
    from_replicas: Annotated[
        Count | None, Field(description="Older name of previousScale; not written.")
    ] = None
    to_replicas: Annotated[
        Count | None, Field(description="Older name of newScale; not written.")
    ] = None
    trigger_metric: Annotated[Name | None, Field(description="Of an older chart; not written.")] = (
        None
    )
    trigger_value: Annotated[Text | None, Field(description="Of an older chart; not written.")] = (
        None
    )
    target_value: Annotated[Text | None, Field(description="Of an older chart; not written.")] = (
        None
    )
    scaling_strategy: Annotated[
        Name | None, Field(description="Older name of algorithm; not written.")
    ] = None


class GpuStatus(ApiModel):
    """GPUs of the target's pods."""

    average_memory_utilization: Annotated[
        Count | None, Field(description="Mean GPU memory in use, in percent.")
    ] = None
    average_compute_utilization: Annotated[
        Count | None, Field(description="Mean GPU utilisation, in percent.")
    ] = None
    total_gpus: Annotated[
        Count | None, Field(alias="totalGPUs", description="GPUs that were read.")
    ] = None
    gpu_type: Annotated[Name | None, Field(description="Model of the GPUs.")] = None
    allocated_gpus: Annotated[
        Count | None, Field(alias="allocatedGPUs", description="Of an older chart; not written.")
    ] = None


class CostStatus(ApiModel):
    """What the workload costs."""

    current_hourly_cost: Annotated[
        Text | None, Field(description="USD an hour of the replicas there are.")
    ] = None
    projected_daily_cost: Annotated[
        Text | None, Field(description="USD of a day at that rate.")
    ] = None
    budget_utilization: Annotated[
        Count | None, Field(description="Share of the budget in use, in percent.")
    ] = None
    spot_instances_in_use: Annotated[
        Count | None, Field(description="Replicas on spot instances.")
    ] = None
    on_demand_instances_in_use: Annotated[
        Count | None, Field(description="Replicas on on-demand instances.")
    ] = None
    current_cost_per_hour: Annotated[
        Text | None, Field(description="Older name of currentHourlyCost; not written.")
    ] = None
    projected_monthly_cost: Annotated[
        Text | None, Field(description="Of an older chart; not written.")
    ] = None
    last_cost_update: Annotated[
        str | None, Field(json_schema_extra=TIME, description="Of an older chart; not written.")
    ] = None


class PredictionStatus(ApiModel):
    """The forecast."""

    predicted_replicas: Annotated[
        Count | None, Field(description="Replicas that the forecast asks for.")
    ] = None
    prediction_confidence: Annotated[
        Text | None, Field(description="Confidence of the forecast, 0 to 1.")
    ] = None
    next_predicted_change: Annotated[
        str | None,
        Field(
            json_schema_extra=TIME,
            description="When the forecast or a schedule hint would change replicas.",
        ),
    ] = None
    active_schedule_hint: Annotated[
        Name | None, Field(description="Schedule hint that holds now.")
    ] = None
    next_predicted_load: Annotated[
        Text | None, Field(description="Of an older chart; not written.")
    ] = None
    next_scale_time: Annotated[
        str | None,
        Field(
            json_schema_extra=TIME, description="Older name of nextPredictedChange; not written."
        ),
    ] = None


class LearningStatus(ApiModel):
    """What was learnt, and how well it foretells."""

    data_points_collected: Annotated[
        Count | None, Field(description="Observations that profiles are made of.")
    ] = None
    overall_accuracy: Annotated[
        Text | None, Field(description="Accuracy of all forecasts, in percent.")
    ] = None
    direction_accuracy: Annotated[
        Text | None, Field(description="How often the direction was right, in percent.")
    ] = None
    recent_mape: Annotated[
        Text | None,
        Field(alias="recentMAPE", description="Mean absolute error of late, in percent."),
    ] = None
    recent_mae: Annotated[
        Text | None,
        Field(alias="recentMAE", description="Mean absolute error of late, in replicas."),
    ] = None
    seasonal_data_complete: Annotated[
        bool | None, Field(description="Whether every hour of a week has been seen often enough.")
    ] = None
    detected_pattern: Annotated[Name | None, Field(description="Pattern of the workload.")] = None
    pattern_confidence: Annotated[
        Text | None, Field(description="Confidence in that pattern, 0 to 1.")
    ] = None
    calibration_needed: Annotated[
        bool | None, Field(description="Whether the model is to be calibrated.")
    ] = None
    last_calibration: Annotated[
        str | None, Field(json_schema_extra=TIME, description="When it last was.")
    ] = None
    config_map_name: Annotated[
        Name | None, Field(description="ConfigMap that holds what was learnt.")
    ] = None
    oldest_data_point: Annotated[
        str | None, Field(json_schema_extra=TIME, description="Time of the oldest observation.")
    ] = None
    current_seasonal_factor: Annotated[
        Text | None, Field(description="Load of this hour over that of the mean hour.")
    ] = None
    storage_used: Annotated[
        Text | None, Field(description="Size of what was learnt, for example 22Ki.")
    ] = None


class MultiClusterStatus(ApiModel):
    """Several clusters; not written by this version."""

    total_replicas_across_clusters: Annotated[
        Count | None, Field(description="Replicas in all clusters.")
    ] = None
    cluster_distribution: Annotated[
        dict[str, Count] | None,
        Field(max_length=MAX_CLUSTERS, description="Replicas of each cluster, by name."),
    ] = None
    healthy_clusters: Annotated[
        tuple[Name, ...] | None,
        Field(
            max_length=MAX_CLUSTERS,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="Clusters that answer.",
        ),
    ] = None
    unhealthy_clusters: Annotated[
        tuple[Name, ...] | None,
        Field(
            max_length=MAX_CLUSTERS,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="Clusters that do not.",
        ),
    ] = None
