"""External sources: what is asked, what is shared, and what the metrics API of a cluster tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import pytest

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import SourceCredentials
from budaiscaler.sources.external import ExternalSource
from budaiscaler.sources.http import HttpFetcher
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from tests.fakes.kube import FakeKube
from tests.sources.metrics_apis import ABSENT, DOWN, FAILURES, refused
from tests.sources.server import body, prometheus

API = "/apis/external.metrics.k8s.io/v1beta1/namespaces/ml"


@dataclass(slots=True)
class Lab:
    """A source on real HTTP, and an API server in memory.

    Attributes:
        now_s: the source's clock.
    """

    kube: FakeKube = field(default_factory=FakeKube)
    now_s: float = 100.0
    source: ExternalSource = field(init=False)
    fetcher: HttpFetcher = field(init=False)

    def __post_init__(self) -> None:
        guard = AddressGuard((ip_network("127.0.0.0/8"),))
        self.fetcher = HttpFetcher(guard=guard, deadline_s=2, clock=lambda: self.now_s)
        secrets = SecretReader(self.kube, clock=lambda: self.now_s)
        credentials = SourceCredentials(secrets, TlsContexts())
        self.source = ExternalSource(self.fetcher, self.kube, credentials, clock=lambda: self.now_s)

    async def ask(
        self, *, max_age_s: float = 0.0, namespace: str = "ml", **fields: Any
    ) -> Sample | NoData:
        """Fetch a source of these fields."""
        raw = {"metricSourceType": "external", "targetMetric": "queue", "targetValue": "1"}
        source = MetricsSource.model_validate(raw | fields)
        return await self.source.fetch(
            SourceRequest(namespace, source, max_age_s, Workload(Replicas(1, 1)))
        )

    def publish(self, metric: str, *values: Any, **labels: str) -> None:
        """Have the cluster's metrics API answer these."""
        items = [{"metricName": metric, "metricLabels": labels, "value": v} for v in values]
        self.kube.put(f"{API}/{metric}", {"items": items})


@pytest.fixture
async def lab() -> AsyncIterator[Lab]:
    """One for the test."""
    made = Lab()
    yield made
    await made.source.close()
    await made.fetcher.close()


async def test_an_endpoint(lab: Lab) -> None:
    """It is told which metric of which namespace is meant, and answers one number."""
    with prometheus(body(200, '{"queue": "12.5"}', **{"Content-Type": "text/html"})) as server:
        found = await lab.ask(endpoint=f"{server.url}/load", headers={"X-Key": "hunter2"})

    assert found == Sample((12.5,), 100.0)
    (seen,) = server.seen
    assert seen.parameters == {"namespace": ["ml"], "metric": ["queue"]}
    assert seen.headers["x-key"] == "hunter2"
    assert lab.kube.calls == []


async def test_without_a_scheme(lab: Lab) -> None:
    """`host:port/path` is http."""
    with prometheus(body(200, "3")) as server:
        found = await lab.ask(endpoint=server.url.removeprefix("http://") + "/load")

    assert found == Sample((3.0,), 100.0)
    assert server.seen[0].path == "/load"


async def test_what_is_no_number(lab: Lab) -> None:
    """An error page with status 200 is no load."""
    with prometheus(body(200, "<html>hunter2", **{"Content-Type": "text/html"})) as server:
        found = await lab.ask(endpoint=server.url, headers={"X-Key": "hunter2"})

    refused(found, NoDataReason.BAD_ANSWER, "neither a number nor JSON: check path and format")


async def test_a_failure_of_http(lab: Lab) -> None:
    """What HTTP says is wrong is passed on."""
    with prometheus(body(500, "hunter2")) as server:
        found = await lab.ask(endpoint=server.url)

    refused(found, NoDataReason.HTTP_ERROR, "answered HTTP 500")


async def test_a_denied_address(lab: Lab) -> None:
    """The metadata service of a cloud is not asked."""
    found = await lab.ask(endpoint="http://169.254.169.254/latest/meta-data/")

    refused(found, NoDataReason.DENIED_ADDRESS, "--allow-source-ranges")


async def test_no_url(lab: Lab) -> None:
    """What came past admission is told at the latest here, without repeating it."""
    found = await lab.ask(endpoint="ftp://me:hunter2@queue")

    refused(found, NoDataReason.BAD_ENDPOINT, "write for example http://")


async def test_sharing(lab: Lab) -> None:
    """Who asks the same with the same headers gets the same answer, and nobody else does."""
    with prometheus(body(200, "1")) as server:
        same = [lab.ask(endpoint=server.url, max_age_s=7) for _ in range(5)]
        await asyncio.gather(*same)
        assert len(server.seen) == 1
        await lab.ask(endpoint=server.url, max_age_s=7, headers={"X-Key": "mine"})
        await lab.ask(endpoint=server.url, max_age_s=7, headers={"X-Key": "yours"})
        await lab.ask(endpoint=server.url, max_age_s=7, namespace="other")
        await lab.ask(endpoint=server.url, max_age_s=7, targetMetric="other")
        lab.now_s += 8
        await lab.ask(endpoint=server.url, max_age_s=7)

    keys = [seen.headers.get("x-key") for seen in server.seen]
    assert keys == [None, "mine", "yours", None, None, None]
    assert lab.source.fetches == 6


