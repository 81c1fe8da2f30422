"""A workload's pods are those its owner chain leads to, whatever their labels say."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, NotFoundError
from budaiscaler.kube.workloads import Workloads
from tests.fakes.kube import FakeKube
from tests.kube.caching import settle
from tests.kube.cluster import owner, path, pod, reference, watching

pytestmark = pytest.mark.looptime


async def replicas(workloads: Workloads, name: str, kind: str = "Deployment") -> Replicas:
    await settle()
    return (await workloads.find("apps/v1", kind, "ml", name)).replicas


async def test_same_labels(kube: FakeKube) -> None:
    """Two Deployments with the same labels do not see each other's pods."""
    for name, count in (("chat", 3), ("code", 2)):
        deployment = owner(kube, "Deployment", name, replicas=4)
        replica_set = owner(kube, "ReplicaSet", f"{name}-1", of=deployment)
        for number in range(count):
            pod(kube, f"{name}-{number}", replica_set)

    async with watching(kube) as workloads:
        assert await replicas(workloads, "chat") == Replicas(current=4, ready=3)
        assert await replicas(workloads, "code") == Replicas(current=4, ready=2)


async def test_two_namespaces(kube: FakeKube) -> None:
    """A workload of the same name in another namespace is another one."""
    owner(kube, "Deployment", "chat", replicas=3)
    kube.put(path("Deployment", "chat", "other"), {"spec": {"replicas": 9}})

    async with watching(kube) as workloads:
        assert (await replicas(workloads, "chat")).current == 3


async def test_rollout(kube: FakeKube) -> None:
    """During a rollout the pods of both ReplicaSets count, and replicas are what was asked for."""
    deployment = owner(kube, "Deployment", "chat", replicas=2)
    old = owner(kube, "ReplicaSet", "chat-old", replicas=2, of=deployment)
    new = owner(kube, "ReplicaSet", "chat-new", replicas=1, of=deployment)
    pod(kube, "old-1", old)
    pod(kube, "old-2", old)
    pod(kube, "new-1", new, ready=False)

    async with watching(kube) as workloads:
        assert await replicas(workloads, "chat") == Replicas(current=2, ready=2)
        pod(kube, "new-1", new)
        kube.remove(path("Pod", "old-1"))
        assert await replicas(workloads, "chat") == Replicas(current=2, ready=2)
        kube.remove(path("Pod", "old-2"))
        kube.remove(path("ReplicaSet", "chat-old"))
        assert await replicas(workloads, "chat") == Replicas(current=2, ready=1)


@pytest.mark.parametrize("kind", ["StatefulSet", "ReplicaSet"])
async def test_direct_owners(kube: FakeKube, kind: str) -> None:
    """StatefulSets and bare ReplicaSets own their pods themselves."""
    reference_ = owner(kube, kind, "chat", replicas=2)
    pod(kube, "chat-0", reference_)

    async with watching(kube) as workloads:
        assert await replicas(workloads, "chat", kind) == Replicas(current=2, ready=1)


async def test_pods_before_their_owners(kube: FakeKube) -> None:
    """In whatever order the parts of a workload become known, all of them count in the end."""
    async with watching(kube) as workloads:
        pod(kube, "chat-1", reference("ReplicaSet", "ReplicaSet-chat-1"))
        await settle()
        owner(kube, "ReplicaSet", "chat-1", of=reference("Deployment", "Deployment-chat"))
        await settle()
        owner(kube, "Deployment", "chat", replicas=1)

        assert await replicas(workloads, "chat") == Replicas(current=1, ready=1)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({}, Replicas(1, 1), id="ready"),
        pytest.param({"ready": False}, Replicas(1, 0), id="not-ready"),
        pytest.param({"terminating": True}, Replicas(1, 0), id="terminating"),
        pytest.param({"phase": "Succeeded"}, Replicas(1, 0), id="finished"),
        pytest.param({"phase": "Failed"}, Replicas(1, 0), id="evicted"),
        pytest.param(
            {"ready": False, "unschedulable": "Unschedulable"}, Replicas(1, 0, 1), id="no-room"
        ),
        pytest.param(
            {"ready": False, "unschedulable": "SchedulingGated"}, Replicas(1, 0, 1), id="gated"
        ),
    ],
)
async def test_states_of_pods(kube: FakeKube, state: dict[str, bool], expected: Replicas) -> None:
    """Only a live, ready pod is ready, and one that gets no node is unschedulable."""
    replica_set = owner(kube, "ReplicaSet", "r", of=owner(kube, "Deployment", "chat", replicas=1))
    async with watching(kube) as workloads:
        pod(kube, "p", replica_set)
        await settle()
        pod(kube, "p", replica_set, **state)  # type: ignore[arg-type] # a row of the table

        assert await replicas(workloads, "chat") == expected


