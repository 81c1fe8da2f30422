"""Every kind of source, put together in one place for whoever evaluates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from budaiscaler.domain.api.sources import SourceType
from budaiscaler.kube.port import Kube
from budaiscaler.runtime.clock import REAL, Clock
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import Source
from budaiscaler.sources.credentials import SourceCredentials
from budaiscaler.sources.custom import CustomSource
from budaiscaler.sources.engine import EngineSource
from budaiscaler.sources.external import ExternalSource
from budaiscaler.sources.gpu.readers import GpuOptions, GpuReaders, gpu_readers
from budaiscaler.sources.http import HttpFetcher
from budaiscaler.sources.instant_queries import PrometheusSource
from budaiscaler.sources.measuring import Flights
from budaiscaler.sources.operator_credentials import OperatorAccess, OperatorCredentials
from budaiscaler.sources.pages import LIMITS, Pages
from budaiscaler.sources.pod import PodSource
from budaiscaler.sources.prometheus_access import PrometheusAccess
from budaiscaler.sources.resource import ResourceSource
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What an operator sets for all sources.

    Attributes:
        prometheus: the operator's own, and what is sent to it.
        timeout_s: longest time for one request.
        allow_ranges: addresses that may be asked though they are denied.
        gpu: where GPUs are read.
    """

    prometheus: OperatorAccess = field(default_factory=OperatorAccess)
    timeout_s: float = 10.0
    allow_ranges: tuple[IPv4Network | IPv6Network, ...] = ()
    gpu: GpuOptions = field(default_factory=GpuOptions)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The sources there are, by type."""

    prometheus: PrometheusSource
    external: ExternalSource
    resource: ResourceSource
    custom: CustomSource
    gpu: GpuReaders
    pages: Pages
    credentials: SourceCredentials

    @property
    def by_type(self) -> Mapping[SourceType, Source]:
        """For an evaluator."""
        return {
            SourceType.PROMETHEUS: self.prometheus,
            SourceType.EXTERNAL: self.external,
            SourceType.POD: PodSource(self.pages, self.credentials),
            SourceType.INFERENCE_ENGINE: EngineSource(self.pages, self.credentials),
            SourceType.RESOURCE: self.resource,
            SourceType.CUSTOM: self.custom,
        }

    @property
    def fetches(self) -> int:
        """Requests really made, for telemetry."""
        sources = (self.prometheus, self.external, self.resource, self.custom, self.pages)
        return sum(source.fetches for source in sources) + self.gpu.fetches

    @property
    def flights(self) -> Mapping[str, Flights]:
        """How long those took and why they failed, for telemetry, by what was asked."""
        return {
            SourceType.PROMETHEUS: self.prometheus.flights,
            SourceType.EXTERNAL: self.external.flights,
            SourceType.RESOURCE: self.resource.flights,
            SourceType.CUSTOM: self.custom.flights,
            # Of engines as well: they share the pages.
            SourceType.POD: self.pages.flights,
            **self.gpu.flights,
        }


@asynccontextmanager
async def catalogue(
    kube: Kube, options: SourceOptions, clock: Clock = REAL
) -> AsyncIterator[Catalogue]:
    """Open the sources, and close them at the end.

    Args:
        kube: the API server.
        options: of the operator.
        clock: which ages, rates and pauses between attempts go by; time limits are real.
    """
    guard = AddressGuard(options.allow_ranges)
    fetcher = HttpFetcher(guard=guard, deadline_s=options.timeout_s, clock=clock.monotonic)
    tls, secrets = TlsContexts(), SecretReader(kube)
    credentials = SourceCredentials(secrets, tls)
    held = OperatorCredentials(options.prometheus, tls)
    prometheus = PrometheusSource(
        PrometheusAccess(options.prometheus, held, credentials),
        deadline_s=options.timeout_s,
        guard=guard,
        clock=clock.monotonic,
    )
    external = ExternalSource(fetcher, kube, credentials, clock=clock.monotonic)
    pods = HttpFetcher(
        guard=guard, deadline_s=options.timeout_s, clock=clock.monotonic, limits=LIMITS
    )
    pages = Pages(pods, options.timeout_s, clock.monotonic, clock.speed)
    resource = ResourceSource(kube, clock=clock.monotonic, wall_clock=clock.wall)
    custom = CustomSource(kube, clock=clock.monotonic, wall_clock=clock.wall)
    try:
        async with gpu_readers(kube, fetcher, prometheus, options.gpu, clock) as gpu:
            yield Catalogue(prometheus, external, resource, custom, gpu, pages, credentials)
    finally:
        await pages.close()
        await pods.close()
        await prometheus.close()
        await external.close()
        await resource.close()
        await custom.close()
        await fetcher.close()
        await held.close()
        await secrets.close()
        await tls.close()
