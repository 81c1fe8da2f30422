"""GPUs as the operator's Prometheus has them, which scrapes the DCGM exporters.

An instant query gives us numbers without labels, so Prometheus does the matching: each query gives
a number a GPU of the pods that it names, and another one counts the pods behind them. Pods are
named in full, since a prefix would also fit those of `chat-large` for `chat`; of many, so many at a
time that a query stays short.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from budaiscaler.domain import readings
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.gpu import MOST_MEMORY_BYTES, GpuObserved, GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Observed
from budaiscaler.sources.base import Sample, Source, SourceRequest
from budaiscaler.sources.gpu.base import GpuRequest, without_pods
from budaiscaler.sources.gpu.series import (
    ACTIVE,
    FREE,
    MIB,
    RESERVED,
    TOTAL,
    USED,
    UTILISATION,
)

PODS_A_QUERY = 100
MOST_MEMORY_MIB = int(MOST_MEMORY_BYTES / MIB)

_BY_GPU = "max by (UUID, GPU_I_ID)"
_MIG, _WHOLE = 'GPU_I_ID!=""', 'GPU_I_ID=""'


@dataclass(frozen=True, slots=True)
class Queries:
    """What is asked about some pods.

    Attributes:
        values: percent, a number a GPU.
        pods: how many pods they are of.
    """

    values: str
    pods: str


@dataclass(frozen=True, slots=True)
class _Selection:
    """Series of some pods of a namespace, whether or not the scrape honoured their labels."""

    namespace: str
    pods: str

    def honoured(self, series: str, condition: str = "") -> str:
        chosen = f'namespace="{self.namespace}",pod=~"{self.pods}",exported_pod=""'
        return f"{series}{{{_and(chosen, condition)}}}"

    def exported(self, series: str, condition: str = "") -> str:
        chosen = f'exported_namespace="{self.namespace}",exported_pod=~"{self.pods}"'
        return f"{series}{{{_and(chosen, condition)}}}"

    def either(self, series: str, condition: str = "") -> str:
        honoured, exported = self.honoured(series, condition), self.exported(series, condition)
        return f"({honoured} or {exported})"

    def memory(self) -> Queries:
        """Used memory of that which there is; what DCGM does not know, it tells as huge."""
        used = f"{_BY_GPU} ({self.either(USED)} < {MOST_MEMORY_MIB})"
        free = f"{_BY_GPU} ({self.either(FREE)})"
        reserved = f"({_BY_GPU} ({self.either(RESERVED)}) or 0 * {free})"
        total = f"({_BY_GPU} ({self.either(TOTAL)}) or ({used} + {free} + {reserved}))"
        share = f"100 * {used} / (0 < {total} <= {MOST_MEMORY_MIB})"
        return Queries(f"({share}) <= 100", self._count(f"{{}} < {MOST_MEMORY_MIB}", (USED, "")))

    def compute(self) -> Queries:
        """Utilisation, and where there is none the share of time in which engines were active."""
        mig = f"100 * {_BY_GPU} ({self.either(ACTIVE, _MIG)} <= 1)"
        whole = f"{_BY_GPU} ({self.either(UTILISATION, _WHOLE)} <= 100)"
        other = f"100 * {_BY_GPU} ({self.either(ACTIVE, _WHOLE)} <= 1)"
        told = ((ACTIVE, _MIG), (UTILISATION, _WHOLE), (ACTIVE, _WHOLE))
        return Queries(f"({mig}) or ({whole}) or ({other})", self._count("{} <= 100", *told))

    def _count(self, valid: str, *series: tuple[str, str]) -> str:
        """Count pods under both names of their label; none is 0."""
        counts = []
        for label, make in (("pod", self.honoured), ("exported_pod", self.exported)):
            found = " or ".join(f"({valid.format(make(*one))})" for one in series)
            counts.append(f"(count(count by ({label}) ({found})) or vector(0))")
        return " + ".join(counts)


class PrometheusGpus:
    """Reads GPUs by queries; who asks the same shares the answer.

    Args:
        source: of instant queries; without an endpoint it asks the operator's own server.
        clock: monotonic seconds.
    """

    def __init__(self, source: Source, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock

    async def read(self, request: GpuRequest) -> GpuObserved:
        """Read the target's GPUs; see `GpuReader.read`."""
        if (nothing := without_pods(request)) is not None:
            return nothing
        chosen = list(_selections(request))
        (memory, gpus), (compute, busy) = await asyncio.gather(
            self._mean(request, [one.memory() for one in chosen], f"{USED} and {FREE}"),
            self._mean(request, [one.compute() for one in chosen], f"{UTILISATION} or {ACTIVE}"),
        )
        if isinstance(memory, NoData) and isinstance(compute, NoData):
            return memory
        return GpuReading(memory, compute, max(gpus, busy))

    async def _mean(
        self, request: GpuRequest, queries: Sequence[Queries], series: str
    ) -> tuple[Observed, int]:
        """Mean over the GPUs of all queries, and how many they are; one that fails is silent."""
        answers = await asyncio.gather(*(self._both(request, one) for one in queries))
        good = [answer for answer in answers if not isinstance(answer, NoData)]
        values = [value for found, _ in good for value in found.values]
        if not values:
            failures = [answer for answer in answers if isinstance(answer, NoData)]
            other = [one for one in failures if one.reason is not NoDataReason.EMPTY_RESULT]
            return (other[0] if other else _nothing(series)), 0
        pods = request.pods
        answered = min(sum(count for _, count in good), len(pods.names))
        mean = readings.reading(
            math.fsum(values) / len(values),
            age_s=max(0.0, *(self._clock() - found.at_s for found, _ in good)),
            answered=pods.replicas(answered),
            of=pods.replicas(len(pods.names)),
        )
        return mean, len(values)

    async def _both(self, request: GpuRequest, queries: Queries) -> tuple[Sample, int] | NoData:
        values, pods = await asyncio.gather(
            *(self._query(request, query) for query in (queries.values, queries.pods))
        )
        if isinstance(values, NoData):
            return values
        if isinstance(pods, NoData):
            return pods
        return values, int(sum(value for value in pods.values if math.isfinite(value)))

    async def _query(self, request: GpuRequest, query: str) -> Sample | NoData:
        source = MetricsSource.model_validate(
            {
                "metricSourceType": "prometheus",
                "targetMetric": "gpu",
                "targetValue": "1",
                "promQL": query,
            }
        )
        return await self._source.fetch(
            SourceRequest(request.namespace, source, request.max_age_s, request.workload)
        )


def _selections(request: GpuRequest) -> Iterator[_Selection]:
    names = sorted(pod.name for pod in request.ready)
    for start in range(0, len(names), PODS_A_QUERY):
        yield _Selection(request.namespace, any_of(names[start : start + PODS_A_QUERY]))


def any_of(names: Sequence[str]) -> str:
    """Write a regular expression of exactly these names; what they share is written once."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in names:
        stem, dash, end = name.rpartition("-")
        by_stem[stem + dash].append(end)
    # Prometheus reads a string before it reads the expression in it.
    return "|".join(
        f"{re.escape(stem)}({'|'.join(map(re.escape, ends))})" for stem, ends in by_stem.items()
    ).replace("\\", "\\\\")


def _and(chosen: str, condition: str) -> str:
    return f"{chosen},{condition}" if condition else chosen


def _nothing(series: str) -> NoData:
    message = (
        f"the operator's Prometheus has no {series} of the target's pods: check that it scrapes "
        "the DCGM exporters, and that they run with pod attribution"
    )
    return NoData(NoDataReason.METRIC_NOT_FOUND, message)
