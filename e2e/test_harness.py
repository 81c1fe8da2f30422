"""The cluster of the end-to-end tests is real and can be taken apart: proven before it is used."""

import ipaddress
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest

from e2e.cluster import identities, loopback, processes, standing, waiting, workloads
from e2e.cluster.api import Api
from e2e.cluster.balancer import Balancer
from e2e.cluster.components import Component, Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.engines import Engines
from e2e.cluster.exporter import Exporter
from e2e.cluster.prometheus import RealPrometheus

ROOT = Path(__file__).parents[1]


def test_deployment_gets_ready_pods(control_plane: ControlPlane, namespace: str) -> None:
    """Pods of a Deployment get ready within seconds, each with a loopback address of its own."""
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 2))
    addresses = workloads.addresses(workloads.wait_for_ready(control_plane, namespace, 2))

    assert len(addresses) == 2
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)

    for replicas in (5, 1):
        scale(control_plane, namespace, replicas)
        pods = workloads.wait_for_ready(control_plane, namespace, replicas)
        assert len(workloads.addresses(pods)) == replicas


def test_startup_takes_as_long_as_annotated(control_plane: ControlPlane, namespace: str) -> None:
    """A pod with a start-up time runs at its address at once and is ready only after that time."""
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 1, startup="6s"))
    (pod,) = workloads.wait_for_pods(
        control_plane, namespace, lambda pods: bool(workloads.addresses(pods)), "an address"
    )

    assert pod["status"]["phase"] == "Running"
    assert not workloads.is_ready(pod)

    (pod,) = workloads.wait_for_ready(control_plane, namespace, 1)
    started, ready = pod["status"]["startTime"], workloads.ready_since(pod)
    took = datetime.fromisoformat(ready) - datetime.fromisoformat(started)

    assert 5 <= took.total_seconds() < 20  # both are whole seconds


def test_unready_pod_stays_unready(control_plane: ControlPlane, namespace: str) -> None:
    """A pod whose status a test sets to not ready is not made ready again behind its back."""
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 1))
    (pod,) = workloads.wait_for_ready(control_plane, namespace, 1)
    patch = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False"}]}})
    named = ("pod", pod["metadata"]["name"], f"--namespace={namespace}")
    control_plane.kubectl.run("patch", *named, "--subresource=status", f"--patch={patch}")
    time.sleep(2)

    assert not workloads.is_ready(control_plane.kubectl.json("get", *named))


def test_gpus_run_out(control_plane: ControlPlane, namespace: str) -> None:
    """The real scheduler leaves pods pending, without an address, once the GPUs are taken."""
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 4, gpus=8))
    pods = workloads.wait_for_pods(
        control_plane,
        namespace,
        lambda pods: len(pods) == 4 and sum(map(workloads.is_ready, pods)) == 3,
        "as many ready pods as there are nodes",
    )
    (pending,) = (pod for pod in pods if not workloads.is_ready(pod))

    assert pending["status"]["phase"] == "Pending"
    assert "podIP" not in pending["status"]
    assert "Unschedulable" in {c.get("reason") for c in pending["status"]["conditions"]}


@pytest.mark.parametrize("hard", [pytest.param(False, id="stop"), pytest.param(True, id="kill")])
def test_api_server_comes_back(control_plane: ControlPlane, namespace: str, *, hard: bool) -> None:
    """A restarted API server listens where it did and knows what it knew."""
    kubectl = control_plane.kubectl
    kubectl.run("create", "configmap", "before", "--from-literal=a=b", "-n", namespace)
    control_plane.stop("kube-apiserver", hard=hard)

    assert kubectl.run("get", "namespaces", check=False).returncode

    control_plane.start("kube-apiserver")

    assert kubectl.json("get", "configmap", "before", "-n", namespace)["data"] == {"a": "b"}
    services = kubectl.json("get", "apiservices")["items"]
    assert {"v2.autoscaling", "v1.apps"} <= {one["metadata"]["name"] for one in services}


