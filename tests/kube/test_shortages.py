"""Replicas without a place: refused by what admits pods, or on no node, and since when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.decision import Replicas
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workload, Workloads
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.kube.caching import settle
from tests.kube.cluster import at, owner, path, pod, watching

pytestmark = pytest.mark.looptime

QUOTA = 'pods "chat-x" is forbidden: exceeded quota: gpus, requested: pods=1, used: pods=2'


def refused(since_s: float = 30, message: str = QUOTA, **fields: str) -> Json:
    """What a ReplicaSet says whose pods are not made."""
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "lastTransitionTime": at(since_s),
        "message": message,
        **fields,
    }


def chat(kube: FakeKube, pods: int, *conditions: Json, replicas: int = 4) -> None:
    """A Deployment of which that many pods are there, and what its ReplicaSet says."""
    deployment = owner(kube, "Deployment", "chat", replicas=replicas)
    of = owner(kube, "ReplicaSet", "r", replicas=replicas, of=deployment, conditions=conditions)
    for number in range(pods):
        pod(kube, f"chat-{number}", of)


async def find(workloads: Workloads) -> Workload:
    await settle()
    return await workloads.find("apps/v1", "Deployment", "ml", "chat")


@pytest.mark.parametrize(
    ("condition", "obstacle"),
    [
        pytest.param(refused(), Obstacle.QUOTA_EXCEEDED, id="quota"),
        pytest.param(
            refused(message="violates PodSecurity"), Obstacle.FAILED_CREATE, id="another-admission"
        ),
        pytest.param(refused(reason="FailedDelete"), None, id="cannot-delete"),
        pytest.param(refused(status="False"), None, id="over"),
    ],
)
async def test_pods_that_are_refused(
    kube: FakeKube, condition: Json, obstacle: Obstacle | None
) -> None:
    """Two of four are there; the others are refused if the ReplicaSet says so."""
    chat(kube, 2, condition)
    async with watching(kube) as workloads:
        found = await find(workloads)
    count = 2 if obstacle else 0
    assert found.replicas == Replicas(4, 2, refused=count)
    assert found.replicas.unplaced == count
    assert found.replicas.lost_or_starting == 2 - count
    if obstacle is None:
        assert found.shortage is None
    else:
        told = Shortage(obstacle, NOON + timedelta(seconds=30), condition["message"])
        assert found.shortage == told


async def test_what_is_there_is_not_refused(kube: FakeKube) -> None:
    """A surge pod that a quota refuses keeps a rollout waiting, and is no replica that lacks."""
    chat(kube, 4, refused())
    async with watching(kube) as workloads:
        found = await find(workloads)
    assert found.replicas == Replicas(4, 4)
    assert found.shortage is None


async def test_a_refusal_ends(kube: FakeKube) -> None:
    """With the condition, with the pods, and with the ReplicaSet; nothing is kept of it."""
    chat(kube, 2, refused())
    async with watching(kube) as workloads:
        assert (await find(workloads)).replicas.refused == 2
        chat(kube, 3)
        assert (await find(workloads)).replicas == Replicas(4, 3)
        chat(kube, 3, refused())
        assert (await find(workloads)).replicas.refused == 1
        kube.remove(path("ReplicaSet", "r"))
        assert (await find(workloads)).replicas.refused == 0
        assert not workloads._refusals


async def test_of_all_that_wait_the_longest_is_told(kube: FakeKube) -> None:
    """Pods on no node since different times, and one that is refused."""
    chat(kube, 1, refused(since_s=50), replicas=5)
    of = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "ReplicaSet-r", "controller": True}
    for number, since_s in ((7, 40), (8, 20), (9, 60)):
        pod(
            kube,
            f"chat-{number}",
            of,
            ready=False,
            unschedulable="Unschedulable",
            since_s=since_s,
            message="0/3 nodes are available",
        )
    async with watching(kube) as workloads:
        found = await find(workloads)
    assert found.replicas == Replicas(5, 1, unschedulable=3, refused=1)
    since = NOON + timedelta(seconds=20)
    assert found.shortage == Shortage(Obstacle.UNSCHEDULABLE, since, "0/3 nodes are available")
