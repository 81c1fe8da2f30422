"""Resource and custom sources: metrics of the cluster move replicas, through the HPA and our load.

Of every scaler here a replica is at its target with half a core, or with ten in its queue.
"""

import copy
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from budaiscaler.kube.resources import DEPLOYMENTS, HPAS
from e2e.cluster import metrics_apis, workloads
from e2e.cluster.api import Object
from e2e.cluster.installation import Running, condition
from e2e.cluster.metrics_apis import MetricsApis
from e2e.stories import EXACT, SETTLE_S, SYNC_S, Story

STALE_S = 60.0
LATE_S = 45.0
MIB: Final = 2.0**20

CPU: Final[Object] = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "50"}
CORES: Final[Object] = {**CPU, "targetValue": "500m"}
QUEUE: Final[Object] = {
    "metricSourceType": "custom",
    "targetMetric": "queue_length",
    "targetValue": "10",
}
SERVICE: Final[Object] = {"apiVersion": "v1", "kind": "Service", "name": "front"}
TOLERANT: Final[Object] = {
    way: {k: v for k, v in rules.items() if k != "tolerance"} for way, rules in EXACT.items()
}
"""Metrics of each pod are never so exact that a dead band of nothing would do."""


@pytest.fixture(scope="module")
def metrics(budaiscaler: Running) -> Iterator[MetricsApis]:
    """Both APIs, for the tests here."""
    with metrics_apis.serving(budaiscaler.cluster, budaiscaler.api) as apis:
        yield apis


def deploy(story: Story, name: str, replicas: int = 1, **requests: str) -> None:
    """Make a Deployment whose pods request a core and 100 MiB, or what is told."""
    body = workloads.deployment(story.namespace, name, replicas)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": "1", "memory": "100Mi", **requests}}
    story.api.create(DEPLOYMENTS.collection(story.namespace), body)
    story.wait_for_ready(replicas, name)


def scaler(story: Story, name: str, *sources: Object, **spec: Any) -> Object:
    """Describe a scaler with these sources."""
    behavior = copy.deepcopy(TOLERANT)
    return story.scaler(name, metricsSources=list(sources), **{"behavior": behavior, **spec})


def use(metrics: MetricsApis, story: Story, name: str, replicas: float) -> None:
    """Have the pods of an app together use as much as so many of them at their target."""
    metrics.loads[story.namespace, name, "cpu"] = 0.5 * replicas
    metrics.loads[story.namespace, name, "memory"] = MIB
    metrics.loads[story.namespace, name, "queue_length"] = 10 * replicas
    if name == "of-object":
        metrics.objects[f"{story.namespace}/services/front/queue_length"] = 10 * replicas


NATIVE: Final[dict[str, list[Object]]] = {
    "percent": [CPU],
    "cores": [CORES],
    "queue": [QUEUE],
}
PUBLISHED: Final[dict[str, list[Object]]] = {
    "fraction": [{**CPU, "targetValue": "50.001"}],
    "of-object": [{**QUEUE, "describedObject": SERVICE, "targetType": "AverageValue"}],
}
NEVER: Final[dict[str, list[Object]]] = {"own-cpu": [CPU], "own-queue": [QUEUE]}


EVERYTHING: Final = {**NATIVE, **PUBLISHED, **NEVER}
AT_FOUR: Final = dict.fromkeys(EVERYTHING, 4)


