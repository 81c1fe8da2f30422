"""Stories of every strategy on every kind of workload, through what happens to a fleet.

Nine fleets cover each pair of strategy and kind, of strategy and happening, and of kind and
happening. Those of a column share what happens to them, and so the time it takes.

|           | a burst with slow loads, | a schedule, | every node drained,    |
|           | a quiet spell,           | a rollout   | 30 % of the pods lost  |
|           | a dead source (slow)     |             |                        |
|-----------|--------------------------|-------------|------------------------|
| HPA       | Deployment               | StatefulSet | custom                 |
| KPA       | custom                   | Deployment  | StatefulSet            |
| BudScaler | StatefulSet              | custom      | Deployment             |

The custom kind is one with a scale subresource that only these tests know.
"""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from budaiscaler.kube.resources import BUDAISCALERS, PODS
from e2e import fleets
from e2e.cluster.api import Api, History
from e2e.cluster.custom import KIND
from e2e.cluster.engine_pages import Load
from e2e.cluster.engines import Manner
from e2e.fleets import TARGET, Fleet, Row
from e2e.stories import SYNC_S, Story

OF_LOAD: Final = (Row("HPA", "Deployment"), Row("KPA", KIND), Row("BudScaler", "StatefulSet"))
OF_TIME: Final = (Row("HPA", "StatefulSet"), Row("KPA", "Deployment"), Row("BudScaler", KIND))
OF_NOBODY: Final = tuple(Row(strategy, "ReplicaSet") for strategy in ("HPA", "KPA", "BudScaler"))
OF_NODES: Final = (Row("HPA", KIND), Row("KPA", "StatefulSet"), Row("BudScaler", "Deployment"))

SCALED_S: Final = 90.0
STALE_S: Final = 60.0
"""A source is without data once its last good sample is that old."""
LATE_S: Final = 45.0
AWAY_S: Final = 3
LOADING_S: Final = 60
"""That a model takes to load."""
MINUTE_S: Final = 60.0
NODES: Final = "/api/v1/nodes"


def scale(story: Story, playing: Iterable[Fleet], replicas: int, **spec: object) -> None:
    """Create the scalers of workloads that are at their target, and wait until all are decided."""
    for fleet in playing:
        fleet.wait_for_ready(replicas, timeout_s=SCALED_S + LOADING_S)
        fleet.engines.wait_for(replicas)
        story.create(fleet.scaler(**spec))
    for fleet in playing:
        story.wait_for(
            BUDAISCALERS.item(story.namespace, fleet.row.name),
            lambda found: found.get("status", {}).get("desiredScale") == replicas,
            f"{replicas} replicas decided",
            timeout_s=SCALED_S,
        )


def wanted(story: Story, fleet: Fleet) -> History[int]:
    """What a scaler's status wants, from now on."""
    path = f"{BUDAISCALERS.collection(story.namespace)}?fieldSelector=metadata.name%3D"
    return History(
        story.api, f"{path}{fleet.row.name}", lambda found: found["status"]["desiredScale"]
    )


def cordon(api: Api, node: str, *, unschedulable: bool | None = True) -> None:
    """Take a node out of scheduling, or put it back."""
    api.patch(f"{NODES}/{node}", {"spec": {"unschedulable": unschedulable}})


def drain(api: Api, node: str, playing: Iterable[Fleet]) -> None:
    """Cordon a node and evict these pods from it, as `kubectl drain` does."""
    cordon(api, node)
    for fleet in playing:
        for pod in fleet.pods():
            if pod["spec"].get("nodeName") != node:
                continue
            name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            api.create(f"{PODS.item(namespace, name)}/eviction", eviction)