async def test_waiting_to_be_scheduled(kube: FakeKube) -> None:
    """A pod without any status yet is starting: neither ready nor unschedulable."""
    replica_set = owner(kube, "ReplicaSet", "r", of=owner(kube, "Deployment", "chat", replicas=1))
    kube.put(path("Pod", "p"), {"metadata": {"ownerReferences": [replica_set]}})

    async with watching(kube) as workloads:
        assert await replicas(workloads, "chat") == Replicas(current=1, ready=0)


async def test_recreated_pod(kube: FakeKube) -> None:
    """A pod of the same name but another uid, as StatefulSets make them, replaces the old one."""
    stateful_set = owner(kube, "StatefulSet", "chat", replicas=1)

    async with watching(kube) as workloads:
        pod(kube, "chat-0", stateful_set, uid="first")
        await settle()
        pod(kube, "chat-0", stateful_set, uid="second")

        assert (await replicas(workloads, "chat", "StatefulSet")).ready == 1


async def test_recreated_deployment(kube: FakeKube) -> None:
    """A Deployment that is deleted and made again does not count the pods of the one before."""
    first = owner(kube, "Deployment", "chat")
    pod(kube, "p", owner(kube, "ReplicaSet", "r", of=first))

    async with watching(kube) as workloads:
        kube.remove(path("Deployment", "chat"))
        kube.put(path("Deployment", "chat"), {"metadata": {"uid": "again"}, "spec": {}})

        assert await replicas(workloads, "chat") == Replicas(current=1, ready=0)


@pytest.mark.parametrize("of", [None, "b"])
async def test_released_replica_set(kube: FakeKube, of: str | None) -> None:
    """A ReplicaSet that its Deployment releases, or another adopts, leaves with its pods."""
    first, second = (owner(kube, "Deployment", name) for name in ("a", "b"))
    replica_set = owner(kube, "ReplicaSet", "r", of=first)
    pod(kube, "p", replica_set)

    async with watching(kube) as workloads:
        owner(kube, "ReplicaSet", "r", of=second if of else None)

        assert (await replicas(workloads, "a")).ready == 0
        assert (await replicas(workloads, "b")).ready == (1 if of else 0)


async def test_adopted_pod(kube: FakeKube) -> None:
    """A pod that moves to another owner is not counted at both."""
    first, second = (owner(kube, "StatefulSet", name) for name in ("a", "b"))
    pod(kube, "p", first)

    async with watching(kube) as workloads:
        pod(kube, "p", second)

        assert (await replicas(workloads, "a", "StatefulSet")).ready == 0
        assert (await replicas(workloads, "b", "StatefulSet")).ready == 1


async def test_nothing_is_kept_of_strangers(kube: FakeKube) -> None:
    """A year of jobs and bare pods leaves nothing in memory, nor do workloads that are gone."""
    replica_set = owner(kube, "ReplicaSet", "r", of=owner(kube, "Deployment", "chat"))

    async with watching(kube) as workloads:
        for number in range(50):
            pod(kube, f"job-{number}", reference("Job", f"uid-{number}", "batch/v1"))
            pod(kube, f"clone-{number}", reference("StatefulSet", "kruise", "apps.kruise.io/v1"))
            pod(kube, f"bare-{number}", None)
        pod(kube, "p", replica_set)
        await settle()
        for path_ in list(kube.objects):
            kube.remove(path_)
        await settle()

        for memory in (
            workloads._starts,
            workloads._known,
            workloads._pods_by_owner,
            workloads._owned,
        ):
            assert not memory


async def test_missing_target(kube: FakeKube) -> None:
    """A target that does not exist is named, with its kind and namespace."""
    async with watching(kube) as workloads:
        with pytest.raises(
            NotFoundError, match="Deployment chat does not exist in namespace ml"
        ) as raised:
            await workloads.find("apps/v1", "Deployment", "ml", "chat")
    assert raised.value.code == 404


async def test_a_look_up_asks_nobody(kube: FakeKube) -> None:
    """Finding a Deployment costs the API server nothing, however often it is asked for."""
    owner(kube, "Deployment", "chat", replicas=3)

    async with watching(kube) as workloads:
        before = len(kube.calls)
        for _ in range(100):
            await replicas(workloads, "chat")

    assert len(kube.calls) == before


@pytest.mark.parametrize("kind", ["pods", "deployments", "statefulsets", "replicasets"])
async def test_how_far_behind(kube: FakeKube, kind: str) -> None:
    """What is known of a workload is as old as the oldest of what it is made of."""
    async with watching(kube) as workloads:
        await asyncio.sleep(600)
        kube.bookmark()
        await settle()
        assert workloads.behind_s == 0
        kube.fail("watch", f"/{kind}", KubeUnreachableError("refused"))
        kube.fail("get", f"/{kind}", KubeUnreachableError("refused"))
        kube.end_watches()
        for _ in range(10):
            await asyncio.sleep(60)
            kube.bookmark()
        await settle()
        assert workloads.behind_s == pytest.approx(600, abs=1)
