"""Others that act on a workload: a vertical autoscaler wins, and a writer of replicas is named."""

import json

from e2e.cluster import custom
from e2e.cluster.api import Object
from e2e.cluster.installation import condition
from e2e.cluster.workloads import deployment
from e2e.stories import SETTLE_S, Story


def test_a_vertical_autoscaler_wins(story: Story) -> None:
    """Where one resizes the pods of the workload, we only publish, and say so."""
    story.deploy(replicas=2)
    story.start_load(40)
    controller = story.running.controller
    path = f"/apis/autoscaling.k8s.io/v1/namespaces/{story.namespace}/verticalpodautoscalers"
    vertical = {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": "sizes"},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat"},
            "updatePolicy": {"updateMode": "Recreate"},
        },
    }
    with custom.served(story.api, VERTICAL_POD_AUTOSCALERS_CRD, path):
        story.api.create(path, vertical)
        # A controller that found no such kind looks again only after minutes.
        controller.daemon.restart()
        controller.start()
        story.create(story.scaler())
        message = story.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
        story.wait_for_load(4)
        hpa = story.hpa()
        story.wait_for_event("ForeignAutoscaler")

    assert "VerticalPodAutoscaler sizes with updateMode Recreate" in message
    assert hpa is None


def test_a_manifest_with_replicas_is_named(story: Story) -> None:
    """What applies a number of replicas again and again is told from a person, and how to stop."""
    kubectl = story.running.cluster.kubectl
    manifest = deployment(story.namespace, "chat", 2)

    def sync() -> None:
        """Apply the manifest as a tool does that keeps the cluster as it stands in Git."""
        flags = ("--server-side", "--force-conflicts", "--field-manager=argocd-controller")
        kubectl.run("apply", *flags, "-f", "-", input=json.dumps(manifest))

    sync()
    story.wait_for_ready(2)
    story.start_load(40)
    story.create(story.scaler())
    with story.replicas() as replicas:
        story.wait_for_ready(4)
        course = list(replicas.values)
        for _ in range(2):
            assert condition(story.current(), "Contested") is None
            sync()
            course += [2, 4]  # the HPA may look at once
            replicas.wait_for_all(*course, timeout_s=SETTLE_S)
        message = story.wait_for_condition("Contested", "True", "ReplicasWrittenByOthers")

    assert "field manager argocd-controller" in message
    assert "ignoreDifferences" in message
    story.wait_for_event("Contested")


VERTICAL_POD_AUTOSCALERS_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "verticalpodautoscalers.autoscaling.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
    },
    "spec": {
        "group": "autoscaling.k8s.io",
        "scope": "Namespaced",
        "names": {
            "kind": "VerticalPodAutoscaler",
            "plural": "verticalpodautoscalers",
            "singular": "verticalpodautoscaler",
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""The vertical autoscaler's kind, as far as it matters here."""