@pytest.mark.timeout(300)
def test_up_down_and_gone(story: Story, metrics: MetricsApis) -> None:
    """Loads of each kind scale; half of the pods silent, or the API gone, take no replica away."""
    start_everything(story, metrics)
    with ExitStack() as stack:
        histories = {name: stack.enter_context(story.replicas(name)) for name in EVERYTHING}
        for name in EVERYTHING:
            use(metrics, story, name, 4)
        for name in EVERYTHING:
            histories[name].wait_for(4, timeout_s=2 * SETTLE_S)
            story.wait_for_ready(4, name)

        # Two of four have less to do than their share; of the others nobody knows.
        for name in EVERYTHING.keys() - {"of-object"}:
            metrics.answering[story.namespace, name] = 2
            use(metrics, story, name, 2.4)
        time.sleep(4 * SYNC_S)
        assert {name: history.values[-1] for name, history in histories.items()} == AT_FOUR

        metrics.is_down = True
        expect_no_data(story)
        held = {name: history.values[-1] for name, history in histories.items()}

        for name in EVERYTHING:
            use(metrics, story, name, 2)
        metrics.answering.clear()
        metrics.is_down = False
        for history in histories.values():
            history.wait_for(2, timeout_s=2 * SETTLE_S)
        assert held == AT_FOUR
        for name, history in histories.items():
            assert history.values == [1, 4, 2], name


def start_everything(story: Story, metrics: MetricsApis) -> None:
    """Make Deployments of one replica that is at its target, their scalers and their HPAs."""
    kinds = {**dict.fromkeys(NATIVE, "Resource"), **dict.fromkeys(PUBLISHED, "External")}
    kinds["queue"] = "Pods"
    for name, sources in EVERYTHING.items():
        use(metrics, story, name, 1)
        deploy(story, name)
        options: Object = {"hpa": {"manage": "Never"}} if name in NEVER else {}
        story.create(scaler(story, name, *sources, **options))
        if name in NEVER:
            own = story.own_hpa(f"{name}-mine", name)
            story.api.create(HPAS.collection(story.namespace), own)
        else:
            hpa = story.wait_for_hpa(name=f"{name}-hpa")
            assert [metric["type"] for metric in hpa["spec"]["metrics"]] == [kinds[name]]


def expect_no_data(story: Story) -> None:
    """Wait until every scaler tells that it has no data, and the HPAs that they have none."""
    for name in EVERYTHING:
        message = story.wait_for_condition(
            "ScalingActive", "False", "NoData", name=name, timeout_s=STALE_S + LATE_S
        )
        assert "metrics.k8s.io cannot answer now" in message
        story.wait_for_condition("Ready", "False", "NoData", name=name)
    for name in NATIVE:
        story.wait_for_hpa(
            lambda hpa: condition(hpa, "ScalingActive") == "False",
            what="an HPA without data",
            name=f"{name}-hpa",
        )


def test_a_mixed_scaler(story: Story, metrics: MetricsApis) -> None:
    """An HPA reads cpu itself and all else from the load; the larger wins, and status says so."""
    use(metrics, story, "chat", 1)
    deploy(story, "chat")
    story.start_load(10)
    story.create(scaler(story, "chat", CPU, story.source()))
    hpa = story.wait_for_hpa()
    assert [metric["type"] for metric in hpa["spec"]["metrics"]] == ["Resource", "External"]
    with story.replicas() as replicas:
        use(metrics, story, "chat", 3)
        replicas.wait_for(3, timeout_s=SETTLE_S)
        story.wait_for_ready(3)
        story.set_load(50)
        replicas.wait_for(5, timeout_s=SETTLE_S)
        story.set_load(10)
        replicas.wait_for(3, timeout_s=SETTLE_S)
    status = story.wait_for_status(
        lambda status: (status.get("desiredScale"), status.get("desiredLoad")) == (3, "1"),
        "a report of what both want",
    )
    assert "NativeMetric" in [rung["code"] for rung in status["reasons"]]


def test_a_pod_without_requests(story: Story, metrics: MetricsApis) -> None:
    """Percent of nothing is no load: the pod is named, and the replicas stay."""
    use(metrics, story, "chat", 0.1)
    deploy(story, "chat", 3, cpu="0")
    story.create(scaler(story, "chat", {**CPU, "targetValue": "50.5"}))
    with story.replicas() as replicas:
        message = story.wait_for_condition("ScalingActive", "False", "NoData")
        time.sleep(2 * SYNC_S)
    assert "requests no cpu" in message
    assert replicas.values == [3]
