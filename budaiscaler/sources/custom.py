"""Metrics of pods or of one object, from custom.metrics.k8s.io, asked as an HPA asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.sources import DescribedObject, MetricsSource
from budaiscaler.domain.errors import KubeError, NotFoundError, QuantityError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.kinds import Kinds
from budaiscaler.kube.port import Kube
from budaiscaler.sources import replicas
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.measuring import Flights
from budaiscaler.sources.metrics_apis import MetricsApi, is_fresh, read_time

GROUP = "custom.metrics.k8s.io"
VERSIONS = ("v1beta2", "v1beta1")
"""Best first."""
VERSION_KNOWN_S = 300.0
ABSENT = f"the cluster does not serve {GROUP}: install an adapter for it, or use another source"

Key = tuple[str, str, str]
"""Path within the namespace, namespace, selector."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value that was answered.

    Attributes:
        about: name of the object that it is about.
        at: when it was sampled; None where it is not told.
    """

    about: str
    value: float
    at: datetime | None
    window_s: float


class CustomSource:
    """Readings, shared by all scalers that ask the same of the same pods."""

    def __init__(
        self,
        kube: Kube,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api = MetricsApi(kube, GROUP, clock, absent=ABSENT)
        self._kinds = Kinds(kube, clock)
        self._clock = clock
        self._wall_clock = wall_clock
        self._answers: Shared[Key, tuple[Value, ...] | NoData] = Shared(clock)
        self._version = ""
        self._version_until_s = 0.0

    @property
    def flights(self) -> Flights:
        """Figures of the requests really made."""
        return self._answers.flights

    @property
    def fetches(self) -> int:
        """Requests really made, for telemetry."""
        return self._answers.fetches

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Ask, or share an answer; see `Source.fetch`."""
        if (problem := _unaskable(request.source)) is not None:
            return problem
        if request.source.described_object is not None:
            return await self._of_object(request, request.source.described_object)
        return await self._of_pods(request)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._answers.close()

    async def _of_pods(self, request: SourceRequest) -> Sample | NoData:
        ready, metric = replicas.ready_pods(request.workload), request.source.target_metric
        if isinstance(ready, NoData):
            return ready
        found = await self._ask(request, f"pods/*/{quote(metric, safe='')}", "pods")
        if isinstance(found, NoData):
            return found
        told = {value.about: value.value for value in found if self._is_fresh(value)}
        values = [told[pod.name] for pod in ready if pod.name in told]
        if not values:
            message = (
                f"{GROUP} has no {metric} of the {len(ready)} ready pods that is new enough: check "
                "targetMetric, and what publishes it"
            )
            return NoData(NoDataReason.EMPTY_RESULT, message)
        size = request.workload.pods_per_replica
        return replicas.sample(values, len(ready), size, self._clock())

    async def _of_object(
        self, request: SourceRequest, described: DescribedObject
    ) -> Sample | NoData:
        metric = quote(request.source.target_metric, safe="")
        about = f"{described.kind} {described.name}"
        group = described.api_version.rpartition("/")[0]
        try:
            plural = await self._kinds.plural(described.api_version, described.kind)
        except NotFoundError as error:
            message = f"{error}: check describedObject"
            return NoData(NoDataReason.BAD_QUERY, message)
        except KubeError:
            message = f"the API server did not tell of kind {described.kind}: check that it runs"
            return NoData(NoDataReason.UNREACHABLE, message)
        resource = f"{plural}.{group}" if group else plural
        path = f"{resource}/{quote(described.name, safe='')}/{metric}"
        if (plural, group) == ("namespaces", ""):  # it has no other inside of it
            path = f"metrics/{metric}"
        found = await self._ask(request, path, about)
        if isinstance(found, NoData):
            return found
        if len(found) != 1:
            message = (
                f"{GROUP} has {len(found)} values of {request.source.target_metric} of {about}, "
                "where one is wanted: check targetMetric, and what publishes it"
            )
            reason = NoDataReason.BAD_ANSWER if found else NoDataReason.EMPTY_RESULT
            return NoData(reason, message)
        if not self._is_fresh(found[0]):
            message = (
                f"what {GROUP} has of {request.source.target_metric} of {about} is too old: check "
                "what publishes it"
            )
            return NoData(NoDataReason.EMPTY_RESULT, message)
        return Sample((found[0].value,), self._clock())

    async def _ask(
        self, request: SourceRequest, path: str, about: str
    ) -> tuple[Value, ...] | NoData:
        metric, namespace = request.source.target_metric, request.namespace
        selector = "" if request.source.described_object else request.workload.selector
        absent = (
            f"nobody publishes {metric} of {about} in namespace {namespace} on {GROUP}: check "
            "targetMetric"
        )

        async def ask() -> tuple[Value, ...] | NoData:
            version = await self._served_version()
            if isinstance(version, NoData):
                return version
            scope = f"/apis/{GROUP}/{version}/namespaces/{quote(namespace, safe='')}"
            params = {"labelSelector": selector} if selector else None
            answer = await self._api.get(f"{scope}/{path}", params, absent=absent)
            return answer if isinstance(answer, NoData) else read_list(answer, metric)

        return await self._answers.get((path, namespace, selector), request.max_age_s, ask)

    async def _served_version(self) -> str | NoData:
        if self._clock() < self._version_until_s:
            return self._version
        answer = await self._api.get(f"/apis/{GROUP}")
        if isinstance(answer, NoData):
            return answer
        served = {version.get("version") for version in answer.get("versions") or ()}
        known = [version for version in VERSIONS if version in served]
        if not known:
            message = f"the cluster serves {GROUP} in none of the versions {', '.join(VERSIONS)}"
            return NoData(NoDataReason.BAD_ANSWER, message)
        self._version, self._version_until_s = known[0], self._clock() + VERSION_KNOWN_S
        return self._version

    def _is_fresh(self, value: Value) -> bool:
        return value.at is None or is_fresh(value.at, value.window_s, self._wall_clock())


def read_list(answer: Mapping[str, Any], metric: str) -> tuple[Value, ...] | NoData:
    """Read a `MetricValueList` of either version."""
    try:
        return tuple(map(_value, answer["items"] or ()))
    except (AttributeError, KeyError, TypeError, ValueError, QuantityError):
        message = f"{GROUP} answered no list of values for {metric}: check the server behind it"
        return NoData(NoDataReason.BAD_ANSWER, message)


def _value(item: Mapping[str, Any]) -> Value:
    return Value(
        about=item["describedObject"]["name"],
        value=quantity.parse(item["value"]),
        at=read_time(item),
        window_s=float(item.get("windowSeconds", item.get("window")) or 0),
    )


def _unaskable(source: MetricsSource) -> NoData | None:
    metric = source.target_metric
    if metric.lower() == naming.DESIRED_LOAD:
        message = (
            f"{metric} is what BudAIScaler itself publishes, so this source would read what it "
            "wrote: set targetMetric to something else"
        )
        return NoData(NoDataReason.BAD_QUERY, message)
    if not naming.is_path_segment(metric):
        message = f"targetMetric cannot be asked of {GROUP}: leave out / and %"
        return NoData(NoDataReason.BAD_QUERY, message)
    return None
