"""Story: when a Deployment shrinks, the real ReplicaSet controller takes its idlest pods."""

from typing import Final

import yaml

from budaiscaler.kube.resources import DEPLOYMENTS, PODS
from e2e.cluster.api import Object
from e2e.cluster.engine_pages import Load
from e2e.cluster.engines import Engines
from e2e.cluster.installation import ROOT
from e2e.fleets import QUICK
from e2e.stories import Story

SAMPLE: Final = ROOT / "manifests" / "samples" / "pod-deletion-cost.yaml"
ROLE_BINDINGS: Final = "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings"
SCALED_S: Final = 90.0


def living(story: Story) -> set[str]:
    """Names of the pods that are not on their way out."""
    found = story.api.get(PODS.collection(story.namespace))["items"]
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


def test_the_idlest_pods_go(story: Story) -> None:
    """Three old pods have next to nothing to do and three young ones all of it: old ones go.

    By itself Kubernetes prefers to take the young ones. The scaler and the right to name pods are
    those of the sample.
    """
    binding, scaler = yaml.safe_load_all(SAMPLE.read_text())
    story.api.create(ROLE_BINDINGS.format(story.namespace), binding)
    story.deploy(replicas=3)
    old = sorted(living(story))
    scale: Object = {"spec": {"replicas": 6}}
    story.api.patch(DEPLOYMENTS.item(story.namespace, "chat"), scale)
    story.wait_for_ready(6)
    with Engines.of(story.api, story.namespace, "chat", "vllm") as engines:
        engines.wait_for(6)
        engines.give_each(Load(running=10))
        engines.own = {name: Load(running=float(turn)) for turn, name in enumerate(old)}
        config = {"engineType": "vllm", "metricsPort": engines.port}
        (source,) = scaler["spec"]["metricsSources"]
        described = story.scaler(
            scalingStrategy=scaler["spec"]["scalingStrategy"],
            metricsSources=[{**source, "inferenceEngineConfig": config}],
            behavior=QUICK,
        )
        described["metadata"]["annotations"] = scaler["metadata"]["annotations"]
        before = living(story)
        story.create(described)
        story.wait_for_ready(4, timeout_s=SCALED_S)

    assert before - living(story) == set(old[:2])
    assert story.events("FailedPodDeletionCost") == []
