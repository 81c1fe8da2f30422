"""Sources that the HPA of the HPA strategy reads itself, and what it makes of them.

A `resource` source is a Resource metric of our HPA, and a `custom` source a Pods metric: the HPA
controller asks the same APIs, and protects itself against missing metrics. Such a source is left
out of the published load, so it cannot hold that load up either. What an HPA cannot express goes
through the load as every other source: a fraction of a percent, a fallback, an object's metric; and
all of them for a kind of which a replica may be several pods, since an HPA counts pods, and where
GPUs or schedules ask for more than metrics do.

We read these sources, too, to tell what the HPA is about to do; the number is the HPA's own
arithmetic on our reading, which may be some seconds from its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from budaiscaler.domain.algorithms import gpu, needs
from budaiscaler.domain.algorithms.limits import SLACK
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import naming, promql, quantity, shares
from budaiscaler.domain.api.budaiscaler import Manage, Mode, ScalerSpec, Strategy
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType
from budaiscaler.domain.decision import Code, Observation, Rung, Stage
from budaiscaler.domain.readings import NoData, Reading

RESOURCES = ("cpu", "memory")
"""What metrics.k8s.io tells of a pod."""

MOST_PERCENT = 2**31 - 1

_WHOLE = 100.0
_ONE_POD = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a metric of an HPA; one of the two is set.

    Attributes:
        utilization: percent of the requests.
        average: quantity a pod.
    """

    utilization: int | None = None
    average: str | None = None


def split(
    spec: ScalerSpec, *, has_child: bool
) -> tuple[tuple[MetricsSource, ...], dict[str, Target]]:
    """Tell which sources are published, and the targets of those that the HPA reads, by their key.

    Args:
        spec: whose sources.
        has_child: see `Observation.has_child`.
    """
    targets = {source.key: _target(source) for source in spec.metrics_sources}
    if not (has_child and _has_own_metrics(spec)):
        targets = {}
    native = {key: target for key, target in targets.items() if target is not None}
    return tuple(source for source in spec.metrics_sources if source.key not in native), native


def candidate(source: MetricsSource, spec: ScalerSpec, observation: Observation) -> Candidate:
    """Tell what the HPA asks for; without a reading of ours, that it does not go down by itself."""
    current = observation.replicas.current
    found = needs.observed(source, observation)
    if isinstance(found, NoData):
        message = (
            f"{source.key}: the HPA reads it itself; we have no data ({found.reason}), and without "
            f"any it holds {current}"
        )
        rung = Rung(Stage.SOURCE, Code.NATIVE_METRIC, current, current, message)
        return Candidate(float(current), rung, is_hold=True)
    replicas = _replicas(source, found, spec, observation)
    message = (
        f"{source.key}: the HPA reads it itself; by our reading, {found.value:.4g} at a target of "
        f"{source.target:g}, it asks for {replicas}"
    )
    rung = Rung(Stage.SOURCE, Code.NATIVE_METRIC, current, replicas, message)
    return Candidate(float(replicas), rung, has_data=True)


def _has_own_metrics(spec: ScalerSpec) -> bool:
    if gpu.thresholds(spec) or spec.schedule_hints:
        # What they ask for is above all metrics, and in the load. Beside others in one HPA it would
        # share their dead band, and a floor of 11 would leave 10.
        return False
    target = spec.scale_target_ref
    return (
        spec.scaling_strategy is Strategy.HPA
        and spec.hpa.manage is Manage.AUTO
        and spec.mode is Mode.AUTO
        and target.api_version == "apps/v1"
        and target.kind in _ONE_POD
    )


def _target(source: MetricsSource) -> Target | None:
    if source.optional or source.fallback is not None:
        return None
    if source.source_type is SourceType.RESOURCE and source.target_metric in RESOURCES:
        if not source.is_utilization:
            return _average(source)
        percent = source.target
        is_whole = percent.is_integer() and 1 <= percent <= MOST_PERCENT
        return Target(utilization=int(percent)) if is_whole else None
    if source.source_type is SourceType.CUSTOM and source.described_object is None:
        name = source.target_metric
        can_read = naming.is_path_segment(name) and shares.is_plain(name, source.target)
        return _average(source) if can_read else None
    return None


def _average(source: MetricsSource) -> Target | None:
    average = quantity.canonical(source.target_value)
    return Target(average=average) if average is not None else None


def _replicas(
    source: MetricsSource, reading: Reading, spec: ScalerSpec, observation: Observation
) -> int:
    ready = observation.replicas.ready
    answered = reading.answered or ready
    is_total = promql.target_type(source)[0] is TargetType.AVERAGE_VALUE
    return of_pods(
        reading.value / answered if is_total and answered else reading.value,
        source.target,
        Pods(answered, ready, observation.replicas.current),
        (spec.tolerance_up(), spec.tolerance_down()),
        is_utilization=source.is_utilization,
    )


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods that a metric is of.

    Attributes:
        answered: those that have the metric.
        ready: those that are ready, and so should.
        current: replicas asked for.
    """

    answered: int
    ready: int
    current: int


def of_pods(
    mean: float,
    target: float,
    pods: Pods,
    tolerances: tuple[float, float],
    *,
    is_utilization: bool,
) -> int:
    """Compute as the HPA controller does for a metric that each pod has.

    Pods without a metric count as using all that they may when going down, and nothing when going
    up; so do those that are not ready yet. What would then turn round stays as it is.

    Args:
        mean: over the pods that answered, in the unit of the target.
        target: of each pod.
        pods: that there are.
        tolerances: dead bands up and down.
        is_utilization: whether it is percent of the requests, of which the controller takes whole
            ones only, and of which a pod may use a hundred.
    """
    current, answered = pods.current, pods.answered
    full = max(1.0, _WHOLE / target) if is_utilization else 1.0
    ratio = _ratio(mean / target, target, is_utilization=is_utilization)
    counted, filled = answered, 0.0
    if ratio < 1:
        counted = max(pods.ready, answered)
        filled = (counted - answered) * full
    elif ratio > 1:
        counted = max(answered, current)
    new = (answered * mean / target + filled) / counted if counted else mean / target
    new = _ratio(new, target, is_utilization=is_utilization)
    if is_within(new, tolerances):
        return current
    asked = math.ceil(min(new * counted, needs.MAX_NEED) - SLACK)
    turned = (ratio < 1) != (new < 1) or (asked > current if new < 1 else asked < current)
    return current if turned else asked


def is_within(ratio: float, tolerances: tuple[float, float]) -> bool:
    """Whether a ratio is inside the dead band, edges included."""
    up, down = tolerances
    return -down - SLACK <= ratio - 1 <= up + SLACK


def _ratio(ratio: float, target: float, *, is_utilization: bool) -> float:
    ratio = min(ratio, needs.MAX_NEED)
    return math.floor(ratio * target + SLACK) / target if is_utilization else ratio
