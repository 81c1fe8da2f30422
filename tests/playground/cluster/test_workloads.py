"""Deployments, ReplicaSets and StatefulSets, as an autoscaler sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from budaiscaler.domain import times
from budaiscaler.kube.port import Json, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS
from budaiscaler.playground.cluster import objects
from tests.playground.cluster import world as worlds
from tests.playground.cluster.world import NAMESPACE, World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds.world(tmp_path) as found:
        yield found


async def test_pods_come_start_and_serve(world: World) -> None:
    """They are there at once, have an address each, and are ready after their model is loaded."""
    await world.add("chat", 3)
    await world.passes()

    pods = await world.pods("chat")
    assert len(pods) == 3
    assert len({pod["status"]["podIP"] for pod in pods}) == 3
    assert await world.ready("chat") == 0
    await world.passes(after_s=47)
    assert await world.ready("chat") == 0
    await world.passes(after_s=100)
    assert await world.ready("chat") == 3
    status = await world.status("chat")
    assert (status["replicas"], status["readyReplicas"]) == (3, 3)


async def test_a_start_is_measured_as_the_servers_measure_it(world: World) -> None:
    """From a pod's creation to the time at which it says that it became ready."""
    await world.add("chat", 1)
    await world.passes()
    await world.passes(after_s=200)
    pod = (await world.pods("chat"))[0]
    created = times.parse(pod["metadata"]["creationTimestamp"])
    ready = next(one for one in pod["status"]["conditions"] if one["type"] == "Ready")
    became_ready = times.parse(ready["lastTransitionTime"])

    assert created is not None
    assert became_ready is not None
    assert 48 <= (became_ready - created).total_seconds() <= 145


async def test_the_pods_that_serve_least_go_first(world: World) -> None:
    """Those that still start go before those that serve, and a cheap one before the others."""
    await world.add("chat", 3)
    await world.passes()
    await world.passes(after_s=200)
    await world.scale("chat", 5)
    await world.passes()
    await world.scale("chat", 3)
    await world.passes()
    assert await world.ready("chat") == 3

    cheap = (await world.pods("chat"))[1]
    annotation = {"metadata": {"annotations": {objects.DELETION_COST: "-10"}}}
    await world.kube.patch(objects.path(PODS, cheap), annotation, PatchType.MERGE)
    await world.scale("chat", 2)
    await world.passes()
    left = [pod["metadata"]["name"] for pod in await world.pods("chat")]
    assert len(left) == 2
    assert cheap["metadata"]["name"] not in left


async def test_a_pod_that_is_lost_comes_again(world: World) -> None:
    """Another one is made, which has to start, at another address."""
    await world.add("chat", 2)
    await world.passes()
    await world.passes(after_s=200)
    lost = (await world.pods("chat"))[0]
    await world.kube.delete(objects.path(PODS, lost))
    await world.passes()

    pods = await world.pods("chat")
    assert len(pods) == 2
    assert await world.ready("chat") == 1
    assert lost["status"]["podIP"] not in {pod["status"]["podIP"] for pod in pods}


async def test_a_rollout_replaces_all_pods_and_leaves_enough(world: World) -> None:
    """At no time fewer than three quarters serve, and in the end all are of the new template."""
    await world.add("chat", 4)
    await world.passes()
    await world.passes(after_s=200)
    old = {pod["metadata"]["name"] for pod in await world.pods("chat")}
    template = {"metadata": {"annotations": {"revision": "2"}}}
    path = DEPLOYMENTS.item(NAMESPACE, "chat")
    await world.kube.patch(path, {"spec": {"template": template}}, PatchType.MERGE)
    most = 0
    for _ in range(40):
        await world.passes(after_s=30)
        assert await world.ready("chat") >= 3
        most = max(most, len(await world.pods("chat")))

    pods = await world.pods("chat")
    assert old.isdisjoint(pod["metadata"]["name"] for pod in pods)
    assert await world.ready("chat") == 4
    assert most == 5
    sizes = (await world.kube.get(REPLICA_SETS.collection(NAMESPACE)))["items"]
    assert sorted(one["spec"]["replicas"] for one in sizes) == [0, 4]


async def test_two_deployments_do_not_share_pods(world: World) -> None:
    """Each has its own, by what owns them."""
    await world.add("chat", 2)
    await world.add("code", 1)
    await world.passes()

    assert (len(await world.pods("chat")), len(await world.pods("code"))) == (2, 1)


async def test_a_stateful_set_names_its_pods(world: World) -> None:
    """By number, and the highest numbers go first."""
    body: Json = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": NAMESPACE},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [{"name": "db", "image": "pretended"}]},
            },
        },
    }
    await world.kube.create(STATEFUL_SETS.collection(NAMESPACE), body)
    await world.passes()
    assert sorted(pod["metadata"]["name"] for pod in await world.pods()) == ["db-0", "db-1", "db-2"]
    path = STATEFUL_SETS.item(NAMESPACE, "db")
    await world.kube.patch(path, {"spec": {"replicas": 1}}, PatchType.MERGE)
    await world.passes()
    assert [pod["metadata"]["name"] for pod in await world.pods()] == ["db-0"]


async def test_a_pod_is_ready_when_its_server_answers(world: World) -> None:
    """However long ago its model was loaded: as a readiness probe has it."""
    answering: set[str] = set()
    world.kubelet.answers = answering.__contains__
    await world.add("chat", 2)
    await world.passes()
    await world.passes(after_s=200)
    assert await world.ready("chat") == 0
    answering.add((await world.pods("chat"))[0]["status"]["podIP"])
    await world.passes()
    assert await world.ready("chat") == 1


async def test_those_of_the_beginning_need_not_wait(world: World) -> None:
    """In a hurry, pods are ready in the pass after that which placed them."""
    world.kubelet.is_in_a_hurry = True
    await world.add("chat", 2)
    await world.passes()

    assert await world.ready("chat") == 2
