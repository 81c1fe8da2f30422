"""More replicas than there is room for: a quota that refuses pods, and nodes that are full."""

from typing import Final

from budaiscaler.kube.resources import DEPLOYMENTS, Resource
from e2e.cluster import workloads
from e2e.cluster.api import Object
from e2e.stories import SETTLE_S, Story

QUOTAS: Final = Resource("", "v1", "resourcequotas")
RETRIED_S: Final = 120.0
"""A ReplicaSet whose pods are refused asks again after ever longer pauses."""

QUICK: Final[Object] = {
    "scaleUp": {"maxScaleRate": "10"},
    "scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 600}]},
}
"""Up at once, and down by one in ten minutes."""


def test_a_quota_that_refuses_pods(story: Story) -> None:
    """Six are wanted and three allowed: it is told, nobody is taken for lost, and the rest goes."""
    story.deploy(replicas=2)
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "3"}}}
    story.api.create(QUOTAS.collection(story.namespace), quota)
    story.start_load(60)
    story.create(story.scaler(scalingStrategy="BudScaler", behavior=QUICK))
    message = story.wait_for_condition("CapacityAvailable", "False", "QuotaExceeded")
    assert message.startswith("a quota refuses ")
    assert "exceeded quota: small" in message
    story.wait_for_event("QuotaExceeded")

    # No policy holds what was never made, and one a ten minutes holds what serves.
    story.set_load(10)
    with story.replicas() as replicas:
        replicas.wait_for(3, timeout_s=SETTLE_S)
    story.wait_for_condition("CapacityAvailable", "True", "ReplicasPlaced")

    story.set_load(60)
    story.wait_for_condition("CapacityAvailable", "False", "QuotaExceeded")
    more = {"spec": {"hard": {"pods": "10"}}}
    story.api.patch(QUOTAS.item(story.namespace, "small"), more)
    story.wait_for_ready(6, timeout_s=RETRIED_S)
    story.wait_for_condition("CapacityAvailable", "True", "ReplicasPlaced")


def test_nodes_that_are_full(story: Story) -> None:
    """Of pods that each take a whole node's GPUs, a fourth finds none, and says what it lacks."""
    body = workloads.deployment(story.namespace, "chat", 2, gpus=8)
    story.api.create(DEPLOYMENTS.collection(story.namespace), body)
    story.wait_for_ready(2)
    story.start_load(40)
    story.create(story.scaler())
    lacking = "no node takes 1 of 4 replicas since "
    message = story.wait_for_condition(
        "CapacityAvailable", "False", "Unschedulable", saying=lacking
    )
    assert message.startswith(lacking)
    assert workloads.GPU in message
    story.set_load(20)
    story.wait_for_ready(2)
    story.wait_for_condition("CapacityAvailable", "True", "ReplicasPlaced")
