"""The spec of a `BudAIScaler`: every field of the original's two schemas and documents, and ours.

What has no effect yet is named by `effects`.

Descriptions end up in the CRD, so `kubectl explain` prints them: each says unit and default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from budaiscaler.domain.api import behavior as behaviors
from budaiscaler.domain.api.base import ApiModel, Name
from budaiscaler.domain.api.behavior import Behavior
from budaiscaler.domain.api.features import (
    MAX_HINTS,
    CostConfig,
    GpuConfig,
    MultiClusterConfig,
    PredictionConfig,
    ScheduleHint,
)
from budaiscaler.domain.api.sources import MetricsSource

KIND = "BudAIScaler"
PLURAL = "budaiscalers"

MAX_SOURCES = 32
"""A bound is needed for the API server to accept rules that compare sources with each other."""


class Strategy(StrEnum):
    """Who computes and who acts; see the design's table of strategies."""

    HPA = "HPA"
    KPA = "KPA"
    BUD_SCALER = "BudScaler"


class Manage(StrEnum):
    """Whether the controller makes the HPA of the HPA strategy."""

    AUTO = "Auto"
    NEVER = "Never"


class Mode(StrEnum):
    """Whether anything is scaled."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"


class Pause(StrEnum):
    """Which directions are paused."""

    NONE = "None"
    BOTH = "Both"
    SCALE_UP = "ScaleUp"
    SCALE_DOWN = "ScaleDown"

    @property
    def up(self) -> bool:
        """Whether replicas do not rise."""
        return self in (Pause.BOTH, Pause.SCALE_UP)

    @property
    def down(self) -> bool:
        """Whether replicas do not fall."""
        return self in (Pause.BOTH, Pause.SCALE_DOWN)


class ScaleTargetRef(ApiModel):
    """The workload to scale, in the scaler's own namespace."""

    api_version: Annotated[
        str,
        Field(
            max_length=253,
            description="API version of the workload, as group/version. Default: apps/v1.",
        ),
    ] = "apps/v1"
    kind: Annotated[
        str,
        Field(
            max_length=63,
            description="Kind of the workload; any kind with a scale subresource. Default: "
            "Deployment.",
        ),
    ] = "Deployment"
    name: Annotated[str, Field(max_length=253, description="Name of the workload. Required.")]
    namespace: Annotated[
        Name | None,
        Field(description="Without effect: the workload is in the scaler's own namespace."),
    ] = None
    field_path: Annotated[Name | None, Field(description="Without effect.")] = None
    resource_version: Annotated[Name | None, Field(description="Without effect.")] = None
    uid: Annotated[Name | None, Field(description="Without effect.")] = None


class SubTargetSelector(ApiModel):
    """A part of a workload that is made of several."""

    role_name: Annotated[
        Name | None, Field(description="Role in the workload. Without effect.")
    ] = None


class HpaOptions(ApiModel):
    """Options of the HPA strategy."""

    manage: Annotated[
        Manage,
        Field(
            description="Auto: the controller owns an HPA named <scaler>-hpa unless another "
            "autoscaler targets the "
            "workload. Never: only publish; point your own HPA at desired-load. Default: Auto."
        ),
    ] = Manage.AUTO


class ScalerSpec(ApiModel):
    """What a user asks for."""

    scale_target_ref: Annotated[
        ScaleTargetRef, Field(description="The workload to scale. Required.")
    ]
    min_replicas: Annotated[
        int, Field(ge=0, le=2**31 - 1, strict=True, description="Fewest replicas. Default: 1.")
    ] = 1
    max_replicas: Annotated[
        int, Field(ge=1, le=2**31 - 1, strict=True, description="Most replicas. Required.")
    ]
    scaling_strategy: Annotated[
        Strategy,
        Field(
            description="HPA: a native HPA acts on the published load. KPA, BudScaler: the "
            "controller acts. "
            "Default: BudScaler."
        ),
    ] = Strategy.BUD_SCALER
    metrics_sources: Annotated[
        tuple[MetricsSource, ...],
        Field(
            max_length=MAX_SOURCES,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="Inputs of the decision; the largest need wins. At least one is required.",
        ),
    ]
    sub_target_selector: Annotated[
        SubTargetSelector | None,
        Field(
            description="Part of a workload that is made of several. Without effect: the whole "
            "workload is scaled."
        ),
    ] = None
    behavior: Annotated[
        Behavior | None,
        Field(description="How fast replicas may change. Default: that of its fields."),
    ] = None
    gpu_config: Annotated[
        GpuConfig | None, Field(description="Scaling on GPU readings. Default: none.")
    ] = None
    cost_config: Annotated[
        CostConfig | None, Field(description="A ceiling of cost. Default: none.")
    ] = None
    prediction_config: Annotated[
        PredictionConfig | None, Field(description="Forecasts. Default: none.")
    ] = None
    schedule_hints: Annotated[
        tuple[ScheduleHint, ...] | None,
        Field(
            max_length=MAX_HINTS,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="Floors of replicas at known times. Default: none.",
        ),
    ] = None
    multi_cluster_config: Annotated[
        MultiClusterConfig | None,
        Field(description="Several clusters. Without effect: there is one cluster."),
    ] = None
    mode: Annotated[
        Mode,
        Field(
            description="Auto: scale. Recommend: decide, publish and report, and change nothing. "
            "Default: Auto."
        ),
    ] = Mode.AUTO
    paused: Annotated[
        Pause,
        Field(
            description="Which directions to keep replicas from changing in: None, Both, ScaleUp "
            "or ScaleDown. Default: None."
        ),
    ] = Pause.NONE
    hpa: Annotated[
        HpaOptions,
        Field(
            description="Options of the HPA strategy, without effect for the others. Default: "
            "those of its fields."
        ),
    ] = HpaOptions()

    def tolerance_up(self) -> float:
        """Dead band above the current replicas, as a ratio."""
        return behaviors.tolerance(self.behavior.scale_up if self.behavior else None)

    def tolerance_down(self) -> float:
        """Dead band below the current replicas, as a ratio."""
        return behaviors.tolerance(self.behavior.scale_down if self.behavior else None)
