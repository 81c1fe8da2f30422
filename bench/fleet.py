"""A real control plane with the adapter as shipped, and as many scalers as asked for."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from budaiscaler.kube import client
from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster import identities, workloads
from e2e.cluster.components import Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.exporter import Exporter
from e2e.cluster.installation import Installation, Server
from e2e.cluster.prometheus import RealPrometheus

NAMESPACE = "bench"
READER = "reader"
POD_CIDR = "127.201.0.1/16"
CREATED_AT_A_TIME = 16
NOISE = 0.01
LOAD = 40.0
MODELS_FROM = 1000
"""Scalers from this number on have a query each, which differ in one label's value."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a measurement works with.

    Attributes:
        token: of a ServiceAccount that may read metrics.
        adapter: the only copy; it leads.
    """

    cluster: ControlPlane
    adapter: Server
    token: str

    async def grow(self, first: int, last: int) -> None:
        """Create the scalers with these numbers."""
        slots = asyncio.Semaphore(CREATED_AT_A_TIME)
        async with await client.connect(str(self.cluster.kubeconfig)) as kube:

            async def create(number: int) -> None:
                async with slots:
                    await kube.create(BUDAISCALERS.collection(NAMESPACE), _scaler(number))

            async with asyncio.TaskGroup() as group:
                for number in range(first, last):
                    group.create_task(create(number))

    def figure(self, name: str) -> float:
        """Read one of the adapter's own metrics, summed over its labels."""
        _, text = self.adapter.get("/metrics", {"Authorization": f"Bearer {self.token}"})
        lines = [line for line in text.splitlines() if line.split("{")[0].split(" ")[0] == name]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def resident_mib(self) -> float:
        """Memory of the adapter's process."""
        process = self.adapter.daemon.process
        if process is None:
            raise RuntimeError(f"the adapter has ended\n{self.adapter.daemon.log_tail()}")
        return process.resident_kib() / 1024


@contextmanager
def running(directory: Path) -> Iterator[Fleet]:
    """Start everything, with a load that moves by a percent, as a steady one does."""
    with ExitStack() as stack:
        cluster = stack.enter_context(ControlPlane(directory, Settings(pod_cidr=POD_CIDR)))
        prometheus = stack.enter_context(RealPrometheus(directory / "prometheus"))
        exporter = stack.enter_context(Exporter())
        stack.enter_context(noise(exporter, LOAD))
        for number in range(MODELS_FROM, 2 * MODELS_FROM):
            exporter.set("model_load", LOAD, model=f"m{number}")
        prometheus.scrape(exporter.target)
        prometheus.wait_for("queue_depth", bool)
        installation = Installation(cluster, flags={"prometheus_url": prometheus.url})
        installation.apply()
        _prepare(cluster)
        adapter = installation.adapter(evaluation_interval="15s", shutdown_delay="0s")
        stack.callback(adapter.daemon.stop)
        adapter.start()
        yield Fleet(cluster, adapter, identities.token(cluster, NAMESPACE, READER))


@contextmanager
def noise(exporter: Exporter, load: float) -> Iterator[None]:
    """A load that moves by a percent, as a steady one does."""
    ended = threading.Event()

    def change() -> None:
        source = random.Random(7)
        while True:
            exporter.set("queue_depth", load * source.uniform(1 - NOISE, 1 + NOISE))
            if ended.wait(1):
                return

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _prepare(cluster: ControlPlane) -> None:
    reader = {"kind": "ServiceAccount", "name": READER, "namespace": NAMESPACE}
    role: dict[str, str] = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    kubectl = cluster.kubectl
    kubectl.run("create", "namespace", NAMESPACE)
    kubectl.run("create", "serviceaccount", READER, f"--namespace={NAMESPACE}")
    kubectl.apply(
        *(
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": f"bench-{name}"},
                "roleRef": role | {"name": name},
                "subjects": [reader],
            }
            for name in ("budaiscaler-metrics-reader", "cluster-admin")
        ),
        workloads.deployment(NAMESPACE, "chat", 4),
    )
    workloads.wait_for_ready(cluster, NAMESPACE, 4)


def _scaler(number: int) -> dict[str, object]:
    return {
        "apiVersion": BUDAISCALERS.api_version,
        "kind": "BudAIScaler",
        "metadata": {"name": f"chat-{number}", "namespace": NAMESPACE},
        "spec": {
            "scaleTargetRef": {"name": "chat"},
            "maxReplicas": 20,
            "scalingStrategy": "HPA",
            "hpa": {"manage": "Never"},
            "metricsSources": [
                {
                    "targetMetric": "queue_depth",
                    "targetValue": "10",
                    "targetType": "AverageValue",
                    "promQL": _promql(number),
                }
            ],
        },
    }


def _promql(number: int) -> str:
    if number >= MODELS_FROM:
        return f'sum(model_load{{model="m{number}"}})'
    # Twenty different queries: some scalers share one, as scalers do.
    return f"sum(queue_depth) + {number % 20} * 0"
