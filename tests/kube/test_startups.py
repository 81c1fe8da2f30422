"""How long a workload's pods take to start is measured once a pod, and by nothing else."""

from __future__ import annotations

import pytest

from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import STARTS_KEPT, Workloads
from tests.fakes.kube import FakeKube
from tests.kube.caching import settle
from tests.kube.cluster import at, owner, path, pod, watching

pytestmark = pytest.mark.looptime


@pytest.fixture
def replica_set(kube: FakeKube) -> Json:
    return owner(kube, "ReplicaSet", "r", of=owner(kube, "Deployment", "chat"))


async def starts(workloads: Workloads) -> tuple[float, ...]:
    await settle()
    return (await workloads.find("apps/v1", "Deployment", "ml", "chat")).startups_s


async def born(kube: FakeKube, name: str, of: Json, *, uid: str | None = None) -> None:
    """Put a pod as it is created at noon: nobody has looked at it, nor told of its readiness."""
    metadata = {
        "uid": uid or f"Pod-{name}",
        "creationTimestamp": at(0),
        "ownerReferences": [of],
    }
    kube.put(path("Pod", name), {"metadata": metadata, "status": {"phase": "Pending"}})
    await settle()


async def test_measured_from_creation(kube: FakeKube, replica_set: Json) -> None:
    """A start lasts from the pod's creation to its first readiness, and counts when it is over."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, ready=False, since_s=2)
        assert await starts(workloads) == ()
        pod(kube, "p", replica_set, since_s=360)
        assert await starts(workloads) == (360,)


async def test_a_flapping_probe(kube: FakeKube, replica_set: Json) -> None:
    """A probe that fails for a while and recovers is no second start."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, since_s=90)
        await settle()
        for since_s in (1000, 2000, 3000):
            pod(kube, "p", replica_set, ready=False, since_s=since_s)
            await settle()
            pod(kube, "p", replica_set, since_s=since_s + 30)
            await settle()

        assert await starts(workloads) == (90,)


async def test_ready_before_we_looked(kube: FakeKube, replica_set: Json) -> None:
    """The readiness of a pod that a new leader finds may have come back a moment ago."""
    for number in range(6):
        pod(kube, f"p{number}", replica_set, since_s=3000)

    async with watching(kube) as workloads:
        assert await starts(workloads) == ()


@pytest.mark.parametrize("since_s", [2, 3000])
async def test_not_ready_when_we_looked(kube: FakeKube, replica_set: Json, since_s: float) -> None:
    """A pod that is not ready when a new leader comes may be starting, or may have been ready."""
    pod(kube, "p", replica_set, ready=False, since_s=since_s)

    async with watching(kube) as workloads:
        pod(kube, "p", replica_set, since_s=3060)
        assert await starts(workloads) == ()


async def test_nobody_had_looked_at_it_when_we_did(kube: FakeKube, replica_set: Json) -> None:
    """A pod that waits for its node when a new leader comes has its whole start before it."""
    await born(kube, "p", replica_set)

    async with watching(kube) as workloads:
        pod(kube, "p", replica_set, since_s=90)
        assert await starts(workloads) == (90,)


async def test_a_start_of_hours(kube: FakeKube, replica_set: Json) -> None:
    """Who waited that long waited for something else than a model."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, since_s=3601)
        assert await starts(workloads) == ()


async def test_restarted_containers(kube: FakeKube, replica_set: Json) -> None:
    """The readiness of a pod whose container restarted tells nothing about its start."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, ready=False, restarts=2)
        await settle()
        pod(kube, "p", replica_set, restarts=2, since_s=900)
        assert await starts(workloads) == ()


async def test_restart_after_the_start(kube: FakeKube, replica_set: Json) -> None:
    """A container that restarts later does not take back what was measured, nor add to it."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, since_s=90)
        await settle()
        pod(kube, "p", replica_set, ready=False, restarts=1, since_s=4000)
        await settle()
        pod(kube, "p", replica_set, restarts=1, since_s=5000)
        assert await starts(workloads) == (90,)


async def test_outlives_the_pods(kube: FakeKube, replica_set: Json) -> None:
    """What was measured stands when the workload is scaled to zero, and goes with its owner."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, since_s=90)
        await settle()
        kube.remove(path("Pod", "p"))
        assert await starts(workloads) == (90,)
        kube.remove(path("ReplicaSet", "r"))
        assert await starts(workloads) == ()


async def test_a_start_after_its_owner_went(kube: FakeKube, replica_set: Json) -> None:
    """An orphan that becomes ready at last leaves nothing in memory."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        kube.remove(path("ReplicaSet", "r"))
        await settle()
        pod(kube, "p", replica_set, since_s=90)
        await settle()
        assert not workloads._starts


async def test_recreated_pod_counts_again(kube: FakeKube, replica_set: Json) -> None:
    """A new pod under an old name is a start of its own."""
    async with watching(kube) as workloads:
        for uid, since_s in (("first", 60), ("second", 80)):
            await born(kube, "p", replica_set, uid=uid)
            pod(kube, "p", replica_set, uid=uid, since_s=since_s)
            await settle()
        assert await starts(workloads) == (60, 80)


async def test_the_last_ones_count(kube: FakeKube, replica_set: Json) -> None:
    """Only the latest starts are kept, so that a new image soon shows its own."""
    async with watching(kube) as workloads:
        for number in range(STARTS_KEPT + 5):
            await born(kube, f"p{number}", replica_set)
            pod(kube, f"p{number}", replica_set, since_s=number)
            await settle()

        assert await starts(workloads) == tuple(range(5, STARTS_KEPT + 5))


async def test_clocks_out_of_step(kube: FakeKube, replica_set: Json) -> None:
    """A node whose clock lags behind the API server's gives a start of zero, not a negative one."""
    async with watching(kube) as workloads:
        await born(kube, "p", replica_set)
        pod(kube, "p", replica_set, since_s=-5)
        assert await starts(workloads) == (0,)