def test_kwok_keeps_addresses(control_plane: ControlPlane, namespace: str) -> None:
    """After a restart of kwok, new pods get addresses that no running pod has."""
    # One: of several, kwok may forget some where it makes its pool for each of two at once.
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 1))
    before = workloads.addresses(workloads.wait_for_ready(control_plane, namespace, 1))
    control_plane.restart("kwok")
    time.sleep(5)  # nothing tells when it has noted the addresses that are taken
    scale(control_plane, namespace, 6)
    after = workloads.addresses(workloads.wait_for_ready(control_plane, namespace, 6))

    assert before < after
    assert len(after) == 6


def test_etcd_down_is_an_error(control_plane: ControlPlane) -> None:
    """Without etcd the API server is not ready, and a wait for etcd ends at once, with its log."""
    control_plane.stop("etcd", hard=True)
    try:
        status, _ = loopback.get(f"{control_plane.server}/readyz")
        with pytest.raises(waiting.ClusterError, match=r"etcd does not run\n--- the end of "):
            control_plane.daemons[Component.ETCD].wait_until(lambda: True, timeout_s=1)
    finally:
        control_plane.start("etcd")
        control_plane.start("kube-apiserver")

    assert status != 200


def test_identities_have_only_their_rights(control_plane: ControlPlane, namespace: str) -> None:
    """A ServiceAccount and a user are known by their names and may do nothing by default."""
    control_plane.kubectl.run("create", "serviceaccount", "robot", "-n", namespace)
    kubeconfigs = {
        f"system:serviceaccount:{namespace}:robot": identities.service_account(
            control_plane, namespace, "robot"
        ),
        "alice": identities.user(control_plane, "alice", ("team",)),
    }
    for name, kubeconfig in kubeconfigs.items():
        kubectl = control_plane.kubectl_as(kubeconfig)
        assert kubectl.json("auth", "whoami")["status"]["userInfo"]["username"] == name
        assert "Forbidden" in kubectl.run("get", "nodes", check=False).stderr


def test_hpa_controller_runs(control_plane: ControlPlane, namespace: str) -> None:
    """The real HPA controller looks at an HPA and says that its metric cannot be had."""
    control_plane.kubectl.apply(workloads.deployment(namespace, "model", 1))
    control_plane.kubectl.run(
        "autoscale", "deployment/model", "--min=1", "--max=3", "--cpu=50%", "-n", namespace
    )

    def says_why(hpa: dict[str, Any]) -> bool:
        conditions = hpa["status"].get("conditions") or []
        return "FailedGetResourceMetric" in {c["reason"] for c in conditions}

    control_plane.kubectl.wait_for(
        says_why, "hpa/model", "-n", namespace, what="the HPA controller to look at it"
    )


def test_prometheus_scrapes_and_keeps(tmp_path: Path) -> None:
    """Prometheus scrapes an exporter, keeps what it has over a restart, and forgets on demand."""
    with Exporter() as exporter, RealPrometheus(tmp_path) as prometheus:
        exporter.set("queue_depth", 3, model="a")
        exporter.set("queue_depth", -1, model="b")
        exporter.set("queue_depth", math.nan, model="c")
        prometheus.scrape(exporter.target, team="x")
        prometheus.wait_for_value('queue_depth{model="a",team="x"}', 3)
        prometheus.wait_for_value('queue_depth{model="b"}', -1)
        prometheus.wait_for_value('queue_depth{model="c"}', math.nan)
        exporter.clear("queue_depth", model="c")
        prometheus.wait_for_value("count(queue_depth)", 2)
        exporter.stop()
        prometheus.wait_for_value("up", 0)
        prometheus.restart()
        prometheus.wait_for_value('max_over_time(queue_depth{model="a"}[5m])', 3)
        exporter.start()
        prometheus.wait_for_value('queue_depth{model="a"}', 3)
        prometheus.forget(exporter.target)
        prometheus.wait_for("queue_depth", lambda samples: not samples)


