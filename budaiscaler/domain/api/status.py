"""The status of a `BudAIScaler`: what was decided, from what, and why.

The evaluator and the controller each apply their own fields server-side under their own field
manager; `conditions` is a list-map by type, so each also owns its own conditions.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from budaiscaler.domain.api.base import ApiModel

TIME = {"format": "date-time"}


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


class ScalingHistoryEntry(ApiModel):
    """One scaling of the workload, or the failure of one."""

    timestamp: Annotated[
        str, Field(json_schema_extra=TIME, description="When it was done, or first failed.")
    ]
    previous_scale: Annotated[int, Field(description="Replicas before.")]
    new_scale: Annotated[int, Field(description="Replicas after, or those that were wanted.")]
    reason: Annotated[
        str, Field(max_length=1024, description="What determined it, in the words of a rung.")
    ]
    algorithm: Annotated[str, Field(max_length=63, description="Strategy that was in force.")]
    success: Annotated[bool, Field(description="Whether the workload was scaled.")]
    error: Annotated[
        str | None, Field(max_length=1024, description="Why not; absent on success.")
    ] = None


MAX_HISTORY = 10


class GpuStatus(ApiModel):
    """The GPUs of the target's ready pods."""

    average_memory_utilization: Annotated[
        int | None,
        Field(description="Mean memory in use, in percent; absent where it is not told."),
    ] = None
    average_compute_utilization: Annotated[
        int | None, Field(description="Mean utilisation, in percent; absent where it is not told.")
    ] = None
    total_gpus: Annotated[
        int | None,
        Field(alias="totalGPUs", description="How many there are; an instance of MIG is one."),
    ] = None
    gpu_type: Annotated[
        str | None, Field(max_length=253, description="Their model, or models.")
    ] = None


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
    gpu_status: Annotated[
        GpuStatus | None,
        Field(description="GPUs of the target; absent while nothing is told of them."),
    ] = None
