"""Numbers of anybody's own: from an HTTP endpoint, or from the cluster's external metrics API.

The original also sends the labels of the first pod (`label_<key>`) to an endpoint; it depends on
chance which pod that is, so we do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import quote

from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.errors import QuantityError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.port import Json
from budaiscaler.sources import answers, endpoints
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.coalescing import Coalescer
from budaiscaler.sources.credentials import Credentials, RequestOptions
from budaiscaler.sources.measuring import Flights
from budaiscaler.sources.metrics_apis import MetricsApi, ObjectReader

GROUP = "external.metrics.k8s.io"

Key = tuple[str, str, str, str]
"""Endpoint, namespace, metric, and the identity of what is sent along."""


class Fetcher(Protocol):
    """What we ask of HTTP."""

    async def get(
        self,
        endpoint: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        options: RequestOptions,
    ) -> bytes | NoData:
        """GET a body within a time limit, or say why there is none."""
        ...


class ExternalSource:
    """Readings, shared by all of a namespace that ask the same with the same credentials."""

    def __init__(
        self,
        fetcher: Fetcher,
        kube: ObjectReader,
        credentials: Credentials,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetcher = fetcher
        self._api = MetricsApi(kube, GROUP, clock)
        self._credentials = credentials
        self._clock = clock
        self._coalescer: Coalescer[Key] = Coalescer(clock)

    @property
    def flights(self) -> Flights:
        """Figures of the requests really made."""
        return self._coalescer.flights

    @property
    def fetches(self) -> int:
        """How many those are."""
        return self._coalescer.fetches

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Ask, or share an answer; see `Source.fetch`."""
        source, namespace = request.source, request.namespace
        if source.endpoint:
            options = await self._credentials.options(namespace, source)
            if isinstance(options, NoData):
                return options
            key = (source.endpoint, namespace, source.target_metric, options.identity)
            return await self._coalescer.get(
                key, request.max_age_s, lambda: self._ask_endpoint(namespace, source, options)
            )
        if (problem := _unaskable(source)) is not None:
            return problem
        return await self._coalescer.get(
            ("", namespace, source.target_metric.lower(), ""),
            request.max_age_s,
            lambda: self._ask_cluster(namespace, source.target_metric.lower()),
        )

    async def close(self) -> None:
        """Give up what is under way."""
        await self._coalescer.close()

    async def _ask_endpoint(
        self, namespace: str, source: MetricsSource, options: RequestOptions
    ) -> Sample | NoData:
        endpoint = endpoints.complete(source.endpoint or "")
        if endpoint is None:
            message = (
                "endpoint is no http or https URL: write for example http://queue.default:8080/load"
            )
            return NoData(NoDataReason.BAD_ENDPOINT, message)
        metric = source.target_metric
        params = {"namespace": namespace, "metric": metric}
        body = await self._fetcher.get(endpoint, params, {}, options=options)
        if isinstance(body, NoData):
            return body
        number = answers.read_number(body, metric)
        return number if isinstance(number, NoData) else Sample((number,), self._clock())

    async def _ask_cluster(self, namespace: str, metric: str) -> Sample | NoData:
        path = f"/apis/{GROUP}/v1beta1/namespaces/{quote(namespace, safe='')}"
        absent = (
            f"nobody publishes {metric} for namespace {namespace} on {GROUP}: check targetMetric, "
            "or set endpoint"
        )
        answer = await self._api.get(f"{path}/{quote(metric, safe='')}", absent=absent)
        return answer if isinstance(answer, NoData) else read_items(answer, metric, self._clock())


def read_items(answer: Json, metric: str, now_s: float) -> Sample | NoData:
    """Read an `ExternalMetricValueList`; every item is a sample."""
    items = answer.get("items")
    try:
        labels = [item.get("metricLabels") or {} for item in items or ()]
        values = tuple(quantity.parse(item["value"]) for item in items or ())
    except (AttributeError, KeyError, TypeError, QuantityError):
        message = f"what serves {GROUP} answered no list of values for {metric}"
        return NoData(NoDataReason.BAD_ANSWER, message)
    if any(of.get(naming.LABEL_KIND) == KIND and naming.LABEL_SCALER in of for of in labels):
        return _own(metric)  # summed with its own reading, a scaler would feed on itself
    if not values:
        message = f"{GROUP} has no value of {metric}: check what publishes it"
        return NoData(NoDataReason.EMPTY_RESULT, message)
    return Sample(values, now_s)


def _unaskable(source: MetricsSource) -> NoData | None:
    """Why a name cannot be asked of the cluster: it leads back to us, or fits in no path."""
    metric = source.target_metric.lower()
    if metric == naming.DESIRED_LOAD or metric == naming.published_metric(source.key):
        return _own(metric)
    if metric != naming.published_metric(metric):
        message = (
            f"targetMetric cannot be asked of {GROUP}: use letters, digits and _ . - only, or set "
            "endpoint"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    return None


def _own(metric: str) -> NoData:
    message = (
        f"{metric} on {GROUP} is published by BudAIScaler itself, so this source would read what "
        "it wrote: set endpoint; or, if another server publishes targetMetric, set name to "
        "something else"
    )
    return NoData(NoDataReason.BAD_ENDPOINT, message)
