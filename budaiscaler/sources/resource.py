"""CPU and memory of the pods, from metrics.k8s.io, as an HPA reads them.

A plain number as target is percent of what the pods request, all together: the pods' own ratios
would weigh a small one as much as a large. A target with a unit is an amount a replica.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from budaiscaler.domain.algorithms.native import RESOURCES
from budaiscaler.domain.api import quantity
from budaiscaler.domain.errors import QuantityError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources import replicas
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.measuring import Flights
from budaiscaler.sources.metrics_apis import (
    MetricsApi,
    ObjectReader,
    is_fresh,
    read_time,
    read_window_s,
)

GROUP = "metrics.k8s.io"
ABSENT = f"the cluster does not serve {GROUP}: install metrics-server, or another that does"

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Usage:
    """What one pod used.

    Attributes:
        at: end of the window over which it was measured.
        amounts: cores and bytes, over all containers; without what one of them does not tell.
    """

    at: datetime
    window_s: float
    amounts: Mapping[str, float]


class ResourceSource:
    """Readings; one list of a workload's pods serves all sources on it."""

    def __init__(
        self,
        kube: ObjectReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = MetricsApi(kube, GROUP, clock, absent=ABSENT)
        self._clock = clock
        self._wall_clock = wall_clock
        self._lists: Shared[Key, Mapping[str, Usage] | NoData] = Shared(clock)

    @property
    def flights(self) -> Flights:
        """Figures of the requests really made."""
        return self._lists.flights

    @property
    def fetches(self) -> int:
        """Requests really made, for telemetry."""
        return self._lists.fetches

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Ask, or share an answer; see `Source.fetch`."""
        source, workload = request.source, request.workload
        if source.target_metric not in RESOURCES:
            message = (
                "a resource source reads cpu or memory: set targetMetric to one of them, or "
                "metricSourceType to custom"
            )
            return NoData(NoDataReason.BAD_QUERY, message)
        ready = replicas.ready_pods(workload)
        if isinstance(ready, NoData):
            return ready
        unasked = _without(source.target_metric, ready) if source.is_utilization else None
        if unasked is not None:
            return unasked
        key = (request.namespace, workload.selector)
        usages = await self._lists.get(key, request.max_age_s, lambda: self._list(*key))
        return usages if isinstance(usages, NoData) else self._sample(request, ready, usages)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._lists.close()

    async def _list(self, namespace: str, selector: str) -> Mapping[str, Usage] | NoData:
        path = f"/apis/{GROUP}/v1beta1/namespaces/{quote(namespace, safe='')}/pods"
        answer = await self._api.get(path, {"labelSelector": selector})
        return answer if isinstance(answer, NoData) else read_list(answer)

    def _sample(
        self, request: SourceRequest, ready: Sequence[Pod], usages: Mapping[str, Usage]
    ) -> Sample | NoData:
        source, workload = request.source, request.workload
        used = self._used(source.target_metric, ready, usages)
        if not used:
            message = (
                f"{GROUP} has no {source.target_metric} of the {len(ready)} ready pods that is "
                "new enough: check the server behind it"
            )
            return NoData(NoDataReason.EMPTY_RESULT, message)
        if source.is_utilization:
            return self._utilization(source.target_metric, ready, used, workload)
        amounts = [amount for _, amount in used]
        return replicas.sample(amounts, len(ready), workload.pods_per_replica, self._clock())

    def _used(
        self, resource: str, ready: Sequence[Pod], usages: Mapping[str, Usage]
    ) -> list[tuple[Pod, float]]:
        now = self._wall_clock()
        found = [(pod, usages[pod.name]) for pod in ready if pod.name in usages]
        return [
            (pod, usage.amounts[resource])
            for pod, usage in found
            if resource in usage.amounts
            and is_fresh(usage.at, usage.window_s, now)
            and not (resource == "cpu" and _is_of_its_start(pod, usage))
        ]

    def _utilization(
        self,
        resource: str,
        ready: Sequence[Pod],
        used: Sequence[tuple[Pod, float]],
        workload: Workload,
    ) -> Sample:
        """One number for all: it is not the mean of those of the pods."""
        which = RESOURCES.index(resource)
        requested = math.fsum(pod.requests[which] or 0.0 for pod, _ in used)
        percent = 100 * math.fsum(amount for _, amount in used) / requested
        size = workload.pods_per_replica
        answered, of = replicas.whole(len(used), size), replicas.whole(len(ready), size)
        return Sample((percent,), self._clock(), answered=answered, of=of)


def _without(resource: str, ready: Sequence[Pod]) -> NoData | None:
    """Name a pod that requests nothing: its use is percent of nothing."""
    for pod in ready:
        if not pod.requests[RESOURCES.index(resource)]:
            message = (
                f"pod {pod.name} requests no {resource} in one of its containers: set "
                f"resources.requests.{resource} there, or write targetValue as an amount with a "
                "unit"
            )
            return NoData(NoDataReason.REQUESTS_MISSING, message)
    return None


def read_list(answer: Mapping[str, Any]) -> Mapping[str, Usage] | NoData:
    """Read a `PodMetricsList`; the usage of each pod by its name."""
    try:
        return {
            item["metadata"]["name"]: usage
            for item in answer["items"] or ()
            if (usage := _usage(item)) is not None
        }
    except (AttributeError, KeyError, TypeError, QuantityError):
        message = f"{GROUP} answered no list of pods: check the server behind it"
        return NoData(NoDataReason.BAD_ANSWER, message)


def _usage(item: Mapping[str, Any]) -> Usage | None:
    at = read_time(item)
    if at is None:
        return None  # of a pod that was not measured yet
    containers = [container.get("usage") or {} for container in item.get("containers") or ()]
    amounts = {
        resource: math.fsum(quantity.parse(container[resource]) for container in containers)
        for resource in RESOURCES
        if containers and all(resource in container for container in containers)
    }
    return Usage(at, read_window_s(item.get("window")), amounts)


def _is_of_its_start(pod: Pod, usage: Usage) -> bool:
    """Whether the window began before the pod was ready: what loading a model takes is no load."""
    if pod.ready_since is None:
        return False
    return (usage.at - timedelta(seconds=usage.window_s)).timestamp() < pod.ready_since
