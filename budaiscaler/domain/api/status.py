"""The status of a `BudAIScaler`: what was decided, from what, and why.

The evaluator and the controller each apply their own fields server-side under their own field
manager; `conditions` is a list-map by type, so each also owns its own conditions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from budaiscaler.domain.api.base import TIME, ApiModel
from budaiscaler.domain.api.status_features import (
    MAX_HISTORY,
    CostStatus,
    GpuStatus,
    LearningStatus,
    MultiClusterStatus,
    PredictionStatus,
    ScalingHistoryEntry,
)


class ConditionStatus(ApiModel):
    """A `metav1.Condition`."""

    type: Annotated[str, Field(max_length=316, description="What is told about.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it holds.")]
    observed_generation: Annotated[
        int | None, Field(description="Generation of the spec it was told of.")
    ] = None
    last_transition_time: Annotated[
        str, Field(json_schema_extra=TIME, description="When the status last changed.")
    ]
    reason: Annotated[str, Field(max_length=1024, description="Machine-readable reason.")]
    message: Annotated[str, Field(max_length=32768, description="What it means and what to do.")]


class SourceStatus(ApiModel):
    """The last reading of one source."""

    name: Annotated[str, Field(max_length=253, description="Name of the source.")]
    metric: Annotated[str, Field(max_length=253, description="Name it is published under.")]
    value: Annotated[
        str | None,
        Field(max_length=64, description="Last good reading; absent when there never was one."),
    ] = None
    answered: Annotated[
        int | None,
        Field(
            description="How many samples the value was made of: pods for a level, series for a "
            "total."
        ),
    ] = None
    of: Annotated[
        int | None, Field(description="How many there should be; absent where nobody knows.")
    ] = None
    no_data_since: Annotated[
        str | None,
        Field(
            json_schema_extra=TIME,
            description="Since when there is no data; absent while there is.",
        ),
    ] = None
    reason: Annotated[str | None, Field(max_length=253, description="Why there is no data.")] = None


class RungStatus(ApiModel):
    """One rung of the ladder from the readings to the result."""

    stage: Annotated[str, Field(max_length=63, description="Stage of the decision.")]
    code: Annotated[str, Field(max_length=63, description="Stable code of what happened.")]
    from_: Annotated[int, Field(alias="from", description="Replicas before this rung.")]
    to: Annotated[int, Field(description="Replicas after it.")]
    message: Annotated[str, Field(max_length=1024, description="The same in words.")]


class NextStatus(ApiModel):
    """When the decision would change by itself."""

    time: Annotated[
        str, Field(json_schema_extra=TIME, description="When it would change, if nothing else did.")
    ]
    message: Annotated[str, Field(max_length=1024, description="What would change.")]


class ScalerStatus(ApiModel):
    """What the servers report."""

    observed_generation: Annotated[
        int | None, Field(description="Generation of the spec this status is about.")
    ] = None
    actual_scale: Annotated[int | None, Field(description="Replicas the workload has now.")] = None
    desired_scale: Annotated[int | None, Field(description="Replicas it should have.")] = None
    desired_load: Annotated[
        str | None,
        Field(max_length=64, description="The published load, in replicas, with thousandths."),
    ] = None
    bound_by: Annotated[
        str | None, Field(max_length=63, description="Stage that determined the result.")
    ] = None
    reasons: Annotated[
        tuple[RungStatus, ...] | None,
        Field(
            max_length=64,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="The ladder from the readings to the result.",
        ),
    ] = None
    next: Annotated[
        NextStatus | None,
        Field(
            description="When the decision would change by itself; absent while only new data "
            "would change it."
        ),
    ] = None
    decision_time: Annotated[
        str | None, Field(json_schema_extra=TIME, description="When the figures here were decided.")
    ] = None
    holding_since: Annotated[
        str | None,
        Field(
            json_schema_extra=TIME,
            description="Last good decision; present only while no source has data.",
        ),
    ] = None
    last_scale_time: Annotated[
        str | None, Field(json_schema_extra=TIME, description="When the workload was last scaled.")
    ] = None
    scaling_history: Annotated[
        tuple[ScalingHistoryEntry, ...] | None,
        Field(
            max_length=MAX_HISTORY,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="The last ten scalings, oldest first, with those that failed.",
        ),
    ] = None
    sources: Annotated[
        tuple[SourceStatus, ...] | None,
        Field(
            max_length=64,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            description="The last reading of each source.",
        ),
    ] = None
    conditions: Annotated[
        tuple[ConditionStatus, ...] | None,
        Field(
            max_length=32,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
            description="Conditions by type.",
        ),
    ] = None
    decision_state: Annotated[
        str | None,
        Field(
            max_length=4096,
            description="What the evaluator has to remember when its leader changes, as JSON; "
            "versioned, and for nobody else.",
        ),
    ] = None
    gpu_status: Annotated[
        GpuStatus | None, Field(description="GPUs of the target's pods; absent without gpuConfig.")
    ] = None
    cost_status: Annotated[
        CostStatus | None, Field(description="What the workload costs; absent without costConfig.")
    ] = None
    prediction_status: Annotated[
        PredictionStatus | None,
        Field(description="The forecast; absent without predictionConfig and scheduleHints."),
    ] = None
    learning_status: Annotated[
        LearningStatus | None,
        Field(description="What was learnt; absent without predictionConfig."),
    ] = None
    multi_cluster_status: Annotated[
        MultiClusterStatus | None, Field(description="Not written by this version.")
    ] = None
