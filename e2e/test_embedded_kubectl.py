"""The real kubectl on the embedded API server, with the real adapter and controller beside it.

It is what a newcomer types in a second terminal while `make demo` runs.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.playground.manifests import scaler
from e2e.cluster import binaries
from e2e.cluster.kubectl import Kubectl
from e2e.stories import DESIRED_LOAD, METRICS
from e2e.test_kubectl import COLUMNS, WIDE
from tests.contract import crds
from tests.integration.world import World, until, world

LINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Terminal:
    """A second terminal."""

    kubectl: Kubectl
    cluster: World

    async def run(self, *args: str, given: Any = None, check: bool = True) -> str:
        """Run kubectl and give what it printed; of an unchecked one that failed, the complaint."""
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        done = await asyncio.to_thread(self.kubectl.run, *args, input=text, check=check)
        return done.stdout if done.returncode == 0 else done.stderr

    @asynccontextmanager
    async def watching(self, *args: str) -> AsyncIterator[asyncio.StreamReader]:
        """Run a kubectl that goes on and on; gives what it prints."""
        process = await asyncio.create_subprocess_exec(
            self.kubectl.program,
            f"--kubeconfig={self.kubectl.kubeconfig}",
            *args,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout
            yield process.stdout
        finally:
            process.terminate()
            await process.communicate()


@pytest_asyncio.fixture
async def bare(tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal before a cluster in which none of our servers runs."""
    tools = await asyncio.to_thread(binaries.ensure)
    async with world(tmp_path) as cluster:
        kubectl = Kubectl(tools.kubectl, tmp_path / "admin.yaml", tmp_path / "cache")
        await crds.install(cluster.kube)
        yield Terminal(kubectl, cluster)


@pytest_asyncio.fixture
async def scaled(bare: Terminal) -> AsyncIterator[Terminal]:
    """A terminal before a cluster in which a scaler has scaled its Deployment from two to three."""
    cluster = bare.cluster
    await cluster.deploy()
    await cluster.scale()
    async with cluster.adapter(), cluster.controller():
        await cluster.until_replicas(3)

        async def is_told() -> bool:
            told = " ".join((await bare.run("get", "bas")).split())
            return "chat 1 20 3 3 HPA True ScalerReady" in told

        async def are_ready() -> bool:
            return (await bare.run("get", "pods", "-l", "app=chat")).count("1/1") == 3

        await until(is_told, "a status that tells of three replicas")
        await until(are_ready, "three ready pods")
        yield bare


async def test_get(scaled: Terminal) -> None:
    """`kubectl get budaiscalers` shows bounds, replicas now and wanted, and whether it works."""
    header, row = (await scaled.run("get", "budaiscalers")).splitlines()
    wide, _ = (await scaled.run("get", "bas", "-o", "wide")).splitlines()
    document = json.loads(await scaled.run("get", "bas", "chat", "-o", "json"))

    assert header.split() == [*COLUMNS, "AGE"]
    assert row.split()[:8] == ["chat", "1", "20", "3", "3", "HPA", "True", "ScalerReady"]
    assert wide.split()[: len(COLUMNS + WIDE)] == COLUMNS + WIDE
    assert document["status"]["desiredScale"] == 3
    assert "desiredScale: 3" in await scaled.run("get", "bas", "chat", "-o", "yaml")
    assert "managedFields" not in await scaled.run("get", "bas", "chat", "-o", "yaml")
    names = await scaled.run("get", "bas,deployments,hpa", "-o", "name")
    assert names.split() == [
        "budaiscaler.scaler.bud.studio/chat",
        "deployment.apps/chat",
        "horizontalpodautoscaler.autoscaling/chat-hpa",
    ]
    _, hpa = (await scaled.run("get", "hpa")).splitlines()
    assert hpa.split()[:2] == ["chat-hpa", "Deployment/chat"]
    pods = (await scaled.run("get", "pods", "-l", "app=chat")).splitlines()
    assert [line.split()[1:3] for line in pods[1:]] == [["1/1", "Running"]] * 3


