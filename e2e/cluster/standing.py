"""What `make e2e-up` leaves standing: a control plane, a Prometheus, an adapter and a controller.

Nothing here is guarded, so it outlives its command. Records in the directory say what runs, and
which ports were chosen; the next command goes on from there.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2e.cluster import ports, processes
from e2e.cluster.components import Component, Settings
from e2e.cluster.control_plane import ControlPlane
from e2e.cluster.installation import ADAPTER, CONTROLLER, Installation
from e2e.cluster.processes import Process
from e2e.cluster.prometheus import RealPrometheus

PARTS: Final = (*map(str, Component), "prometheus", ADAPTER, CONTROLLER)
# Not the tests' range: they may run at the same time.
POD_CIDR: Final = "127.200.0.1/16"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is up, and where.

    Attributes:
        prometheus: its URL; it scrapes itself and the controller.
    """

    cluster: ControlPlane
    prometheus: str


def up(directory: Path, nodes: int) -> Standing:
    """Start what of it is down, and wait until all of it is ready.

    Raises:
        ClusterError: something does not come up; the message ends with its log.
    """
    cluster = ControlPlane(directory, Settings(nodes=nodes, pod_cidr=POD_CIDR), guarded=False)
    cluster.up()
    prometheus_port, adapter_port, probe_port = _ports(directory)
    prometheus = RealPrometheus(directory, port=prometheus_port, guarded=False)
    prometheus.scrape(f"127.0.0.1:{prometheus_port}", job="prometheus")
    prometheus.scrape(f"127.0.0.1:{probe_port}", job=CONTROLLER)
    prometheus.start()
    installation = Installation(cluster, adapter_port, {"prometheus_url": prometheus.url})
    installation.apply()
    installation.adapter().start()
    installation.controller(probe_port=probe_port).start()
    installation.wait_until_available()
    return Standing(cluster, prometheus.url)


def parts(directory: Path) -> Iterator[tuple[str, Process | None]]:
    """Give each part by name, and its process if it runs."""
    for name in PARTS:
        yield name, Process.recorded(processes.record(directory, name))


def down(directory: Path) -> bool:
    """End what the records name and remove the directory; False if no cluster is there.

    Building or reading anything else could only go wrong.
    """
    if not (directory / "cluster.json").exists():
        return False
    for _, process in reversed(list(parts(directory))):
        if process:
            process.end(hard=True)
    shutil.rmtree(directory)
    return True


def _ports(directory: Path) -> tuple[int, int, int]:
    """Of Prometheus, the adapter and the controller's probes: as chosen the first time."""
    file = directory / "ports.json"
    if not file.exists():
        file.write_text(json.dumps(ports.pick(3)))
    prometheus, adapter, probe = json.loads(file.read_text())
    return prometheus, adapter, probe