def test_prometheus_discovers_pods(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """Prometheus finds annotated pods through the API and scrapes them at their own addresses."""
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": "8000"}
    control_plane.kubectl.apply(
        workloads.deployment(namespace, "model", 1, annotations=annotations)
    )
    (pod,) = workloads.wait_for_ready(control_plane, namespace, 1)
    with (
        Exporter(pod["status"]["podIP"], 8000) as exporter,
        RealPrometheus(tmp_path, pods_of=control_plane) as prometheus,
    ):
        exporter.set("tokens", 7)
        name = pod["metadata"]["name"]
        prometheus.wait_for_value(f'tokens{{namespace="{namespace}",pod="{name}"}}', 7)


def test_engine_moves_with_the_name_of_its_pod() -> None:
    """The next pod of a StatefulSet has the last one's name, and is answered for where it is."""
    there = ["127.11.0.1"]

    class Listing:
        def get(self, path: str) -> Any:
            metadata = {"name": "model-0", "labels": {"app": "model"}}
            return {"items": [{"metadata": metadata, "status": {"podIP": there[0]}}]}

    with Engines.of(cast(Api, Listing()), "default", "model", "vllm") as engines:
        for there[0] in ("127.11.0.1", "127.11.0.2"):
            waiting.until(
                lambda: True if is_answered(there[0], engines.port) else None,
                what=f"an engine at {there[0]}",
                timeout_s=45,
            )
        assert not is_answered("127.11.0.1", engines.port)


def is_answered(address: str, port: int) -> bool:
    """Whether somebody answers there."""
    return loopback.get(f"http://{address}:{port}")[0] == 200


def test_balancer_takes_turns() -> None:
    """Connections go round the backends; a dead one is passed over; without any they end."""
    with Exporter() as one, Exporter() as two, Balancer([one.port, two.port]) as balancer:
        one.set("copy", 1)
        two.set("copy", 2)
        address = f"http://127.0.0.1:{balancer.port}"
        assert {loopback.get(address)[1] for _ in range(2)} == {one.text(), two.text()}
        one.stop()
        assert {loopback.get(address)[1] for _ in range(4)} == {two.text()}
        two.stop()
        assert loopback.get(address)[0] == 0
        one.start()
        balancer.backends = (one.port,)
        assert loopback.get(address) == (200, one.text())


def test_nothing_outlives_a_killed_run(tmp_path: Path) -> None:
    """When a test run is killed, all that it has started ends within seconds."""
    script = textwrap.dedent(f"""
        import pathlib, time
        from e2e.cluster.control_plane import ControlPlane
        ControlPlane(pathlib.Path({str(tmp_path / "state")!r})).up()
        print("up", flush=True)
        time.sleep(600)
    """)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "up\n"
        records = [processes.record(tmp_path / "state", component) for component in Component]
        started = [processes.Process.recorded(record) for record in records]
        os.kill(run.pid, signal.SIGKILL)

    assert all(started)
    waiting.until(
        lambda: True if not any(one and one.runs() for one in started) else None,
        what="the guard to end everything",
        timeout_s=60,
    )


def test_failed_start_leaves_nothing(tmp_path: Path) -> None:
    """A component that exits at once fails the start with its log, and what ran is ended."""
    settings = Settings(extra_flags={"kube-scheduler": ("--no-such-flag",)})
    cluster = ControlPlane(tmp_path / "state", settings)
    with pytest.raises(waiting.ClusterError, match="no-such-flag"):
        cluster.up()

    assert not any(daemon.process for daemon in cluster.daemons.values())


def test_command_line(tmp_path: Path) -> None:
    """`up` leaves all of it behind and is idempotent, `status` sees it, `down` leaves nothing."""
    directory = tmp_path / "state"

    def run(command: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-m", "e2e.cluster", f"--directory={directory}", command]
        return subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False
        )

    try:
        first = run("up")
        assert f"export KUBECONFIG={directory}/kubeconfig/admin.yaml\n" in first.stdout
        records = [processes.record(directory, part) for part in standing.PARTS]
        started = [processes.Process.recorded(record) for record in records]
        assert all(started)
        assert run("up").returncode == 0
        assert run("status").returncode == 0
        assert started == [processes.Process.recorded(record) for record in records]
    finally:
        last = run("down")

    assert last.returncode == 0
    assert not directory.exists()
    assert not any(one and one.runs() for one in started)
    assert run("status").returncode == 1


def scale(cluster: ControlPlane, namespace: str, replicas: int) -> None:
    """Scale the Deployment `model`."""
    cluster.kubectl.run("scale", "deployment/model", f"--replicas={replicas}", "-n", namespace)
