"""Story: what was written for the original is accepted as it is, and does what it asks for.

All samples play at the same time, each in a namespace of its own. Nothing of them is changed but
the namespace, and the names of servers for which there is no DNS here: they become addresses.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import pytest

from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS, PODS
from e2e import stories
from e2e.cluster import dcgm, metrics_apis, serving, workloads
from e2e.cluster.api import History, Object
from e2e.cluster.dcgm import Gpu
from e2e.cluster.engine_pages import Load
from e2e.cluster.engines import Engines
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Running, condition
from e2e.cluster.prometheus import RealPrometheus
from e2e.samples import PARTS, Part, load_samples
from e2e.stories import Story
from tests import rules

STRICT: Final = "fieldValidation=Strict"
SAMPLES: Final = load_samples()
POLL_S: Final = 1.0
"""Between two looks of the servers of a sample at its pods; there are many."""
PLAYED_S: Final = 100.0
"""The longest window upwards is 45 s."""
WINDOW_S: Final = 300
"""Of the rates in the samples."""
REQUESTS_PER_S: Final = 310
"""Four replicas, also where scrapes were lost and the rate tells up to a quarter too much."""
SAMPLES_BEFORE: Final = 8
OF_SPECS: Final = {"UnitAssumed", "SignalWarning"}
"""Warnings of how a scaler is written, whatever happens."""

STATUS: Object = {
    "actualScale": 2,
    "desiredScale": 3,
    "lastScaleTime": "2026-01-01T09:00:00Z",
    "scalingHistory": [
        {
            "timestamp": "2026-01-01T09:00:00Z",
            "previousScale": 2,
            "newScale": 3,
            "reason": "queue_depth 40 of 10",
            "algorithm": "KPA",
            "success": False,
            "error": "the API server did not answer",
        },
        {
            "timestamp": "2026-01-01T09:00:10Z",
            "fromReplicas": 2,
            "toReplicas": 3,
            "triggerMetric": "queue_depth",
            "triggerValue": "40",
            "targetValue": "10",
            "scalingStrategy": "KPA",
        },
    ],
    "gpuStatus": {
        "averageMemoryUtilization": 62,
        "averageComputeUtilization": 70,
        "totalGPUs": 2,
        "allocatedGPUs": 2,
        "gpuType": "H200",
    },
    "costStatus": {
        "currentHourlyCost": "2.04",
        "projectedDailyCost": "48.96",
        "budgetUtilization": 20,
        "spotInstancesInUse": 0,
        "onDemandInstancesInUse": 2,
        "currentCostPerHour": "2.04",
        "projectedMonthlyCost": "1468.80",
        "lastCostUpdate": "2026-01-01T09:00:00Z",
    },
    "predictionStatus": {
        "predictedReplicas": 3,
        "predictionConfidence": "0.80",
        "nextPredictedChange": "2026-01-01T09:15:00Z",
        "activeScheduleHint": "business-hours",
        "nextPredictedLoad": "40",
        "nextScaleTime": "2026-01-01T09:15:00Z",
    },
    "learningStatus": {
        "dataPointsCollected": 120,
        "overallAccuracy": "66.7%",
        "directionAccuracy": "66.7%",
        "recentMAPE": "6.25%",
        "recentMAE": "0.38",
        "seasonalDataComplete": False,
        "detectedPattern": "steady_state",
        "patternConfidence": "0.50",
        "calibrationNeeded": False,
        "lastCalibration": "2026-01-01T09:00:00Z",
        "configMapName": "chat-learning-data",
        "oldestDataPoint": "2026-01-01T08:00:00Z",
        "currentSeasonalFactor": "1.20",
        "storageUsed": "22Ki",
    },
    "multiClusterStatus": {
        "totalReplicasAcrossClusters": 3,
        "clusterDistribution": {"a": 3},
        "healthyClusters": ["a"],
        "unhealthyClusters": [],
    },
}


def _has_all(found: Any, wanted: Any) -> bool:
    """Whether everything that was sent is in what stands there; the server adds defaults."""
    if isinstance(wanted, dict):
        return all(key in found and _has_all(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_has_all, found, wanted))
    return bool(found == wanted)


def _placed(name: str, namespace: str) -> Object:
    """A sample in another namespace than its own."""
    sample = SAMPLES[name]
    return {**sample, "metadata": {**sample["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_accepted_strictly(budaiscaler: Running, name: str) -> None:
    """The server knows every field, takes every value, and drops none."""
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, _placed(name, "default"))

    assert answer.status == 201, answer.text
    assert _has_all(answer.json()["spec"], SAMPLES[name]["spec"])


def test_every_field_is_accepted_strictly(budaiscaler: Running) -> None:
    """Also what no sample shows: the example has every field of the schema, and all stand."""
    sample = {**_placed("kpa", "default"), "spec": rules.everything()}
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, sample)

    assert answer.status == 201, answer.text
    assert _has_all(answer.json()["spec"], rules.everything())


def test_a_field_that_nobody_knows_is_refused(budaiscaler: Running) -> None:
    """So the test above would see one that is missing."""
    sample = _placed("readme-gpu", "default")
    sample["spec"] = {**sample["spec"], "gpuConfig": {"dcgmEndpiont": "http://a"}}
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, sample)

    assert answer.status == 400, answer.text
    assert "dcgmEndpiont" in answer.json()["message"]


@dataclass(frozen=True, slots=True)
class Playing:
    """A sample that plays.

    Attributes:
        replicas: of its workload, from before it came.
    """

    story: Story
    part: Part
    replicas: History[int]

    @property
    def name(self) -> str:
        """Of the scaler."""
        sample = SAMPLES[self.story.namespace.removeprefix("sample-")]
        return str(sample["metadata"]["name"])


@pytest.fixture(scope="module")
def playing(
    budaiscaler: Running, prometheus: RealPrometheus, exporter: Exporter
) -> Iterator[dict[str, Playing]]:
    """All samples on workloads of their own, fed with what they ask for."""
    with ExitStack() as stack:
        _count(exporter, 0)
        prometheus.wait_for_value('sum(http_requests_total{app="myapp"})', 0)
        metrics = stack.enter_context(metrics_apis.serving(budaiscaler.cluster, budaiscaler.api))
        found = {}
        for name, part in PARTS.items():
            namespace = f"sample-{name}"
            stack.enter_context(stories.namespaced(budaiscaler.api, namespace))
            story = Story(budaiscaler, prometheus, exporter, namespace)
            target = SAMPLES[name]["spec"]["scaleTargetRef"]["name"]
            metrics.loads[namespace, target, "cpu"] = part.cores
            metrics.loads[namespace, target, "memory"] = 1.0
            _deploy(story, target, part.before)
            found[name] = Playing(story, part, stack.enter_context(story.replicas(target)))
            if part.page is not None:
                servers = Engines(story.api, namespace, target, part.page, part.port, poll_s=POLL_S)
                stack.enter_context(servers).share(Load(running=part.load))
        for name, play in found.items():
            play.story.wait_for_ready(
                play.part.before, SAMPLES[name]["spec"]["scaleTargetRef"]["name"]
            )
        prometheus.wait_for(
            'count_over_time(http_requests_total{app="myapp"}[5m])',
            lambda found: len(found) == 1 and found[0].value >= SAMPLES_BEFORE,
        )
        _count(exporter, WINDOW_S * REQUESTS_PER_S)
        servers_of = _servers(stack, found)
        for name, play in found.items():
            sample = _at_home(_placed(name, play.story.namespace), servers_of)
            path = f"{BUDAISCALERS.collection(play.story.namespace)}?{STRICT}"
            play.story.api.create(path, sample)
        yield found
        for series in ("http_requests_total", "vllm_request_latency_bucket"):
            exporter.clear(series)


def _count(exporter: Exporter, requests: float) -> None:
    """Set the counters of which samples take the rate over five minutes."""
    exporter.set("http_requests_total", requests, app="myapp")
    for bound in ("1000", "+Inf"):
        labels = {"namespace": "ai-production", "pod": "a", "le": bound}
        exporter.set("vllm_request_latency_bucket", requests, **labels)


def _deploy(story: Story, name: str, replicas: int) -> None:
    body = workloads.deployment(story.namespace, name, replicas)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    container["resources"] = {"requests": {"cpu": "1", "memory": "100Mi"}}
    story.api.create(DEPLOYMENTS.collection(story.namespace), body)


def _servers(stack: ExitStack, playing: dict[str, Playing]) -> dict[str, str]:
    """Start what is asked beside pods; gives what stands for each server that a sample names."""
    story = playing["full"].story
    gpus = {name: list(_gpus(play)) for name, play in playing.items() if play.part.gpu is not None}
    nodes = {node for found in gpus.values() for node, _ in found}
    exporters = stack.enter_context(dcgm.on_nodes(story.api, story.namespace, nodes))
    central = stack.enter_context(Exporter())
    for name, found in gpus.items():
        for node, gpu in found:
            dcgm.tell(central if name == "readme-gpu" else exporters[node], gpu)
    shared = serving.Server(lambda: _share(playing["test-policy"]))
    stack.callback(shared.stop)
    shared.start()
    return {
        "prometheus.monitoring:9090": story.prometheus.url.removeprefix("http://"),
        "dcgm-exporter:9400": central.target,
        "mock-vllm-metrics.llm-test.svc.cluster.local:8000": shared.target,
    }


def _gpus(play: Playing) -> Iterator[tuple[str, Gpu]]:
    """The GPU of each pod, and the node that it is on."""
    memory, busy = play.part.gpu or (0, 0)
    for pod in play.story.api.get(PODS.collection(play.story.namespace))["items"]:
        name = pod["metadata"]["name"]
        gpu = Gpu(f"GPU-{name}", play.story.namespace, name, memory=memory, busy=busy)
        yield pod["spec"]["nodeName"], gpu


def _share(play: Playing) -> serving.Answer:
    """What a gateway answers that knows how many pods share its load."""
    replicas = play.replicas.values[-1] or 1
    document = {"vllm:gpu_cache_usage_perc": play.part.load / replicas, "other": 1}
    return serving.Answer(200, "application/json", json.dumps(document))


def _at_home(sample: Object, servers: dict[str, str]) -> Object:
    text = json.dumps(sample)
    for name, target in servers.items():
        text = text.replace(name, target)
    placed: Object = json.loads(text)
    return placed


def test_no_sample_is_left_out() -> None:
    """Each has its part in the round below."""
    assert SAMPLES.keys() == PARTS.keys()


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.timeout(PLAYED_S + 20)
def test_it_scales_as_its_sources_ask(playing: dict[str, Playing], name: str) -> None:
    """Its replicas come to what the load needs, and never turn back or go beyond."""
    play = playing[name]
    play.replicas.wait_for(play.part.after, timeout_s=PLAYED_S)

    values = [value or 0 for value in play.replicas.values]
    assert values[0] == play.part.before
    assert values == sorted(values, reverse=play.part.after < play.part.before)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_has_no_effect_is_named(playing: dict[str, Playing], name: str) -> None:
    """Whatever a sample asks for in vain, and nothing else, the condition tells."""
    play = playing[name]
    found = play.story.wait_for(
        BUDAISCALERS.item(play.story.namespace, play.name),
        lambda o: condition(o, "ScalingActive") is not None,
        "an evaluation",
    )

    told = condition(found, "FieldsWithoutEffect", "message") or ""
    named = [field.split(" (")[0] for field in told.removeprefix("without effect: ").split("; ")]
    assert named == list(play.part.without_effect or [""]), told


def test_what_is_said_of_them_is_said_once(playing: dict[str, Playing]) -> None:
    """A guessed unit or a weak signal is one event, however often it is found again."""
    told: dict[str, list[str]] = {}
    for name, play in playing.items():
        reasons = [
            event["reason"]
            for event in play.story.events(name=play.name)
            if event["type"] == "Warning"
        ]
        assert len(reasons) == len(set(reasons)), (name, reasons)
        told |= {name: found} if (found := sorted(set(reasons) & OF_SPECS)) else {}
    assert told == {
        **{name: ["UnitAssumed"] for name in ("chart-era", "full", "readme-prometheus")},
        "readme-tgi": ["SignalWarning"],
    }


def test_the_web_server_is_a_native_hpa(playing: dict[str, Playing]) -> None:
    """CPU at 80 % and memory at 70 % become exactly such an HPA, which needs no load of ours."""
    play = playing["hpa"]
    hpa = play.story.wait_for_hpa(name=f"{play.name}-hpa")["spec"]

    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (2, 10)
    assert hpa["metrics"] == [
        {
            "type": "Resource",
            "resource": {
                "name": resource,
                "target": {"type": "Utilization", "averageUtilization": percent},
            },
        }
        for resource, percent in (("cpu", 80), ("memory", 70))
    ]
    up, down = hpa["behavior"]["scaleUp"], hpa["behavior"]["scaleDown"]
    assert up["policies"] == [{"type": "Pods", "value": 4, "periodSeconds": 15}]
    assert down["policies"] == [{"type": "Percent", "value": 10, "periodSeconds": 60}]
    assert (up["stabilizationWindowSeconds"], down["stabilizationWindowSeconds"]) == (30, 300)
    assert "desiredLoad" not in play.story.current(play.name)["status"]


def test_a_status_of_the_original_stands(story: Story) -> None:
    """Fields of both of its schemas are known, so that a stored object stays valid."""
    sample = _placed("kpa", story.namespace)
    story.api.create(BUDAISCALERS.collection(story.namespace), sample)
    path = BUDAISCALERS.item(story.namespace, sample["metadata"]["name"])
    found = story.api.patch(f"{path}/status?{STRICT}", {"status": STATUS})

    assert _has_all(found["status"], STATUS)
