"""GPUs from DCGM exporters: which are asked, what is shared, and why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.gpu.dcgm import DcgmGpus
from budaiscaler.sources.http import HttpFetcher
from tests.sources.gpus import H100, gpu, line, page, pod, refused, request
from tests.sources.server import body, prometheus


@dataclass(slots=True)
class Cluster:
    """Exporters by node, and the nodes that were asked about."""

    exporters: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def on(self, nodes: Collection[str]) -> tuple[str, ...] | NoData:
        self.asked.append(tuple(nodes))
        return tuple(self.exporters[node] for node in nodes if node in self.exporters)


@dataclass(slots=True)
class Lab:
    """A reader on real HTTP."""

    now_s: float = 100.0
    cluster: Cluster = field(default_factory=Cluster)
    fetcher: HttpFetcher = field(init=False)
    gpus: DcgmGpus = field(init=False)

    def __post_init__(self) -> None:
        guard = AddressGuard((ip_network("127.0.0.0/8"),))
        self.fetcher = HttpFetcher(guard=guard, deadline_s=2, clock=lambda: self.now_s)
        self.gpus = DcgmGpus(self.fetcher, self.cluster, clock=lambda: self.now_s)


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """One for the test."""
    made = Lab()
    yield made
    await made.gpus.close()
    await made.fetcher.close()


async def test_a_given_exporter(lab: Lab) -> None:
    """It is asked once for all pods, and no other is looked for."""
    told = page(gpu("a", "GPU-1", 12288, util=80), gpu("b", "GPU-2", 8192, util=60))
    with prometheus(body(200, told)) as server:
        found = await lab.gpus.read(
            request(pod("a"), pod("b", "node-2"), dcgmEndpoint=f"{server.url}/metrics")
        )

    both = {"answered": 2, "of": 2}
    assert found == GpuReading(Reading(62.5, **both), Reading(70.0, **both), 2, H100)
    assert [seen.path for seen in server.seen] == ["/metrics"]
    assert lab.cluster.asked == []


@pytest.mark.parametrize("path", ["", "/"])
async def test_an_endpoint_without_a_path(lab: Lab, path: str) -> None:
    """It means the exporter's page; a scheme may be left out as well."""
    with prometheus(body(200, page(gpu("a", "GPU-1")))) as server:
        url = server.url.removeprefix("http://") + path
        assert isinstance(await lab.gpus.read(request(pod("a"), dcgmEndpoint=url)), GpuReading)

    assert [seen.path for seen in server.seen] == ["/metrics"]


async def test_exporters_of_the_nodes(lab: Lab) -> None:
    """Those on nodes of ready pods are asked, each once, and their GPUs are put together."""
    with (
        prometheus(body(200, page(gpu("a", "GPU-1", 4096), gpu("x", "GPU-9", 16384)))) as one,
        prometheus(body(200, page(gpu("c", "GPU-3", 12288)))) as other,
    ):
        lab.cluster.exporters = {"node-1": one.url, "node-2": other.url}
        found = await lab.gpus.read(
            request(pod("a"), pod("b"), pod("c", "node-2"), pod("d", "node-3", ready=False))
        )

    assert lab.cluster.asked == [("node-1", "node-2")]
    assert len(one.seen) == len(other.seen) == 1
    assert isinstance(found, GpuReading)
    assert (found.gpus, found.memory) == (2, Reading(50.0, answered=2, of=3))


async def test_gpus_of_pods_that_are_not_ready_do_not_count(lab: Lab) -> None:
    """A model that still loads says nothing of the load."""
    told = page(gpu("a", "GPU-1", 4096), gpu("b", "GPU-2", 16384))
    with prometheus(body(200, told)) as server:
        found = await lab.gpus.read(
            request(pod("a"), pod("b", ready=False), dcgmEndpoint=server.url)
        )

    assert isinstance(found, GpuReading)
    assert (found.gpus, found.memory) == (1, Reading(25.0, answered=1, of=1))


async def test_a_node_whose_exporter_fails(lab: Lab) -> None:
    """Its pods are silent, and the others are read; with all of them failing there is no data."""
    with (
        prometheus(body(200, page(gpu("a", "GPU-1")))) as one,
        prometheus(body(500, "hunter2")) as broken,
    ):
        lab.cluster.exporters = {"node-1": one.url, "node-2": broken.url}
        found = await lab.gpus.read(request(pod("a"), pod("b", "node-2")))
        alone = await lab.gpus.read(request(pod("b", "node-2")))

    assert isinstance(found, GpuReading)
    assert found.memory == Reading(50.0, answered=1, of=2)
    refused(alone, NoDataReason.HTTP_ERROR, "answered HTTP 500")
    assert lab.gpus.flights.errors == {NoDataReason.HTTP_ERROR: 1}


