"""Workloads of a kind that needs a role; those of the usual kinds are in `test_strategies`."""

from budaiscaler.kube.resources import Resource
from e2e.cluster import workloads
from e2e.cluster.api import History, Object
from e2e.stories import SETTLE_S, Story

CONTROLLERS = Resource("", "v1", "replicationcontrollers")


def test_any_kind_once_it_is_allowed(story: Story) -> None:
    """Another kind needs a role, which the scaler says; with it, it is scaled like the others."""
    template = workloads.deployment(story.namespace, "chat", 1)["spec"]["template"]
    body = {"metadata": {"name": "chat"}, "spec": {"replicas": 1, "template": template}}
    story.api.create(CONTROLLERS.collection(story.namespace), body)
    story.start_load(30)
    target = {"apiVersion": "v1", "kind": "ReplicationController", "name": "chat"}
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
    path = CONTROLLERS.item(story.namespace, "chat", "scale")
    story.running.expected_refusals.add(path)
    with asked_for(story, CONTROLLERS) as replicas:
        story.create(story.scaler(scaleTargetRef=target))
        message = story.wait_for_condition("Ready", "False", "TargetNotReadable")
        held = list(replicas.values)
        story.api.create(role, TARGETS)
        try:
            replicas.wait_for(3, timeout_s=SETTLE_S)
            story.wait_for_condition("Ready", "True", "ScalerReady")
        finally:
            story.api.delete(f"{role}/e2e-targets")

    assert 'cannot get resource "replicationcontrollers/scale"' in message
    assert held == [1]
    assert replicas.values == [1, 3]


TARGETS: Object = {
    "metadata": {
        "name": "e2e-targets",
        "labels": {"scaler.bud.studio/aggregate-to-targets": "true"},
    },
    "rules": [{"apiGroups": [""], "resources": ["replicationcontrollers/scale"], "verbs": ["get"]}],
}
"""What an administrator adds for a kind of his own."""


def asked_for(story: Story, resource: Resource) -> History[int]:
    """Every number of replicas that the workload `chat` of that kind is asked for."""
    path = f"{resource.collection(story.namespace)}?fieldSelector=metadata.name%3Dchat"
    return History(story.api, path, lambda found: int(found["spec"]["replicas"]))