async def test_watch(scaled: Terminal) -> None:
    """`kubectl get bas -w` prints a line when the wanted replicas change."""
    async with scaled.watching("get", "bas", "-w") as printed, asyncio.timeout(LINE_S):
        assert (await printed.readline()).split()[0] == b"NAME"
        scaled.cluster.load["chat"] = 60
        while (await printed.readline()).split()[4] != b"6":
            pass


async def test_raw(scaled: Terminal) -> None:
    """`kubectl get --raw` shows the load as an HPA reads it, through the aggregation."""
    path = f"{METRICS}/namespaces/default/{DESIRED_LOAD}"
    document = json.loads(await scaled.run("get", "--raw", path))

    (item,) = document["items"]
    assert item["value"] == "3"
    assert item["metricLabels"] == {"kind": "BudAIScaler", "scaler": "chat", "strategy": "HPA"}


async def test_describe(scaled: Terminal) -> None:
    """`kubectl describe` tells the ladder from the reading to the result, and what happened."""

    async def has_events() -> bool:
        return "created HPA chat-hpa" in await scaled.run("describe", "bas", "chat")

    await until(has_events, "the event")
    printed = await scaled.run("describe", "bas", "chat")

    assert "queue: total 30 / 10 a replica = 3 replicas" in printed
    assert re.search(r"^Events:\n\s+Type\s+Reason\s+Age\s+From\s+Message$", printed, re.MULTILINE)
    assert "HPACreated" in await scaled.run("get", "events")
    assert "HPACreated" in await scaled.run("events", "--for", "budaiscaler/chat")
    assert "ScalingActive" in await scaled.run("describe", "hpa", "chat-hpa")


async def test_delete(scaled: Terminal) -> None:
    """`kubectl delete` takes the HPA along, and leaves the Deployment as it is."""
    printed = await scaled.run("delete", "bas", "chat")

    assert printed == 'budaiscaler.scaler.bud.studio "chat" deleted from default namespace\n'
    await scaled.run("wait", "--for=delete", "hpa/chat-hpa", "--timeout=20s")
    left = json.loads(await scaled.run("get", "deployment", "chat", "-o", "json"))
    assert left["spec"]["replicas"] == 3


async def test_wait_and_access(scaled: Terminal) -> None:
    """`kubectl wait` waits for a condition, and `kubectl auth can-i` asks who one is."""
    assert "condition met" in await scaled.run("wait", "--for=condition=Ready", "bas/chat")
    assert "condition met" in await scaled.run(
        "wait", "--for=jsonpath={.status.desiredScale}=3", "bas/chat"
    )
    assert (await scaled.run("auth", "can-i", "delete", "budaiscalers")).strip() == "yes"
    assert "admin" in await scaled.run("auth", "whoami")
    assert "successfully rolled out" in await scaled.run("rollout", "status", "deployment/chat")


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client", "server"])
async def test_apply(bare: Terminal, flags: tuple[str, ...]) -> None:
    """`kubectl apply` creates, changes, gives up what is left out, and says which it did."""
    source = {"targetMetric": "a", "targetValue": "1", "optional": False}
    manifest = scaler("chat", Strategy.HPA, metricsSources=[source], paused="Both")
    first = await bare.run("apply", *flags, "-f", "-", given=manifest)
    del manifest["spec"]["paused"]
    manifest["spec"]["maxReplicas"] = 7
    second = await bare.run("apply", *flags, "-f", "-", given=manifest)
    third = await bare.run("apply", *flags, "-f", "-", given=manifest)
    found = json.loads(await bare.run("get", "bas", "chat", "-o", "json"))

    name = "budaiscaler.scaler.bud.studio/chat"
    how = "serverside-applied" if flags else None
    assert first == f"{name} {how or 'created'}\n"
    assert second == f"{name} {how or 'configured'}\n"
    assert third == f"{name} {how or 'unchanged'}\n"
    assert found["spec"]["maxReplicas"] == 7
    assert found["spec"]["paused"] == "None"


