"""GPU thresholds: what DCGM exporters tell moves replicas, asked directly or by Prometheus."""

import time
from collections.abc import Iterable
from typing import Final

from budaiscaler.kube.resources import BUDAISCALERS, PODS
from e2e.cluster import dcgm
from e2e.cluster.api import Object
from e2e.cluster.dcgm import Gpu
from e2e.cluster.exporter import Exporter
from e2e.stories import SYNC_S, Story

STALE_S: Final = 60.0
"""A reading stands for so long after its exporter was last heard of."""
LATE_S: Final = 45.0


def pods(story: Story, name: str) -> list[tuple[str, str]]:
    """Name and node of the pods of a Deployment, in order."""
    path = f"{PODS.collection(story.namespace)}?labelSelector=app%3D{name}"
    return sorted(
        (pod["metadata"]["name"], pod["spec"]["nodeName"])
        for pod in story.api.get(path)["items"]
        if "deletionTimestamp" not in pod["metadata"]
    )


def gpu(story: Story, pod: str, *, memory: float = 20, busy: float = 20) -> Gpu:
    """The GPU of a pod."""
    return Gpu(f"GPU-{pod}", story.namespace, pod, memory, busy)


def scaler(story: Story, name: str, **config: object) -> Object:
    """A scaler whose queue wants one replica, and whose GPUs may want more."""
    return story.scaler(name, gpuConfig={"enabled": True, **config})


def wait_for_gpus(story: Story, name: str, **told: object) -> Object:
    """Wait until the status tells this of GPUs, among others; gives all it tells of them."""

    def tells(status: Object) -> bool:
        found = status.get("gpuStatus")
        return found is not None and found | told == found

    status: Object = story.wait_for_status(tells, f"{told} in gpuStatus", name=name)["gpuStatus"]
    return status


def tell_all(exporters: Iterable[Exporter], *gpus: Gpu) -> None:
    """Have all of these exporters tell of all of these GPUs."""
    for exporter in exporters:
        for one in gpus:
            dcgm.tell(exporter, one)


def test_gpus_of_the_target_scale_it_up_and_an_exporter_that_dies_does_not_scale_it_down(
    story: Story,
) -> None:
    """A quiet queue and full GPUs: the HPA adds replicas, whoever else is on those nodes."""
    story.start_load(5)
    for name, replicas in (("given", 2), ("found", 2), ("stranger", 1), ("quiet", 1)):
        story.deploy(name, replicas)
    given, found = pods(story, "given"), pods(story, "found")
    (stranger,), (quiet,) = pods(story, "stranger"), pods(story, "quiet")
    nodes = {node for _, node in (*found, quiet)}
    with (
        dcgm.on_nodes(story.api, story.namespace, nodes) as exporters,
        Exporter() as central,
        story.replicas("given") as given_replicas,
        story.replicas("found") as found_replicas,
        story.replicas("quiet") as quiet_replicas,
    ):
        tell_all([central], *(gpu(story, pod, memory=90) for pod, _ in given))
        for pod, node in found:
            dcgm.tell(exporters[node], gpu(story, pod, busy=100))
        dcgm.tell(exporters[quiet[1]], gpu(story, quiet[0]))
        tell_all([central, *exporters.values()], gpu(story, stranger[0], memory=100, busy=100))

        endpoint = f"http://{central.target}/metrics"
        story.create(scaler(story, "given", gpuMemoryThreshold=70, dcgmEndpoint=endpoint))
        story.create(scaler(story, "found", gpuMemoryThreshold=70, gpuComputeThreshold=50))
        story.create(scaler(story, "quiet", gpuMemoryThreshold=70, gpuComputeThreshold=70))
        story.wait_for_ready(3, "given")
        story.wait_for_ready(4, "found")
        wait_for_gpus(story, "given", averageMemoryUtilization=90, totalGPUs=2)
        wait_for_gpus(story, "found", averageComputeUtilization=100, totalGPUs=2)
        told = wait_for_gpus(story, "quiet", totalGPUs=1)

        central.stop()
        for exporter in exporters.values():
            exporter.stop()
        story.set_load(1)
        for name in ("given", "found"):
            silent = story.wait_for(
                BUDAISCALERS.item(story.namespace, name),
                lambda o: "without data" in _active(o)["message"],
                "the GPUs to be missed",
                timeout_s=STALE_S + LATE_S,
            )
            active = _active(silent)
            assert (active["status"], active["reason"]) == ("True", "ValidMetricFound")
            assert "GPU" in active["message"]
        time.sleep(3 * SYNC_S)

    assert given_replicas.values == [2, 3]
    assert found_replicas.values == [2, 4]
    assert quiet_replicas.values == [1]
    assert told == {
        "averageMemoryUtilization": 20,
        "averageComputeUtilization": 20,
        "totalGPUs": 1,
        "gpuType": dcgm.MODEL,
    }


def test_gpus_by_the_operators_prometheus(story: Story) -> None:
    """The same series, scraped: GPUs of the pods count, those of a like-named Deployment do not."""
    story.start_load(5)
    story.deploy("chat", 2)
    story.deploy("chat-large", 1)
    with story.replicas() as replicas:
        for pod, _ in pods(story, "chat"):
            dcgm.tell(story.exporter, gpu(story, pod, memory=90, busy=30))
        for pod, _ in pods(story, "chat-large"):
            dcgm.tell(story.exporter, gpu(story, pod, memory=100, busy=100))
        story.create(scaler(story, "chat", gpuMemoryThreshold=70, metricsSource="prometheus"))
        story.wait_for_ready(3)
        found = wait_for_gpus(story, "chat", totalGPUs=2)
        time.sleep(2 * SYNC_S)

    assert replicas.values == [2, 3]
    assert found == {
        "averageMemoryUtilization": 90,
        "averageComputeUtilization": 30,
        "totalGPUs": 2,
    }


def _active(found: Object) -> Object:
    conditions = found.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "ScalingActive"), {"message": ""})
