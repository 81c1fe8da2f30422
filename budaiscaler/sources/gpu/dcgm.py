"""GPUs as DCGM exporters tell them: a given one, or those on the nodes of the target's pods."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from budaiscaler.domain import gpu
from budaiscaler.domain.gpu import Advice, GpuObserved, GpuSample
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import endpoints
from budaiscaler.sources.coalescing import Shared
from budaiscaler.sources.gpu import series
from budaiscaler.sources.gpu.base import GpuRequest, Page, without_pods
from budaiscaler.sources.measuring import Flights

ADVICE = Advice(
    memory="no GPU of the target's pods tells its memory: have the DCGM exporter collect "
    f"{series.USED} and {series.FREE}",
    compute="no GPU of the target's pods tells its utilisation: have the DCGM exporter collect "
    f"{series.UTILISATION}, or under MIG {series.ACTIVE}",
)


class Fetcher(Protocol):
    """What we ask of HTTP."""

    async def get(
        self, endpoint: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> bytes | NoData:
        """GET a body within a time limit, or say why there is none."""
        ...


class ExporterFinder(Protocol):
    """What we ask of the cluster."""

    async def on(self, nodes: Collection[str]) -> tuple[str, ...] | NoData:
        """Give the URLs of the exporters on these nodes."""
        ...


class DcgmGpus:
    """Reads exporters; a page is fetched once for all scalers that have pods on its node.

    Args:
        fetcher: of pages; it decides which addresses may be asked.
        exporters: where they are.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        exporters: ExporterFinder,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetcher = fetcher
        self._exporters = exporters
        self._clock = clock
        self._pages: Shared[str, Page | NoData] = Shared(clock)

    @property
    def fetches(self) -> int:
        """Pages really fetched, for telemetry."""
        return self._pages.fetches

    @property
    def flights(self) -> Flights:
        """Figures of those."""
        return self._pages.flights

    async def read(self, request: GpuRequest) -> GpuObserved:
        """Read the target's GPUs; see `GpuReader.read`."""
        if (nothing := without_pods(request)) is not None:
            return nothing
        urls = await self._urls(request)
        if isinstance(urls, NoData):
            return urls
        answers = await asyncio.gather(*(self._page(url, request.max_age_s) for url in urls))
        pages = [answer for answer in answers if isinstance(answer, Page)]
        samples = [sample for page in pages for sample in page.samples]
        age_s = max((self._clock() - page.at_s for page in pages), default=0.0)
        found = gpu.of_pods(samples, request.pods, ADVICE, age_s=max(0.0, age_s))
        if found is not None:
            return found
        failures = [answer for answer in answers if isinstance(answer, NoData)]
        return failures[0] if failures else _nobody(samples)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._pages.close()

    async def _urls(self, request: GpuRequest) -> Sequence[str] | NoData:
        if request.config.dcgm_endpoint:
            url = _complete(request.config.dcgm_endpoint)
            return url if isinstance(url, NoData) else (url,)
        nodes = sorted({pod.node for pod in request.ready if pod.node})
        urls = await self._exporters.on(nodes)
        if urls or isinstance(urls, NoData):
            return urls
        message = (
            f"no DCGM exporter is ready on the {len(nodes)} nodes of the target's pods: install "
            "it, set gpuConfig.dcgmEndpoint, or have the operator set --dcgm-exporter-selector"
        )
        return NoData(NoDataReason.UNREACHABLE, message)

    async def _page(self, url: str, max_age_s: float) -> Page | NoData:
        return await self._pages.get(url, max_age_s, lambda: self._fetch(url))

    async def _fetch(self, url: str) -> Page | NoData:
        body = await self._fetcher.get(url, {}, {})
        if isinstance(body, NoData):
            return body
        return Page(series.read_page(body), self._clock())


def _complete(endpoint: str) -> str | NoData:
    """Complete a URL; one without a path means the exporter's page."""
    url = endpoints.complete(endpoint)
    if url is None:
        message = (
            "gpuConfig.dcgmEndpoint is no http or https URL: write for example "
            "http://dcgm-exporter.gpu-operator:9400/metrics"
        )
        return NoData(NoDataReason.BAD_ENDPOINT, message)
    parts = urlsplit(url)
    return parts._replace(path="/metrics").geturl() if parts.path in {"", "/"} else url


def _nobody(samples: Sequence[GpuSample]) -> NoData:
    """Say why no GPU that was told is one of the target's."""
    if not samples:
        message = "the DCGM exporter tells of no GPU: check the path, and its log"
    elif not any(sample.pod for sample in samples):
        message = (
            "the DCGM exporter does not tell whose its GPUs are: run it with pod attribution, "
            "DCGM_EXPORTER_KUBERNETES=true"
        )
    else:
        message = (
            "no GPU that the DCGM exporter tells of belongs to a ready pod of the target: check "
            "that its pods ask for GPUs"
        )
    return NoData(NoDataReason.METRIC_NOT_FOUND, message)
