"""The spec of a `BudAIScaler`, as far as this version gives it an effect.

Descriptions end up in the CRD, so `kubectl explain` prints them: each says unit and default.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.base import ApiModel

KIND = "BudAIScaler"
PLURAL = "budaiscalers"

MAX_SOURCES = 32
"""A bound is needed for the API server to accept rules that compare sources with each other."""

NUMBER_LENGTH = 64
"""A rule checks the form: a pattern would tell users a regular expression."""

MAX_HEADERS = 16
HeaderValue = Annotated[str, Field(max_length=4096)]


class Strategy(StrEnum):
    """Who computes and who acts; see the design's table of strategies."""

    HPA = "HPA"
    KPA = "KPA"
    BUD_SCALER = "BudScaler"


class SourceType(StrEnum):
    """Where a source's number comes from."""

    POD = "pod"
    RESOURCE = "resource"
    CUSTOM = "custom"
    EXTERNAL = "external"
    PROMETHEUS = "prometheus"
    INFERENCE_ENGINE = "inferenceEngine"


class TargetType(StrEnum):
    """How a source's number relates to the replicas."""

    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


class Manage(StrEnum):
    """Whether the controller makes the HPA of the HPA strategy."""

    AUTO = "Auto"
    NEVER = "Never"


class SelectPolicy(StrEnum):
    """Which of several policies applies."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class PolicyType(StrEnum):
    """Unit of a scaling policy."""

    PODS = "Pods"
    PERCENT = "Percent"


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


class MetricsSource(ApiModel):
    """One input of the decision."""

    name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Name of this source, unique among the sources; its value is published "
            "under it, in lower case, with the characters that a path cannot carry replaced by an "
            "underscore. Default: targetMetric.",
        ),
    ] = None
    metric_source_type: Annotated[
        SourceType | None,
        Field(description="Kind of source. Default: prometheus when promQL is set, else pod."),
    ] = None
    target_metric: Annotated[
        str,
        Field(
            max_length=253,
            description="Name of the metric.",
        ),
    ]
    target_value: Annotated[
        str,
        Field(
            max_length=NUMBER_LENGTH,
            description='Target of one replica, a number or quantity above 0, for example "5" '
            'or "500m".',
        ),
    ]
    target_type: Annotated[
        TargetType | None,
        Field(
            description="Value: the source gives a level per replica: one sample a pod, or one "
            "mean of all. AverageValue: it gives a total over all replicas. Default for "
            "prometheus: AverageValue when the whole expression is one sum or count, else Value. "
            "Default for all others: Value.",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="Of a prometheus source: base URL of the server, for example "
            "http://prometheus.monitoring:9090; default: the operator's --prometheus-url. Of an "
            "external source: URL that answers a number, or JSON with one under value or "
            "targetMetric; it is asked with the query parameters namespace and metric. Default: "
            "targetMetric is looked up on external.metrics.k8s.io in the scaler's namespace.",
        ),
    ] = None
    headers: Annotated[
        dict[str, HeaderValue] | None,
        Field(
            max_length=MAX_HEADERS,
            description="HTTP headers to send to the endpoint of an external source, by name. "
            "Whoever may read the scaler may read them. Default: none.",
        ),
    ] = None
    prom_ql: Annotated[
        str | None,
        Field(
            alias="promQL",
            max_length=16384,
            description="PromQL expression of a prometheus source; an instant query that gives "
            "a vector or a scalar.",
        ),
    ] = None

    @property
    def key(self) -> str:
        """The name readings, rungs, status entries and the published metric carry."""
        return self.target_metric if self.name is None else self.name

    @property
    def source_type(self) -> SourceType:
        """The type, guessed from the block that is present when it is left out."""
        if self.metric_source_type is not None:
            return self.metric_source_type
        return SourceType.PROMETHEUS if self.prom_ql else SourceType.POD

    @property
    def target(self) -> float:
        """The target of one replica as a number."""
        return quantity.parse(self.target_value)


class ScalingPolicy(ApiModel):
    """How much may change in a period, as in a native HPA."""

    type: Annotated[
        PolicyType, Field(description="Pods: a count. Percent: percent of the current replicas.")
    ]
    value: Annotated[
        int,
        Field(
            gt=0,
            le=2**31 - 1,
            strict=True,
            description="Allowed change in a period, in replicas or percent.",
        ),
    ]
    period_seconds: Annotated[
        int, Field(ge=1, le=1800, strict=True, description="Length of the period in seconds.")
    ]


class ScalingRules(ApiModel):
    """Behaviour in one direction, as in a native HPA."""

    stabilization_window_seconds: Annotated[
        int | None,
        Field(
            ge=0,
            le=3600,
            strict=True,
            description="Seconds of past recommendations to take the safest from. Default: 0 "
            "up, 300 down.",
        ),
    ] = None
    select_policy: Annotated[
        SelectPolicy | None,
        Field(
            description="Which policy applies: Max, Min, or Disabled for no change in this "
            "direction. Default: Max."
        ),
    ] = None
    policies: Annotated[
        tuple[ScalingPolicy, ...] | None,
        Field(
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "atomic"},
            description="Limits of the change. Default: those of the native HPA up; 10 percent "
            "in 60 s down when "
            "the scaler has no behavior at all.",
        ),
    ] = None
    tolerance: Annotated[
        str | None,
        Field(
            max_length=NUMBER_LENGTH,
            description='Dead band around the target as a ratio, for example "0.1". With "0" a '
            "load must still "
            "differ by 2 percent. Default: 0.1.",
        ),
    ] = None


class Behavior(ApiModel):
    """How fast replicas may change."""

    scale_up: Annotated[ScalingRules | None, Field(description="Behaviour when growing.")] = None
    scale_down: Annotated[ScalingRules | None, Field(description="Behaviour when shrinking.")] = (
        None
    )


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
            description="Inputs of the decision; the largest need wins. At least one.",
        ),
    ]
    behavior: Annotated[Behavior | None, Field(description="How fast replicas may change.")] = None
    hpa: Annotated[
        HpaOptions,
        Field(description="Options of the HPA strategy; without effect for the others."),
    ] = HpaOptions()

    def tolerance_up(self) -> float:
        """Dead band above the current replicas, as a ratio."""
        return _tolerance(self.behavior.scale_up if self.behavior else None)

    def tolerance_down(self) -> float:
        """Dead band below the current replicas, as a ratio."""
        return _tolerance(self.behavior.scale_down if self.behavior else None)


DEFAULT_TOLERANCE = 0.1


def _tolerance(rules: ScalingRules | None) -> float:
    if rules is None or rules.tolerance is None:
        return DEFAULT_TOLERANCE
    return quantity.parse(rules.tolerance)
