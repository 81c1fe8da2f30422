"""Story f: two copies behind one address give one answer, whatever ends: a copy, or the server."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime

from budaiscaler.domain import times
from budaiscaler.kube.resources import API_SERVICES, HPAS
from e2e.cluster import waiting
from e2e.cluster.api import Object
from e2e.cluster.components import Component
from e2e.cluster.installation import ADAPTER, API_SERVICE, CONTROLLER, Server
from e2e.stories import DESIRED_LOAD, METRICS, SETTLE_S, Story

LEASE_S = 15.0
LATE_S = 45.0


def test_copies_answer_alike(story: Story) -> None:
    """Asked directly, both copies give the same items; only the time may differ, by a renewal."""
    story.deploy()
    story.start_load(40)
    for name in ("chat", "code"):
        story.create(story.scaler(name, scaleTargetRef={"name": "chat"}, hpa={"manage": "Never"}))
        story.wait_for_load(4, scaler=name)
    for metric in (DESIRED_LOAD, "queue_depth"):
        for selector in ("", "?labelSelector=scaler%3Dchat", "?labelSelector=scaler%21%3Dchat"):
            path = f"{METRICS}/namespaces/{story.namespace}/{metric}{selector}"
            one, two = (ask(story, server, path) for server in story.running.adapters)

            assert len(one["items"]) == (1 if selector else 2)
            assert timeless(one) == timeless(two)
    root = [
        story.running.ask_as(server, "/apis", user="system:kube-aggregator")
        for server in story.running.adapters
    ]
    assert root[0].headers["etag"] == root[1].headers["etag"]


def test_leader_is_killed(story: Story) -> None:
    """When the leading adapter dies, nothing moves, the API stays, and the other takes over."""
    story.deploy()
    story.start_load(50)
    story.create(story.scaler())
    story.wait_for_load(5)
    story.wait_for_ready(5)
    leader = story.running.leader
    with ExitStack() as stack:
        replicas = stack.enter_context(story.replicas())
        scaling = stack.enter_context(story.verdicts(hpa_path(story), "ScalingActive"))
        available = stack.enter_context(story.verdicts(api_service_path(), "Available"))
        stack.callback(leader.start)
        leader.daemon.stop(hard=True)
        renewed = lease_time(story, "renewTime")
        # A load that nobody evaluates yet.
        story.set_load(80)
        heir = story.running.wait_for_leader(other_than=leader.name, timeout_s=LEASE_S + LATE_S)
        taken = lease_time(story, "acquireTime")
        taken_s = time.monotonic() - (datetime.now(UTC) - taken).total_seconds()
        raised_s = replicas.wait_for(8, timeout_s=SETTLE_S).at_s

    assert heir is not leader
    waited_s = (taken - renewed).total_seconds()
    assert waited_s > LEASE_S - 1, "the Lease was taken from a living leader"
    assert raised_s > taken_s, "somebody evaluated without the Lease"
    assert replicas.values == [5, 8]
    assert scaling.values == [("True",)]
    assert available.values == [("True",)]
    one, two = (ask(story, server, load_path(story)) for server in story.running.adapters)
    assert timeless(one) == timeless(two)


def test_api_server_restarts(story: Story) -> None:
    """After the API server was killed both servers watch, evaluate, reconcile and scale again."""
    story.deploy()
    story.start_load(50)
    story.create(story.scaler())
    story.wait_for_load(5)
    story.wait_for_ready(5)
    processes = [server.daemon.process for server in story.running.servers]
    assert all(processes)
    with story.replicas() as replicas:
        with story.running.outage():
            story.running.cluster.stop(Component.APISERVER, hard=True)
            story.running.cluster.start(Component.APISERVER)
        story.set_load(80)
        replicas.wait_for(8, timeout_s=2 * SETTLE_S)
        # Watches tell of what happens now: an edit, and a scaler that did not exist before.
        story.edit({"spec": {"maxReplicas": 6}})
        replicas.wait_for(6, timeout_s=SETTLE_S)
        story.deploy("code", replicas=2)
        story.create(story.scaler("code"))
        story.wait_for_hpa(name="code-hpa")
        story.wait_for_load(8, scaler="code")

    assert replicas.values == [5, 8, 6]
    assert [server.daemon.process for server in story.running.servers] == processes
    assert waiting.until(
        lambda: (story.running.holder(ADAPTER) and story.running.holder(CONTROLLER)) or None,
        what="both Leases to be held",
        timeout_s=SETTLE_S,
    )


def test_controllers_take_turns(story: Story) -> None:
    """Each leader in turn acts and reports on what it finds, also one that has led before."""
    first = story.running.controller
    second = story.running.installation.controller(f"{CONTROLLER}-2")
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_hpa()
    with story.replicas() as replicas, ExitStack() as stack:
        stack.callback(first.start)
        stack.callback(second.daemon.stop)
        second.start()
        first.daemon.stop()
        story.api.create(HPAS.collection(story.namespace), story.own_hpa("theirs"))
        story.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
        story.wait_until_gone(HPAS.item(story.namespace, "chat-hpa"))
        led_by = [story.running.holder(CONTROLLER)]
        first.start()
        second.daemon.stop()
        story.api.delete(HPAS.item(story.namespace, "theirs"))
        story.wait_for_hpa()
        story.wait_for_condition("AbleToScale", "True", "HPAOwned")
        led_by.append(story.running.holder(CONTROLLER))

    assert led_by == [second.name, first.name]
    assert replicas.values in ([1, 3], [3])


def lease_time(story: Story, which: str) -> datetime:
    """When the Lease of the adapters was renewed, or taken."""
    found = times.parse(story.running.lease(ADAPTER)["spec"][which])
    assert found is not None
    return found


def ask(story: Story, server: Server, path: str) -> Object:
    """What one copy answers directly."""
    answer = story.running.ask_as(server, path, user="admin", groups=("system:masters",))
    assert answer.status == 200, f"{server.name}: {answer}"
    document: Object = answer.json()
    return document


def timeless(document: Object) -> Object:
    """An answer without the times in it."""
    items = [{**item, "timestamp": ""} for item in document["items"]]
    return {**document, "items": sorted(items, key=lambda item: str(item["metricLabels"]))}


def load_path(story: Story) -> str:
    """Where the story's load is published."""
    return f"{METRICS}/namespaces/{story.namespace}/{DESIRED_LOAD}"


def hpa_path(story: Story) -> str:
    """The child of the story's scaler, to be watched."""
    return f"{HPAS.collection(story.namespace)}?fieldSelector=metadata.name%3Dchat-hpa"


def api_service_path() -> str:
    """The adapter's registration, to be watched."""
    return f"{API_SERVICES.collection()}?fieldSelector=metadata.name%3D{API_SERVICE}"