async def test_refused(bare: Terminal) -> None:
    """What the schema does not know, or forbids, is an error that names the field."""
    sources = [{"targetMetric": "a", "targetValue": "1"}]
    typo = scaler("chat", Strategy.HPA, metricsSources=sources, maxReplica=3)
    wrong = scaler("chat", Strategy.HPA, metricsSources=sources, scalingStrategy="Magic")

    assert 'unknown field "spec.maxReplica"' in await bare.run(
        "apply", "-f", "-", given=typo, check=False
    )
    assert 'supported values: "HPA", "KPA", "BudScaler"' in await bare.run(
        "create", "-f", "-", given=wrong, check=False
    )
    assert "not found" in await bare.run("get", "bas", "chat", check=False)


async def test_edits(bare: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kubectl patch`, `annotate`, `label` and `edit` change what they say."""
    manifest = scaler("chat", Strategy.HPA, metricsSources=[])
    await bare.run("create", "-f", "-", given=manifest)
    await bare.run("patch", "bas", "chat", "--type=merge", "-p", '{"spec": {"maxReplicas": 9}}')
    operation = [{"op": "replace", "path": "/spec/minReplicas", "value": 2}]
    await bare.run("patch", "bas", "chat", "--type=json", "-p", json.dumps(operation))
    await bare.run("annotate", "bas", "chat", "scaler.bud.studio/paused=ScaleDown")
    await bare.run("label", "bas", "chat", "team=a")
    monkeypatch.setenv("KUBE_EDITOR", "sed -i 's/maxReplicas: 9/maxReplicas: 8/'")
    await bare.run("edit", "bas", "chat")
    found = json.loads(await bare.run("get", "bas", "-l", "team=a", "-o", "json"))["items"][0]

    assert (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (2, 8)
    assert found["metadata"]["annotations"]["scaler.bud.studio/paused"] == "ScaleDown"
    await bare.run("annotate", "bas", "chat", "scaler.bud.studio/paused-")
    found = json.loads(await bare.run("get", "bas", "chat", "-o", "json"))
    assert "annotations" not in found["metadata"]


async def test_scale(bare: Terminal) -> None:
    """`kubectl scale` scales a Deployment, and any kind that has the subresource."""
    await bare.cluster.deploy()
    await bare.run("create", "-f", "-", given=crds.widget())
    assert await bare.run("scale", "deployment/chat", "--replicas=4") == (
        "deployment.apps/chat scaled\n"
    )
    assert await bare.run("scale", "widget/one", "--replicas=5", "--current-replicas=1") == (
        "widget.contract.budaiscaler/one scaled\n"
    )

    await bare.cluster.until_replicas(4)
    widget = json.loads(await bare.run("get", "wd", "one", "-o", "json"))
    assert widget["spec"]["replicas"] == 5


async def test_explain(bare: Terminal) -> None:
    """`kubectl explain` describes each field of the spec, with units and defaults."""
    printed = await bare.run("explain", "budaiscaler.spec")

    for field in ("scaleTargetRef", "maxReplicas", "metricsSources"):
        assert re.search(rf"^  {field}\s+<\S+> -required-$", printed, re.MULTILINE), printed
    assert "Fewest replicas. Default: 1." in printed
    assert "enum: HPA, KPA, BudScaler" in printed
    assert "scaleTargetRef" in await bare.run("explain", "bas.spec", "--recursive")


async def test_what_there_is(bare: Terminal) -> None:
    """`kubectl api-resources`, `version` and `get namespaces` tell what there is."""
    listed = await bare.run("api-resources", "--api-group=scaler.bud.studio")

    assert listed.splitlines()[1].split() == [
        "budaiscalers",
        "bas",
        "scaler.bud.studio/v1alpha1",
        "true",
        "BudAIScaler",
    ]
    assert "deployments" in await bare.run("api-resources", "--verbs=list", "-o", "name")
    assert "Server Version: v1." in await bare.run("version")
    assert "kube-system" in await bare.run("get", "namespaces")
    assert "budaiscaler-adapter" in await bare.run("get", "services", "-A")
