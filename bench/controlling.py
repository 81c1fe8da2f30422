"""What the controller takes for many scalers that scale by themselves, on one core.

The control plane is real, and the controller as shipped but for one thing: it is kept on one core.
Workloads and pods are objects that nobody runs, so that only the API server works beside it.

`python -m bench.controlling`
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import fleet
from budaiscaler.kube import client
from budaiscaler.kube.port import Kube, PatchType
from budaiscaler.kube.resources import BUDAISCALERS, PODS, STATEFUL_SETS
from e2e.cluster import loopback, workloads
from e2e.cluster.components import Component, Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Installation, Server
from e2e.cluster.prometheus import RealPrometheus

SIZES = (100, 1000, 5000)
INTERVAL_S = 15.0
SETTLE_S = 45.0
MEASURED_S = 90.0
REPLICAS = 2
POD_CIDR = "127.203.0.1/16"
CREATED_AT_A_TIME = 16
SCRAPE_S = 30.0
"""Longest time for a page of metrics; that of five thousand scalers has five megabytes."""
DELAY = "budaiscaler_evaluation_delay_seconds_bucket"
_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the controller, with so many scalers.

    Attributes:
        cores: busy on average.
        rounds: evaluations of each scaler in an interval, on average.
        p99_s: from when a scaler was due until it was evaluated and reported on.
        slowest_s: upper bound of the same of all.
    """

    scalers: int
    cores: float
    resident_mib: float
    rounds: float
    p99_s: float
    slowest_s: float


def measure(sizes: tuple[int, ...] = SIZES) -> Iterator[Cost]:
    """Grow to each size, and look for a while at how the controller is doing."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _running(Path(name)) as running:
        cluster, controller = running
        for before, size in itertools.pairwise((0, *sizes)):
            asyncio.run(_grow(cluster, before, size))
            time.sleep(SETTLE_S)
            yield _look(controller, size)


def _look(controller: Server, scalers: int) -> Cost:
    process = controller.daemon.process
    if process is None:
        raise RuntimeError(f"the controller has ended\n{controller.daemon.log_tail()}")
    before, busy_s, began_s = _delays(controller), _busy_s(process.pid), time.monotonic()
    time.sleep(MEASURED_S)
    passed_s = time.monotonic() - began_s
    counts = [(bound, count - before[bound]) for bound, count in _delays(controller).items()]
    evaluations = counts[-1][1]
    return Cost(
        scalers,
        cores=(_busy_s(process.pid) - busy_s) / passed_s,
        resident_mib=process.resident_kib() / 1024,
        rounds=evaluations / scalers / (passed_s / INTERVAL_S),
        p99_s=_quantile(counts, 0.99),
        slowest_s=next(bound for bound, count in counts if count == evaluations),
    )


def _delays(controller: Server) -> dict[float, float]:
    """How many evaluations were over within so many seconds."""
    text = loopback.ask("GET", f"{controller.probe}/metrics", timeout_s=SCRAPE_S).text
    lines = [line for line in text.splitlines() if line.startswith(DELAY)]
    return {float(line.split('"')[1]): float(line.rsplit(" ", 1)[1]) for line in lines}


def _quantile(counts: list[tuple[float, float]], share: float) -> float:
    """As Prometheus' histogram_quantile: even within a bucket."""
    wanted, below_s, below = share * counts[-1][1], 0.0, 0.0
    for bound_s, count in counts:
        if count >= wanted:
            return below_s + (bound_s - below_s) * (wanted - below) / max(1.0, count - below)
        below_s, below = bound_s, count
    return below_s


def _busy_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _HERTZ


