"""The spec of an HPA (`autoscaling/v2`) as Kubernetes' HPA controller reads it, defaults filled in.

Source of the defaults: `GenerateHPAScaleUpRules` and `GenerateHPAScaleDownRules` of Kubernetes, and
the controller's flags. An HPA with any `behavior` has one in both directions; an HPA without any
keeps the rules from before there was one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationError

from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.base import ApiModel, IntOrString
from budaiscaler.domain.api.behavior import (
    DEFAULT_TOLERANCE,
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from budaiscaler.domain.errors import InvalidSpecError

SYNC_PERIOD_S = 15.0
"""`--horizontal-pod-autoscaler-sync-period`."""

DOWNSCALE_STABILIZATION_S = 300
"""`--horizontal-pod-autoscaler-downscale-stabilization`: the window of an HPA that names none."""

PERIOD_S = 15

_DOUBLE = ScalingPolicy(type=PolicyType.PERCENT, value=100, period_seconds=PERIOD_S)
_FOUR = ScalingPolicy(type=PolicyType.PODS, value=4, period_seconds=PERIOD_S)

_UP = ScalingRules(
    stabilization_window_seconds=0, select_policy=SelectPolicy.MAX, policies=(_FOUR, _DOUBLE)
)
_DOWN = ScalingRules(
    stabilization_window_seconds=DOWNSCALE_STABILIZATION_S,
    select_policy=SelectPolicy.MAX,
    policies=(_DOUBLE,),
)


class MetricType(StrEnum):
    """Where the HPA controller gets a metric from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"

    @property
    def is_of_pods(self) -> bool:
        """Whether each pod has a number of its own."""
        return self in (MetricType.RESOURCE, MetricType.CONTAINER_RESOURCE, MetricType.PODS)

    @property
    def failure(self) -> str:
        """Reason of `ScalingActive=False` where it cannot be had."""
        return f"FailedGet{self}Metric"


class MetricTargetType(StrEnum):
    """What the number of a metric is compared with."""

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


@dataclass(frozen=True, slots=True)
class HpaMetric:
    """One metric.

    Attributes:
        target: percent of the requests, or a quantity: a pod, or in all for `Value`.
    """

    type: MetricType
    name: str
    target_type: MetricTargetType
    target: float


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """What an HPA asks for.

    Attributes:
        behavior: with every default in it; None where the HPA has none at all.
    """

    min_replicas: int
    max_replicas: int
    metrics: tuple[HpaMetric, ...]
    behavior: Behavior | None

    def tolerances(self, *, are_kept: bool = True) -> tuple[float, float]:
        """Dead bands up and down, as ratios.

        Args:
            are_kept: whether the API server knows the field; before 1.35 it drops it.
        """
        behavior = self.behavior if are_kept else None
        ways = (behavior.scale_up, behavior.scale_down) if behavior is not None else (None, None)
        up, down = (
            quantity.parse(rules.tolerance)
            if rules is not None and rules.tolerance is not None
            else DEFAULT_TOLERANCE
            for rules in ways
        )
        return up, down


def read(raw: Mapping[str, Any]) -> HpaSpec:
    """Read the `spec` of an HPA.

    Raises:
        InvalidSpecError: it is none; the message names the field.
    """
    try:
        spec = _Spec.model_validate(raw)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        path = ".".join(map(str, ("spec", *detail["loc"])))
        raise InvalidSpecError(f"HorizontalPodAutoscaler: {path}: {detail['msg']}") from error
    behavior = spec.behavior
    if behavior is not None:
        up, down = _over(_UP, behavior.scale_up), _over(_DOWN, behavior.scale_down)
        behavior = Behavior(scale_up=up, scale_down=down)
    return HpaSpec(
        min_replicas=1 if spec.min_replicas is None else spec.min_replicas,
        max_replicas=spec.max_replicas,
        metrics=tuple(_metric(metric) for metric in spec.metrics),
        behavior=behavior,
    )


def _over(defaults: ScalingRules, rules: ScalingRules | None) -> ScalingRules:
    if rules is None:
        return defaults
    said = {name: value for name, value in rules if value is not None}
    return defaults.model_copy(update=said)


class _Target(ApiModel):
    type: MetricTargetType
    value: IntOrString | None = None
    average_value: IntOrString | None = None
    average_utilization: int | None = None


class _Identifier(ApiModel):
    name: str


class _Block(ApiModel):
    name: str = ""
    metric: _Identifier | None = None
    target: _Target


class _Metric(ApiModel):
    type: MetricType
    resource: _Block | None = None
    container_resource: _Block | None = None
    pods: _Block | None = None
    object: _Block | None = None
    external: _Block | None = None


class _Spec(ApiModel):
    min_replicas: int | None = None
    max_replicas: int
    metrics: Annotated[tuple[_Metric, ...], Field(min_length=1)]
    behavior: Behavior | None = None


def _metric(metric: _Metric) -> HpaMetric:
    block = {
        MetricType.RESOURCE: metric.resource,
        MetricType.CONTAINER_RESOURCE: metric.container_resource,
        MetricType.PODS: metric.pods,
        MetricType.OBJECT: metric.object,
        MetricType.EXTERNAL: metric.external,
    }[metric.type]
    if block is None:
        raise InvalidSpecError(
            f"HorizontalPodAutoscaler: a metric of type {metric.type} lacks its block"
        )
    name = block.metric.name if block.metric is not None else block.name
    target = block.target
    if target.average_utilization is not None:
        utilization = float(target.average_utilization)
        return HpaMetric(metric.type, name, MetricTargetType.UTILIZATION, utilization)
    if target.average_value is not None:
        average = quantity.parse(target.average_value)
        return HpaMetric(metric.type, name, MetricTargetType.AVERAGE_VALUE, average)
    if target.value is not None:
        value = quantity.parse(target.value)
        return HpaMetric(metric.type, name, MetricTargetType.VALUE, value)
    raise InvalidSpecError(f"HorizontalPodAutoscaler: metric {name} has no target value")
