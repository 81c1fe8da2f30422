"""Custom metrics: asked as an HPA asks, of pods and of objects, in the version that is served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from budaiscaler.domain.errors import KubeError, KubeUnreachableError
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.base import Sample
from budaiscaler.sources.custom import CustomSource
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.sources import metrics_apis as pods
from tests.sources.metrics_apis import FAILURES, pod, refused, workload

GROUP = "/apis/custom.metrics.k8s.io"
SCOPE = f"{GROUP}/v1beta2/namespaces/ml"
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "front"}
BOTH = workload(pod("a"), pod("b"))


@dataclass(slots=True)
class Lab:
    """A source on an API server in memory, at noon."""

    kube: FakeKube = field(default_factory=FakeKube)
    now_s: float = 100.0
    now: datetime = NOON
    source: CustomSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = CustomSource(self.kube, clock=lambda: self.now_s, wall_clock=lambda: self.now)
        self.serve("v1beta1", "v1beta2")
        kinds = [{"kind": "Ingress", "name": "ingresses"}]
        self.kube.objects["/apis/networking.k8s.io/v1"] = {"resources": kinds}
        kinds = [
            {"kind": "Namespace", "name": "namespaces"},
            {"kind": "Service", "name": "services"},
        ]
        self.kube.objects["/api/v1"] = {"resources": kinds}

    def serve(self, *versions: str) -> None:
        """Have the cluster serve the group in these versions."""
        self.kube.objects[GROUP] = {"versions": [{"version": version} for version in versions]}

    def publish(self, path: str, *items: Json) -> None:
        """Have the API answer these there."""
        self.kube.objects[path] = {"items": list(items)}

    async def ask(
        self, of: Workload = BOTH, metric: str = "queue", *, max_age_s: float = -1.0, **fields: Any
    ) -> Sample | NoData:
        """Fetch a source of these fields."""
        source = {"metricSourceType": "custom", "targetMetric": metric, "targetValue": "10"}
        return await self.source.fetch(pods.request(of, source | fields, max_age_s=max_age_s))


@pytest.fixture
def lab() -> Lab:
    """One for the test."""
    return Lab()


def item(about: str, value: Any, at: Any = "2026-01-05T12:00:00Z", **fields: Any) -> Json:
    """One `MetricValue`."""
    return {
        "describedObject": {"kind": "Pod", "name": about},
        "timestamp": at,
        "value": value,
        **fields,
    }


async def test_pods(lab: Lab) -> None:
    """One value a pod of the workload; those that only share its labels, or wait, do not count."""
    lab.publish(
        f"{SCOPE}/pods/*/queue",
        item("a", "5"),
        item("b", "1500m"),
        item("stranger", "99"),
        item("waiting", "99"),
    )
    found = await lab.ask(workload(*BOTH.pods, pod("waiting", ready=False)))
    assert found == Sample((5.0, 1.5), 100.0, answered=2, of=2)
    assert [(call.path, call.params) for call in lab.kube.calls] == [
        (GROUP, None),
        (f"{SCOPE}/pods/*/queue", {"labelSelector": "app=chat"}),
    ]


async def test_the_older_version(lab: Lab) -> None:
    """Where only v1beta1 is served that is asked, and its window is read; both are remembered."""
    lab.serve("v1beta1")
    path = f"{GROUP}/v1beta1/namespaces/ml/pods/*/queue"
    lab.publish(path, item("a", "5", "2026-01-05T11:57:00Z", window=60))
    assert await lab.ask() == Sample((5.0,), 100.0, answered=1, of=2)
    await lab.ask()
    assert [call.path for call in lab.kube.calls] == [GROUP, path, path]
    lab.serve("v1beta2")
    lab.now_s += 301
    lab.publish(f"{SCOPE}/pods/*/queue", item("a", "6"))
    assert isinstance(await lab.ask(), Sample)


@pytest.mark.parametrize(
    "silent",
    [
        pytest.param([], id="no-item"),
        pytest.param([item("b", "1", "2026-01-05T11:58:59Z")], id="too-old"),
        pytest.param([item("b", "1", "2026-01-05T11:56:59Z", windowSeconds=60)], id="of-a-minute"),
    ],
)
async def test_silent_pods(lab: Lab, silent: list[Json]) -> None:
    """A ready pod without a value is counted as one that should have answered, not as idle."""
    lab.publish(f"{SCOPE}/pods/*/queue", item("a", "5", None), *silent)
    assert await lab.ask() == Sample((5.0,), 100.0, answered=1, of=2)


async def test_all_silent(lab: Lab) -> None:
    """Without a value of any pod there is no data, and not a load of zero."""
    lab.publish(f"{SCOPE}/pods/*/queue", item("stranger", "5"))
    refused(await lab.ask(), NoDataReason.EMPTY_RESULT, "of the 2 ready pods")
    refused(await lab.ask(workload(pod("a", ready=False))), NoDataReason.NO_READY_PODS, "no pod of")
    refused(await lab.ask(workload(pod("a"), selector="")), NoDataReason.PODS_UNKNOWN, "selector")


@pytest.mark.parametrize(
    ("described", "path"),
    [
        pytest.param(INGRESS, "ingresses.networking.k8s.io/front/queue", id="of-a-group"),
        pytest.param(
            {"apiVersion": "v1", "kind": "Service", "name": "s"}, "services/s/queue", id="core"
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "Namespace", "name": "ml"},
            "metrics/queue",
            id="the-namespace",
        ),
    ],
)
async def test_an_object(lab: Lab, described: Json, path: str) -> None:
    """It has one value, of which nobody knows how many pods it is made of."""
    lab.publish(f"{SCOPE}/{path}", item("front", "42"))
    assert await lab.ask(describedObject=described) == Sample((42.0,), 100.0)
    assert lab.kube.calls[-1].params is None


@pytest.mark.parametrize(
    ("items", "reason", "words"),
    [
        pytest.param([], NoDataReason.EMPTY_RESULT, "has 0 values of queue of Ingress", id="none"),
        pytest.param(
            [item("x", "1"), item("y", "2")], NoDataReason.BAD_ANSWER, "has 2 values", id="two"
        ),
        pytest.param(
            [item("x", "1", "2026-01-05T11:00:00Z")], NoDataReason.EMPTY_RESULT, "too old", id="old"
        ),
    ],
)
async def test_an_object_has_one_value(
    lab: Lab, items: list[Json], reason: NoDataReason, words: str
) -> None:
    """None, several or an old one are no data."""
    lab.publish(f"{SCOPE}/ingresses.networking.k8s.io/front/queue", *items)
    refused(await lab.ask(describedObject=INGRESS), reason, words)


async def test_an_object_of_no_kind(lab: Lab) -> None:
    """It is told which kind does not exist, and it is not asked for."""
    wrong = {**INGRESS, "kind": "Ingres"}
    refused(
        await lab.ask(describedObject=wrong), NoDataReason.BAD_QUERY, "kind Ingres does not exist"
    )
    lab.kube.fail("get", "networking", KubeUnreachableError("hunter2"))
    lab.now_s += 301
    refused(await lab.ask(describedObject=INGRESS), NoDataReason.UNREACHABLE, "Ingress")


@pytest.mark.parametrize("metric", ["a/b", "a%2fb", "..", "."])
async def test_names_that_fit_in_no_path(lab: Lab, metric: str) -> None:
    """A name does not lead to another path of the API server."""
    refused(await lab.ask(metric=metric, name="x"), NoDataReason.BAD_QUERY, "leave out / and %")
    assert lab.kube.calls == []


async def test_odd_names_are_one_segment(lab: Lab) -> None:
    """What else a name has in it stands for itself, also the case of its letters."""
    await lab.ask(metric="Tokens:rate 5m?x=1#", name="x")
    assert lab.kube.calls[-1].path == f"{SCOPE}/pods/*/Tokens%3Arate%205m%3Fx%3D1%23"


async def test_a_source_does_not_read_the_decision(lab: Lab) -> None:
    """What we publish ourselves is no input, wherever somebody republishes it."""
    found = await lab.ask(metric="Desired-Load", name="x")
    refused(found, NoDataReason.BAD_QUERY, "would read what it wrote")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"items": 5}, id="a-number"),
        pytest.param({"items": ["hunter2"]}, id="texts"),
        pytest.param({"items": [{"value": "1"}]}, id="about-nothing"),
        pytest.param({"items": [item("a", "hunter2")]}, id="garbage"),
        pytest.param({"items": [item("a", 5)]}, id="no-text"),
        pytest.param({"items": [item("a", "5", windowSeconds="hunter2")]}, id="no-window"),
    ],
)
async def test_odd_answers(lab: Lab, answer: Json) -> None:
    """Nonsense gives no load of zero."""
    lab.kube.objects[f"{SCOPE}/pods/*/queue"] = answer
    refused(await lab.ask(), NoDataReason.BAD_ANSWER, "no list of values for queue")


async def test_a_negative_value(lab: Lab) -> None:
    """One pod below nothing would lower what the others carry."""
    lab.publish(f"{SCOPE}/pods/*/queue", item("a", "5"), item("b", "-1"))
    refused(await lab.ask(), NoDataReason.NEGATIVE, "a pod has the value -1")


@pytest.mark.parametrize("path", [GROUP, SCOPE])
@pytest.mark.parametrize(("error", "reason", "words"), FAILURES)
async def test_failures(
    lab: Lab, path: str, error: KubeError, reason: NoDataReason, words: str
) -> None:
    """Each says where to look."""
    lab.kube.fail("get", path, error)
    refused(await lab.ask(), reason, words)


async def test_what_is_not_served(lab: Lab) -> None:
    """The group, a version of it, and a metric in it are told apart."""
    refused(await lab.ask(), NoDataReason.EMPTY_RESULT, "nobody publishes queue of pods")
    refused(
        await lab.ask(describedObject=INGRESS), NoDataReason.EMPTY_RESULT, "queue of Ingress front"
    )
    lab.now_s += 301
    lab.serve("v2")
    refused(await lab.ask(), NoDataReason.BAD_ANSWER, "in none of the versions v1beta2, v1beta1")
    lab.serve()
    refused(await lab.ask(), NoDataReason.BAD_ANSWER, "in none of the versions v1beta2, v1beta1")
    del lab.kube.objects[GROUP]
    refused(await lab.ask(), NoDataReason.EMPTY_RESULT, "install an adapter for it")


async def test_groups(lab: Lab) -> None:
    """A replica of two pods carries what both do; one of them alone stands for both."""
    values = (item("a", "1"), item("b", "3"), item("c", "2"))
    lab.publish(f"{SCOPE}/pods/*/queue", *values)
    of = workload(*map(pod, "abcd"), size=2)
    assert await lab.ask(of) == Sample((4.0,), 100.0, answered=1, of=2)


async def test_sharing(lab: Lab) -> None:
    """Who asks the same of the same pods gets the same answer, and nobody else does."""
    lab.publish(f"{SCOPE}/pods/*/queue", item("a", "5"))
    await asyncio.gather(*(lab.ask(max_age_s=7) for _ in range(5)))
    assert lab.source.fetches == 1
    await lab.ask(max_age_s=7, metric="other")
    await lab.ask(workload(pod("a"), selector="app=other"), max_age_s=7)
    await lab.ask(max_age_s=7, describedObject=INGRESS)
    lab.now_s += 8
    await lab.ask(max_age_s=7)
    assert lab.source.fetches == 5
    lab.now += timedelta(seconds=61)
    refused(await lab.ask(max_age_s=7), NoDataReason.EMPTY_RESULT, "new enough")
    assert lab.source.fetches == 5