@contextmanager
def _running(directory: Path) -> Iterator[tuple[ControlPlane, Server]]:
    with ExitStack() as stack:
        cluster = stack.enter_context(ControlPlane(directory, Settings(pod_cidr=POD_CIDR)))
        prometheus = stack.enter_context(RealPrometheus(directory / "prometheus"))
        exporter = stack.enter_context(Exporter())
        stack.enter_context(fleet.noise(exporter, 10.0 * REPLICAS))
        prometheus.scrape(exporter.target)
        prometheus.wait_for("queue_depth", bool)
        installation = Installation(cluster)
        installation.apply()
        cluster.kubectl.run("create", "namespace", fleet.NAMESPACE)
        cluster.kubectl.wait_for(
            lambda _: True,
            "serviceaccount/default",
            f"--namespace={fleet.NAMESPACE}",
            what="the ServiceAccount of pods",
        )
        for component in (Component.CONTROLLER_MANAGER, Component.SCHEDULER, Component.KWOK):
            cluster.stop(component)
        controller = installation.controller(
            evaluation_interval=f"{INTERVAL_S:g}s",
            resync_interval="60s",
            prometheus_url=prometheus.url,
        )
        stack.callback(controller.daemon.stop)
        controller.start()
        _keep_on_one_core(controller)
        yield cluster, controller


def _keep_on_one_core(server: Server) -> None:
    process = server.daemon.process
    if process is None:
        raise RuntimeError(f"the controller has ended\n{server.daemon.log_tail()}")
    core = max(os.sched_getaffinity(0))
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


async def _grow(cluster: ControlPlane, first: int, last: int) -> None:
    """Create workloads of ready pods, and a scaler of each."""
    slots = asyncio.Semaphore(CREATED_AT_A_TIME)
    async with await client.connect(str(cluster.kubeconfig)) as kube:

        async def create(number: int) -> None:
            async with slots:
                await _create(kube, f"chat-{number}", number)

        async with asyncio.TaskGroup() as group:
            for number in range(first, last):
                group.create_task(create(number))


async def _create(kube: Kube, name: str, number: int) -> None:
    body = workloads.deployment(fleet.NAMESPACE, name, REPLICAS)
    body |= {"kind": "StatefulSet", "spec": {**body["spec"], "serviceName": name}}
    made = await kube.create(STATEFUL_SETS.collection(fleet.NAMESPACE), body)
    for index in range(REPLICAS):
        pod = _pod(made, f"{name}-{index}")
        await kube.create(PODS.collection(fleet.NAMESPACE), pod)
        path = PODS.item(fleet.NAMESPACE, pod["metadata"]["name"], "status")
        ready = [{"type": "Ready", "status": "True"}]
        await kube.patch(
            path, {"status": {"phase": "Running", "conditions": ready}}, PatchType.MERGE
        )
    await kube.create(BUDAISCALERS.collection(fleet.NAMESPACE), _scaler(name, number))


def _pod(owner: dict[str, Any], name: str) -> dict[str, Any]:
    reference = {
        "apiVersion": STATEFUL_SETS.api_version,
        "kind": "StatefulSet",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    template = owner["spec"]["template"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": template["metadata"]["labels"],
            "ownerReferences": [reference],
        },
        "spec": {"nodeName": "node-0", "containers": template["spec"]["containers"]},
    }


def _scaler(name: str, number: int) -> dict[str, Any]:
    return {
        "apiVersion": BUDAISCALERS.api_version,
        "kind": "BudAIScaler",
        "metadata": {"name": name, "namespace": fleet.NAMESPACE},
        "spec": {
            "scaleTargetRef": {"kind": "StatefulSet", "name": name},
            "maxReplicas": 20,
            "scalingStrategy": "BudScaler",
            "metricsSources": [
                {
                    "name": f"load-{index}",
                    "targetMetric": "queue_depth",
                    "targetValue": "10",
                    "targetType": "AverageValue",
                    # Sixty different queries: some scalers share one, as scalers do.
                    "promQL": f"sum(queue_depth) + {number % 20} * 0 + {index} * 0",
                }
                for index in range(3)
            ],
        },
    }


if __name__ == "__main__":
    for cost in measure():
        print(cost, flush=True)
