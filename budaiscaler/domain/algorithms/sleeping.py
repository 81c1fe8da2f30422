"""Whether a workload may stand at 0, and who would wake it."""

from __future__ import annotations

from collections.abc import Iterator

from budaiscaler.domain import conditions
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.annotations import Annotations
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import SourceType, TargetType
from budaiscaler.domain.conditions import Condition

_OUTSIDE_PODS = frozenset({SourceType.PROMETHEUS, SourceType.EXTERNAL, SourceType.CUSTOM})
"""Sources that can tell of a load while there is no pod to ask."""


def can_sleep(spec: ScalerSpec) -> bool:
    """Whether something could wake the workload from 0: a total that lives outside its pods."""
    return any(
        source.source_type in _OUTSIDE_PODS
        and promql.target_type(source)[0] is TargetType.AVERAGE_VALUE
        for source in spec.metrics_sources
    )


def fewest(spec: ScalerSpec, given: Annotations) -> int:
    """Give the fewest replicas: 0 only where it is allowed, and somebody would notice a load."""
    may_sleep = given.scale_to_zero is not False and can_sleep(spec)
    return spec.min_replicas if may_sleep else max(1, spec.min_replicas)


def told(spec: ScalerSpec) -> Iterator[Condition]:
    """Say that 0 is asked for and cannot be had."""
    if spec.min_replicas == 0 and not can_sleep(spec):
        message = (
            "minReplicas is 0, and no source would notice a load while no pod runs, so 1 replica "
            "stays: add a prometheus, external or custom source with targetType AverageValue"
        )
        yield Condition(conditions.SCALE_TO_ZERO, "False", "NothingWakesIt", message)
