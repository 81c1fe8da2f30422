"""How fast replicas may change: policies as in a native HPA, and what the original adds to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.base import NUMBER_LENGTH, ApiModel


class SelectPolicy(StrEnum):
    """Which of several policies applies."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class PolicyType(StrEnum):
    """Unit of a scaling policy."""

    PODS = "Pods"
    PERCENT = "Percent"


class ScalingPolicy(ApiModel):
    """How much may change in a period, as in a native HPA."""

    type: Annotated[
        PolicyType,
        Field(description="Pods: a count. Percent: percent of the current replicas. Required."),
    ]
    value: Annotated[
        int,
        Field(
            ge=0,
            le=2**31 - 1,
            strict=True,
            description="Allowed change in a period, in replicas or percent; 0 for none, which "
            "the HPA strategy cannot have. Required.",
        ),
    ]
    period_seconds: Annotated[
        int,
        Field(ge=1, le=1800, strict=True, description="Length of the period in seconds. Required."),
    ]


class StartingPods(ApiModel):
    """How replicas that still start hold up more of them."""

    starting_pod_weight: Annotated[
        str | None,
        Field(
            max_length=NUMBER_LENGTH,
            description='Share of a starting replica that counts as capacity, "0" to "1". '
            "Without effect: replicas that start are counted as supply anyway.",
        ),
    ] = None
    max_starting_pods: Annotated[
        int | None,
        Field(
            ge=0,
            le=2**31 - 1,
            strict=True,
            description="Starting replicas at which no more are asked for; 0 for no limit. Without "
            "effect in scaleDown. Default: 0.",
        ),
    ] = None
    max_starting_pod_percent: Annotated[
        int | None,
        Field(
            ge=0,
            le=100,
            strict=True,
            description="The same in percent of all replicas; 0 for no limit. Without effect in "
            "scaleDown. Default: 0.",
        ),
    ] = None
    bypass_gate_on_panic: Annotated[
        bool | None,
        Field(
            strict=True,
            description="Whether panic of the KPA strategy ignores the limits. Without effect in "
            "scaleDown. Default: false.",
        ),
    ] = None


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
    max_scale_rate: Annotated[
        str | None,
        Field(
            max_length=NUMBER_LENGTH,
            description="Most that replicas may be multiplied by at once, of the KPA and "
            'BudScaler strategies, for example "2.0". Default: "2.0" up, "0.5" down.',
        ),
    ] = None
    starting_pods: Annotated[
        StartingPods | None,
        Field(description="How starting replicas hold up more of them. Default: not at all."),
    ] = None


class Behavior(ApiModel):
    """How fast replicas may change."""

    scale_up: Annotated[
        ScalingRules | None,
        Field(description="Behaviour when growing. Default: that of its fields."),
    ] = None
    scale_down: Annotated[
        ScalingRules | None,
        Field(description="Behaviour when shrinking. Default: that of its fields."),
    ] = None


DEFAULT_TOLERANCE = 0.1


def tolerance(rules: ScalingRules | None) -> float:
    """Dead band of one direction, as a ratio."""
    if rules is None or rules.tolerance is None:
        return DEFAULT_TOLERANCE
    return quantity.parse(rules.tolerance)
