"""CPU and memory from metrics.k8s.io: whose pods count, what a target means, and what is silent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from budaiscaler.domain.errors import KubeError, status_error
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.base import Sample
from budaiscaler.sources.resource import ResourceSource
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.sources import metrics_apis as pods
from tests.sources.metrics_apis import ABSENT, DOWN, FAILURES, pod, refused, workload

PATH = "/apis/metrics.k8s.io/v1beta1/namespaces/ml/pods"
GOOD = Sample((100.0,), 100.0, answered=2, of=2)


@dataclass(slots=True)
class Lab:
    """A source on an API server in memory, at noon."""

    kube: FakeKube = field(default_factory=FakeKube)
    now_s: float = 100.0
    now: datetime = NOON
    source: ResourceSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = ResourceSource(
            self.kube, clock=lambda: self.now_s, wall_clock=lambda: self.now
        )

    def measure(self, name: str, *containers: Json, app: str = "chat", **fields: Any) -> None:
        """Have metrics.k8s.io know what a pod uses."""
        self.kube.put(f"{PATH}/{name}", pods.usage(name, *containers, app=app, **fields))

    async def ask(
        self, of: Workload, target: str = "80", *, max_age_s: float = -1.0, **fields: Any
    ) -> Sample | NoData:
        """Fetch a source of these fields."""
        source = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": target}
        return await self.source.fetch(pods.request(of, source | fields, max_age_s=max_age_s))


@pytest.fixture
def lab() -> Lab:
    """One for the test."""
    return Lab()


def two(lab: Lab, **fields: Any) -> Workload:
    """Two pods: 150m and 50m of 100m each."""
    lab.measure("a", {"cpu": "150m", "memory": "1Ki"}, **fields)
    lab.measure("b", {"cpu": "50m", "memory": "3Ki"}, **fields)
    return workload(pod("a"), pod("b"))


async def test_utilisation(lab: Lab) -> None:
    """T54: a plain number is percent of the requests: 150m + 50m of 100m + 100m is 100."""
    assert await lab.ask(two(lab)) == GOOD
    (call,) = lab.kube.calls
    assert (call.path, call.params) == (PATH, {"labelSelector": "app=chat"})


async def test_utilisation_weighs_by_requests(lab: Lab) -> None:
    """It is the ratio of the sums, as an HPA's: a small busy pod does not count as a large one."""
    lab.measure("a", {"cpu": "100m"})
    lab.measure("b", {"cpu": "300m"})
    found = await lab.ask(
        workload(pod("a", requests=(0.1, None)), pod("b", requests=(0.9, None))), "80.5"
    )
    assert isinstance(found, Sample)
    assert found.values == pytest.approx((40.0,))
    assert (found.answered, found.of) == (2, 2)


@pytest.mark.parametrize(
    ("metric", "target", "fields", "values"),
    [
        pytest.param("cpu", "500m", {}, (0.15, 0.05), id="cores"),
        pytest.param("memory", "2Gi", {}, (1024.0, 3072.0), id="bytes"),
        pytest.param("memory", "70", {}, (200.0,), id="percent-of-memory"),
        pytest.param("cpu", "1e2", {}, (100.0,), id="percent-with-an-exponent"),
        pytest.param("cpu", "2", {"targetType": "AverageValue"}, (0.15, 0.05), id="plain-total"),
        pytest.param("cpu", "2", {"targetType": "Value"}, (100.0,), id="plain-level"),
    ],
)
async def test_what_a_target_means(
    lab: Lab, metric: str, target: str, fields: Json, values: tuple[float, ...]
) -> None:
    """A plain number is percent, unless it is told to be a total; one with a unit is an amount."""
    found = await lab.ask(two(lab), target, targetMetric=metric, **fields)
    assert isinstance(found, Sample)
    assert found.values == pytest.approx(values)


async def test_containers_are_added_up(lab: Lab) -> None:
    """Sidecars run, so they are in the list of the pod, and count."""
    lab.measure("a", {"cpu": "150m"}, {"cpu": "50000000n"})
    assert await lab.ask(workload(pod("a")), "1000m") == Sample((0.2,), 100.0, answered=1, of=1)