async def test_a_page_is_shared(lab: Lab) -> None:
    """By all scalers that have pods on the node; what another one is old in the reading."""
    with prometheus(body(200, page(gpu("a", "GPU-1"), gpu("b", "GPU-2")))) as server:
        lab.cluster.exporters = {"node-1": server.url}
        asked = [request(pod(name), max_age_s=7) for name in "abab"]
        await asyncio.gather(*(lab.gpus.read(one) for one in asked))
        lab.now_s += 5
        later = await lab.gpus.read(request(pod("a"), max_age_s=7))
        assert len(server.seen) == lab.gpus.fetches == 1
        lab.now_s += 5
        await lab.gpus.read(request(pod("a"), max_age_s=7))

    assert isinstance(later, GpuReading)
    assert later.memory == Reading(50.0, 5.0, 1, 1)
    assert len(server.seen) == 2


async def test_no_exporter(lab: Lab) -> None:
    """The message says what can be done."""
    found = await lab.gpus.read(request(pod("a"), pod("b", "node-2")))
    refused(found, NoDataReason.UNREACHABLE, "set gpuConfig.dcgmEndpoint")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param(b"", "tells of no GPU", id="empty"),
        pytest.param(b"<html>hunter2", "tells of no GPU", id="another-page"),
        pytest.param(
            page([line("DCGM_FI_DEV_FB_USED", 1)]), "with pod attribution", id="nobody-has-them"
        ),
        pytest.param(page(gpu("x", "GPU-1")), "check that its pods ask for GPUs", id="strangers"),
    ],
)
async def test_no_gpu_of_ours(lab: Lab, told: bytes, words: str) -> None:
    """Nothing of ours on the page is no load of 0, and says where to look."""
    with prometheus(body(200, told)) as server:
        found = await lab.gpus.read(request(pod("a"), dcgmEndpoint=server.url))

    refused(found, NoDataReason.METRIC_NOT_FOUND, words)


async def test_what_is_not_collected_is_told(lab: Lab) -> None:
    """Each quantity says which series it misses."""
    whose = {"namespace": "ml", "pod": "a"}
    with prometheus(body(200, page([line("DCGM_FI_DEV_FB_USED", 1, **whose)]))) as server:
        found = await lab.gpus.read(request(pod("a"), dcgmEndpoint=server.url))

    assert isinstance(found, GpuReading)
    refused_memory, refused_compute = found.memory, found.compute
    assert isinstance(refused_memory, NoData)
    assert "DCGM_FI_DEV_FB_FREE" in refused_memory.message
    assert isinstance(refused_compute, NoData)
    assert "DCGM_FI_DEV_GPU_UTIL" in refused_compute.message


@pytest.mark.parametrize(
    ("endpoint", "reason", "words"),
    [
        pytest.param("ftp://me:hunter2@x", NoDataReason.BAD_ENDPOINT, "no http or https", id="ftp"),
        pytest.param(
            "http://169.254.169.254/", NoDataReason.DENIED_ADDRESS, "--allow-source", id="metadata"
        ),
        pytest.param(
            "http://me:hunter2@127.0.0.1:1/", NoDataReason.UNREACHABLE, "check that", id="nobody"
        ),
    ],
)
async def test_endpoints_that_cannot_be_asked(
    lab: Lab, endpoint: str, reason: NoDataReason, words: str
) -> None:
    """A user's URL leads nowhere where it must not, and no password is repeated."""
    refused(await lab.gpus.read(request(pod("a"), dcgmEndpoint=endpoint)), reason, words)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        pytest.param(request(), NoDataReason.NO_READY_PODS, id="no-pods"),
        pytest.param(request(pod("a", ready=False)), NoDataReason.NO_READY_PODS, id="none-ready"),
        pytest.param(
            request(pod("a"), are_counted=False), NoDataReason.PODS_UNKNOWN, id="no-selector"
        ),
    ],
)
async def test_without_ready_pods_nothing_is_asked(
    lab: Lab, asked: object, reason: NoDataReason
) -> None:
    """There is no GPU whose reading would count."""
    refused(await lab.gpus.read(asked), reason, "")  # type: ignore[arg-type]  # made by request()
    assert lab.cluster.asked == []
