"""Every way to read GPUs, behind the one that evaluations ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from budaiscaler.domain.api.features import GpuMetricsSource
from budaiscaler.domain.gpu import GpuObserved
from budaiscaler.kube.port import Kube
from budaiscaler.runtime.clock import REAL, Clock
from budaiscaler.sources.base import Source
from budaiscaler.sources.gpu.base import GpuReader, GpuRequest
from budaiscaler.sources.gpu.dcgm import DcgmGpus, Fetcher
from budaiscaler.sources.gpu.exporters import SELECTORS, Exporters
from budaiscaler.sources.gpu.nvml import NvmlGpus
from budaiscaler.sources.gpu.prometheus import PrometheusGpus
from budaiscaler.sources.measuring import Flights


@dataclass(frozen=True, slots=True)
class GpuOptions:
    """What an operator sets about GPUs.

    Attributes:
        exporter_selectors: labels of the pods of DCGM exporters.
        exporter_namespace: where they are; None for anywhere.
        node: name of the node that we run on; None where nobody told us.
    """

    exporter_selectors: tuple[str, ...] = SELECTORS
    exporter_namespace: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class GpuReaders:
    """Picks the way that a scaler names."""

    dcgm: DcgmGpus
    nvml: NvmlGpus
    prometheus: PrometheusGpus

    @property
    def fetches(self) -> int:
        """Pages really fetched, for telemetry; queries are counted by their source."""
        return self.dcgm.fetches

    @property
    def flights(self) -> Mapping[str, Flights]:
        """How long pages and looks took and why they failed, by the way they are read."""
        return {
            GpuMetricsSource.DCGM: self.dcgm.flights,
            GpuMetricsSource.NVML: self.nvml.flights,
        }

    async def read(self, request: GpuRequest) -> GpuObserved:
        """Read the target's GPUs; see `GpuReader.read`."""
        by_name: dict[GpuMetricsSource, GpuReader] = {
            GpuMetricsSource.DCGM: self.dcgm,
            GpuMetricsSource.NVML: self.nvml,
            GpuMetricsSource.PROMETHEUS: self.prometheus,
        }
        wanted = request.config.metrics_source or GpuMetricsSource.DCGM
        return await by_name[wanted].read(request)


@asynccontextmanager
async def gpu_readers(
    kube: Kube, fetcher: Fetcher, queries: Source, options: GpuOptions, clock: Clock = REAL
) -> AsyncIterator[GpuReaders]:
    """Open them, and close them at the end."""
    exporters = Exporters(
        kube, selectors=options.exporter_selectors, namespace=options.exporter_namespace
    )
    dcgm = DcgmGpus(fetcher, exporters, clock=clock.monotonic)
    nvml = NvmlGpus(node=options.node, clock=clock.monotonic)
    try:
        yield GpuReaders(dcgm, nvml, PrometheusGpus(queries, clock=clock.monotonic))
    finally:
        await dcgm.close()
        await exporters.close()
        await nvml.close()