async def test_pods_of_another_workload(lab: Lab) -> None:
    """A pod that only has the labels in common does not count."""
    lab.measure("stranger", {"cpu": "9"})
    assert await lab.ask(two(lab)) == GOOD


async def test_pods_that_are_not_ready(lab: Lab) -> None:
    """Their use does not count, nor are they waited for; and none of them ready is no load of 0."""
    lab.measure("c", {"cpu": "9"})
    both = (*two(lab).pods, pod("c", ready=False))
    assert await lab.ask(workload(*both)) == GOOD
    found = await lab.ask(workload(pod("a", ready=False)))
    refused(found, NoDataReason.NO_READY_PODS, "no pod of the workload is ready")


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param(None, id="not-listed"),
        pytest.param(pods.usage("b", app="chat"), id="no-containers"),
        pytest.param(pods.usage("b", {"memory": "1Ki"}, app="chat"), id="no-cpu"),
        pytest.param(pods.usage("b", {"cpu": "1"}, {}, app="chat"), id="one-container-without"),
        pytest.param(pods.usage("b", {"cpu": "1"}, app="chat", at=None), id="never-measured"),
        pytest.param(
            pods.usage("b", {"cpu": "1"}, app="chat", at="2026-01-05T11:58:29Z"), id="too-old"
        ),
    ],
)
@pytest.mark.parametrize("target", ["80", "500m"])
async def test_silent_pods(lab: Lab, silent: Json | None, target: str) -> None:
    """A ready pod that has no number is counted as one that should have answered, not as idle."""
    lab.measure("a", {"cpu": "150m"})
    if silent is not None:
        lab.kube.put(f"{PATH}/b", silent)
    found = await lab.ask(workload(pod("a"), pod("b")), target)
    assert isinstance(found, Sample)
    assert (len(found.values), found.answered, found.of) == (1, 1, 2)


async def test_all_silent(lab: Lab) -> None:
    """Without a number of any pod there is no data, and not a load of zero."""
    both = two(lab)
    lab.now += timedelta(seconds=91)
    refused(await lab.ask(both), NoDataReason.EMPTY_RESULT, "of the 2 ready pods")


@pytest.mark.parametrize(
    ("window", "age_s", "counts"),
    [
        pytest.param("10s", 60, True, id="a-minute-always"),
        pytest.param("10s", 61, False, id="and-no-more"),
        pytest.param("1m0s", 180, True, id="three-windows"),
        pytest.param("1m0s", 181, False, id="beyond-them"),
        pytest.param("a while", 60, True, id="no-window"),
    ],
)
async def test_freshness(lab: Lab, window: str, age_s: float, *, counts: bool) -> None:
    """How long a sample stands depends on how long it took to measure."""
    both = two(lab, window=window)
    lab.now += timedelta(seconds=age_s)
    assert isinstance(await lab.ask(both), Sample) is counts


@pytest.mark.parametrize(
    ("metric", "since_s", "answered"),
    [
        pytest.param("cpu", -31, 2, id="ready-all-the-time"),
        pytest.param("cpu", -29, 1, id="became-ready-meanwhile"),
        pytest.param("memory", -29, 2, id="memory-does-not-pass"),
    ],
)
async def test_cpu_of_a_start(lab: Lab, metric: str, since_s: float, answered: int) -> None:
    """CPU measured while a pod still loaded its model is left out, as an HPA leaves it out."""
    two(lab)
    late = pod("a", ready_since=NOON.timestamp() + since_s)
    found = await lab.ask(workload(late, pod("b")), targetMetric=metric)
    assert isinstance(found, Sample)
    assert (found.answered, found.of) == (answered, 2)


@pytest.mark.parametrize("requests", [None, 0.0])
async def test_a_pod_without_a_request(lab: Lab, requests: float | None) -> None:
    """It is named: percent of nothing is nothing; an amount needs no request."""
    two(lab)
    both: tuple[Pod, ...] = (pod("a"), pod("b", requests=(requests, None)))
    found = await lab.ask(workload(*both))
    refused(found, NoDataReason.REQUESTS_MISSING, "pod b requests no cpu")
    assert isinstance(await lab.ask(workload(*both), "500m"), Sample)


