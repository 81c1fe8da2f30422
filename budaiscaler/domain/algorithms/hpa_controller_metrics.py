"""What Kubernetes' HPA controller proposes for one metric of an HPA.

Source: `ReplicaCalculator`. It counts in milli-units, a dead band includes its edges, and only a
metric of pods knows which of them did not tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from budaiscaler.domain.algorithms import native
from budaiscaler.domain.algorithms.hpa_controller_spec import HpaMetric, MetricTargetType
from budaiscaler.domain.algorithms.needs import MAX_NEED
from budaiscaler.domain.api import quantity
from budaiscaler.domain.readings import Reading


@dataclass(frozen=True, slots=True)
class Scale:
    """The workload's scale.

    Attributes:
        current: replicas asked for (`scale.spec.replicas`).
        status: replicas that there are, a rollout's surge included (`scale.status.replicas`).
        ready: pods that are running and ready.
    """

    current: int
    status: int
    ready: int


def propose(
    metric: HpaMetric, reading: Reading, scale: Scale, tolerances: tuple[float, float]
) -> int | None:
    """Tell the replicas that one metric asks for; None where no ready pod told.

    Args:
        metric: with its target.
        reading: of a metric of pods the mean over those that told, in percent for `Utilization`,
            with how many told as `answered`; of others the sum of all items.
        scale: as it is now.
        tolerances: dead bands up and down.
    """
    if metric.type.is_of_pods:
        told = scale.ready if reading.answered is None else reading.answered
        if not told or not scale.ready:
            return None
        return native.of_pods(
            reading.value,
            metric.target,
            native.Pods(told, scale.ready, scale.current),
            tolerances,
            is_utilization=metric.target_type is MetricTargetType.UTILIZATION,
        )
    usage, target = _milli(reading.value), _milli(metric.target)
    if metric.target_type is MetricTargetType.AVERAGE_VALUE:
        # With no replica at all the ratio is no number, and so inside of no band.
        ratio = usage / (target * scale.status) if scale.status else math.inf
        asked, stay = usage / target, scale.status
    else:
        ratio = usage / target
        asked, stay = ratio * (scale.ready if scale.current else 1), scale.current
    if stay and native.is_within(ratio, tolerances):
        return stay
    return math.ceil(min(asked, MAX_NEED))


def _milli(value: float) -> int:
    """Read a number as the controller does a quantity: rounded up to whole milli-units."""
    return round(quantity.ceil_to_milli(value) * 1000)