@pytest.mark.timeout(300)
def test_nodes_and_pods_that_go(story: Story) -> None:
    """Each node is drained in turn, and then 30 % of the pods are lost: nobody wants fewer."""
    nodes = [node["metadata"]["name"] for node in story.api.get(NODES)["items"]]
    # Those of a drained node are away for a while: long enough for every strategy to see it.
    startup = f"{AWAY_S}s"
    with fleets.playing(story, OF_NODES, 10, startup=startup) as playing, ExitStack() as stack:
        for fleet in playing:
            fleet.engines.give_each(Load(running=TARGET))
        scale(story, playing, 10)
        histories = [stack.enter_context(wanted(story, fleet)) for fleet in playing]
        for node in nodes:
            stack.callback(cordon, story.api, node, unschedulable=None)
        for node in nodes:
            drain(story.api, node, playing)
            for fleet in playing:
                fleet.wait_for_ready(10, timeout_s=SCALED_S)
            cordon(story.api, node, unschedulable=None)
        for fleet in playing:
            for pod in fleet.pods()[:3]:
                path = PODS.item(story.namespace, pod["metadata"]["name"], "status")
                unready = {"type": "Ready", "status": "False"}
                story.api.patch(path, {"status": {"conditions": [unready]}})
        time.sleep(6 * SYNC_S)
        for fleet, history in zip(playing, histories, strict=True):
            assert fleet.replicas.values == [10], fleet.row
            assert history.values == [10], fleet.row


@pytest.mark.timeout(300)
def test_a_schedule_and_a_rollout(story: Story) -> None:
    """A hint begins at its minute and holds through a rollout; without it, the load decides."""
    with fleets.playing(story, OF_TIME, 2) as playing:
        for fleet in playing:
            fleet.engines.share(Load(running=1.8 * TARGET))  # not so full that noise takes a third
        scale(story, playing, 2)
        starts = datetime.now(UTC) + timedelta(seconds=5)
        starts = starts.replace(second=0, microsecond=0) + timedelta(minutes=1)
        hint = {
            "name": "rush",
            "cronExpression": f"{starts.minute} {starts.hour} * * *",
            "targetReplicas": 6,
            "duration": "1h",
        }
        for fleet in playing:
            story.edit({"spec": {"scheduleHints": [hint]}}, fleet.row.name)
        for fleet in playing:
            fleet.wait_for_ready(6, timeout_s=MINUTE_S + SCALED_S)
        acted = datetime.now(UTC)
        for fleet in playing:
            fleet.roll_out()
        for fleet in playing:
            fleet.wait_for_rollout(timeout_s=SCALED_S)
            fleet.wait_for_ready(6, timeout_s=SCALED_S)
        time.sleep(3 * SYNC_S)
        held = {fleet.row: list(fleet.replicas.values) for fleet in playing}
        for fleet in playing:
            story.edit({"spec": {"scheduleHints": None}}, fleet.row.name)
        for fleet in playing:
            fleet.wait_for_ready(2, timeout_s=SCALED_S)

    assert starts <= acted
    assert held == {row: [2, 6] for row in OF_TIME}


def test_a_replica_set_of_its_own(story: Story) -> None:
    """One that no Deployment owns is scaled up and down by every strategy."""
    with fleets.playing(story, OF_NOBODY, 2) as playing:
        for fleet in playing:
            fleet.engines.share(Load(running=1.8 * TARGET))
        scale(story, playing, 2)
        for replicas in (4, 2):
            for fleet in playing:
                fleet.engines.share(Load(running=(replicas - 0.2) * TARGET))
            for fleet in playing:
                fleet.wait_for_ready(replicas, timeout_s=SCALED_S)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_burst_a_quiet_spell_and_a_dead_source(story: Story) -> None:
    """Loads of a minute compound nothing, quiet takes replicas away, and silence takes none."""
    with fleets.playing(story, OF_LOAD, 2, startup=f"{LOADING_S}s") as playing:
        for fleet in playing:
            fleet.engines.share(Load(running=1.8 * TARGET))
        scale(story, playing, 2)
        for fleet in playing:
            fleet.engines.share(Load(running=6 * TARGET))
        for fleet in playing:
            fleet.wait_for_ready(6, timeout_s=SCALED_S + LOADING_S)
        burst = {fleet.row: list(fleet.replicas.values) for fleet in playing}
        for fleet in playing:
            fleet.engines.share(Load(running=2.8 * TARGET))
        for fleet in playing:
            fleet.wait_for_ready(3, timeout_s=3 * SCALED_S)
        for fleet in playing:
            fleet.engines.behave(Manner.REFUSES)
        for fleet in playing:
            story.wait_for_condition(
                "ScalingActive", "False", "NoData", name=fleet.row.name, timeout_s=STALE_S + LATE_S
            )
        time.sleep(10 * SYNC_S)
        silent = {fleet.row: fleet.replicas.values[-1] for fleet in playing}

    assert burst == {row: [2, 6] for row in OF_LOAD}
    assert silent == dict.fromkeys(OF_LOAD, 3)