async def test_groups(lab: Lab) -> None:
    """A replica of two pods uses what both do, and percent stays percent."""
    names = ("a", "b", "c", "d")
    for name in names:
        lab.measure(name, {"cpu": "150m"})
    group = workload(*map(pod, names), size=2)
    assert await lab.ask(group, "500m") == Sample((0.3, 0.3), 100.0, answered=2, of=2)
    found = await lab.ask(group)
    assert isinstance(found, Sample)
    assert found.values == pytest.approx((150.0,))
    assert (found.answered, found.of) == (2, 2)


async def test_another_metric(lab: Lab) -> None:
    """What metrics.k8s.io does not have is told with what it has, and nobody is asked."""
    found = await lab.ask(two(lab), targetMetric="nvidia.com/gpu")
    refused(found, NoDataReason.BAD_QUERY, "reads cpu or memory")
    assert lab.kube.calls == []


async def test_without_a_selector(lab: Lab) -> None:
    """All pods of the namespace are not those of the workload."""
    found = await lab.ask(workload(pod("a"), selector=""))
    refused(found, NoDataReason.PODS_UNKNOWN, "no selector")
    assert lab.kube.calls == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"items": 5}, id="a-number"),
        pytest.param({"items": ["hunter2"]}, id="texts"),
        pytest.param({"items": [{"timestamp": "2026-01-05T12:00:00Z"}]}, id="no-name"),
        pytest.param({"items": [pods.usage("a", {"cpu": "hunter2"}, app="chat")]}, id="garbage"),
        pytest.param({"items": [pods.usage("a", {"cpu": 5}, app="chat")]}, id="no-text"),
    ],
)
async def test_odd_answers(lab: Lab, answer: Json) -> None:
    """Nonsense gives no load of zero."""
    lab.kube.objects[PATH] = answer
    refused(await lab.ask(workload(pod("a"))), NoDataReason.BAD_ANSWER, "no list of pods")


async def test_negative_use(lab: Lab) -> None:
    """A use below nothing is no data."""
    lab.measure("a", {"cpu": "-150m"})
    refused(await lab.ask(workload(pod("a")), "500m"), NoDataReason.NEGATIVE, "negative")


@pytest.mark.parametrize(("error", "reason", "words"), FAILURES)
async def test_failures(lab: Lab, error: KubeError, reason: NoDataReason, words: str) -> None:
    """Each says where to look."""
    lab.kube.fail("get", PATH, error)
    refused(await lab.ask(workload(pod("a"))), reason, words)


async def test_a_cluster_without_the_api(lab: Lab) -> None:
    """It says what to install."""
    lab.kube.fail("get", PATH, ABSENT)
    found = await lab.ask(workload(pod("a")))
    refused(found, NoDataReason.EMPTY_RESULT, "install metrics-server")


async def test_sharing(lab: Lab) -> None:
    """One list a workload serves all its sources; another selector is another list."""
    both = two(lab)
    asked = [
        lab.ask(both, max_age_s=7, targetMetric=metric)
        for metric in ("cpu", "memory")
        for _ in range(5)
    ]
    await asyncio.gather(*asked)
    assert lab.source.fetches == 1
    await lab.ask(workload(pod("a"), selector="app=other"), max_age_s=7)
    lab.now_s += 8
    await lab.ask(both, max_age_s=7)
    assert lab.source.fetches == 3


async def test_a_server_that_is_down_is_left_in_peace(lab: Lab) -> None:
    """After three failures it is asked only now and then; refusals of questions are no failures."""
    both = two(lab)
    lab.kube.fail("get", PATH, status_error(500, "InternalError", "hunter2"))
    for _ in range(5):
        await lab.ask(both)
    lab.kube.heal()
    assert await lab.ask(both) == GOOD
    lab.kube.fail("get", PATH, DOWN)
    asked = len(lab.kube.calls)
    for _ in range(9):
        refused(await lab.ask(both), NoDataReason.HTTP_ERROR, "cannot answer now")
    assert len(lab.kube.calls) - asked == 3
    lab.kube.heal()
    lab.now_s += 3
    assert await lab.ask(both) == Sample((100.0,), 103.0, answered=2, of=2)