async def test_a_name_on_the_cluster(lab: Lab) -> None:
    """Without an endpoint the metric is looked up in the scaler's namespace, as an HPA does."""
    lab.publish("queue-length", "5", "1500m", queue="a")

    found = await lab.ask(targetMetric="Queue-Length", name="mine")

    assert found == Sample((5.0, 1.5), 100.0)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"targetMetric": "desired-load", "name": "x"}, id="the-decision"),
        pytest.param({"targetMetric": "Desired-Load", "name": "x"}, id="in-other-letters"),
        pytest.param({"targetMetric": "queue"}, id="its-own-name"),
        pytest.param({"targetMetric": "Queue", "name": "queue"}, id="its-own-name-set"),
        pytest.param({"targetMetric": "a_b", "name": "a/b"}, id="as-it-is-published"),
    ],
)
async def test_a_source_does_not_read_itself(lab: Lab, fields: dict[str, Any]) -> None:
    """What we publish ourselves is refused before it is asked for, or a load would feed itself."""
    found = await lab.ask(**fields)

    refused(found, NoDataReason.BAD_ENDPOINT, "would read what it wrote: set endpoint")
    assert lab.kube.calls == []


async def test_nor_a_round_of_sources(lab: Lab) -> None:
    """Two sources that name each other are told apart from strangers by the labels of ours."""
    lab.publish("other", "5", kind="BudAIScaler", scaler="chat")

    refused(
        await lab.ask(targetMetric="other", name="x"),
        NoDataReason.BAD_ENDPOINT,
        "would read what it wrote",
    )


@pytest.mark.parametrize("metric", ["a/b", "a b", "..", "a%2fb", "ä"])
async def test_names_that_fit_in_no_path(lab: Lab, metric: str) -> None:
    """A name does not lead to another path of the API server."""
    found = await lab.ask(targetMetric=metric, name="x")

    refused(found, NoDataReason.BAD_ENDPOINT, "use letters, digits")
    assert lab.kube.calls == []


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        pytest.param({"items": []}, NoDataReason.EMPTY_RESULT, "has no value of q", id="empty"),
        pytest.param({"items": None}, NoDataReason.EMPTY_RESULT, "has no value of q", id="null"),
        pytest.param({}, NoDataReason.EMPTY_RESULT, "check what publishes it", id="nothing"),
        pytest.param({"items": [{}]}, NoDataReason.BAD_ANSWER, "no list of values", id="no-value"),
        pytest.param({"items": ["5"]}, NoDataReason.BAD_ANSWER, "no list of values", id="texts"),
        pytest.param({"items": 5}, NoDataReason.BAD_ANSWER, "no list of values", id="a-number"),
        pytest.param(
            {"items": [{"value": "hunter2"}]}, NoDataReason.BAD_ANSWER, "no list", id="no-quantity"
        ),
        pytest.param({"items": [{"value": 5}]}, NoDataReason.BAD_ANSWER, "no list", id="no-text"),
    ],
)
async def test_odd_answers_of_the_cluster(
    lab: Lab, answer: dict[str, Any], reason: NoDataReason, words: str
) -> None:
    """An adapter that answers nothing, or nonsense, gives no load of zero."""
    lab.kube.put(f"{API}/q", answer)

    refused(await lab.ask(targetMetric="q", name="x"), reason, words)


@pytest.mark.parametrize(("error", "reason", "words"), FAILURES)
async def test_failures_of_the_cluster(
    lab: Lab, error: KubeError, reason: NoDataReason, words: str
) -> None:
    """Each says where to look."""
    lab.kube.fail("get", "external.metrics.k8s.io", error)

    refused(await lab.ask(targetMetric="q", name="x"), reason, words)


async def test_a_metric_that_nobody_publishes(lab: Lab) -> None:
    """It says where it was looked for."""
    lab.kube.fail("get", "external.metrics.k8s.io", ABSENT)
    found = await lab.ask(targetMetric="q", name="x")

    refused(found, NoDataReason.EMPTY_RESULT, "nobody publishes q for namespace ml")


async def test_a_server_that_is_down_is_left_in_peace(lab: Lab) -> None:
    """After three failures it is asked only now and then, whatever metric is wanted of it."""
    lab.kube.fail("get", "external.metrics.k8s.io", DOWN)
    for metric in ("a", "b", "c", "d", "e", "f"):
        found = await lab.ask(targetMetric=metric, name="x")
        refused(found, NoDataReason.HTTP_ERROR, "cannot answer now")
    assert len(lab.kube.calls) == 3

    lab.kube.heal()
    lab.publish("a", "5")
    lab.now_s += 3
    assert await lab.ask(targetMetric="a", name="x") == Sample((5.0,), 103.0)
