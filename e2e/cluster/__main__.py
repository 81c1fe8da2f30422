"""`python -m e2e.cluster up`: the cluster of the tests, for hands-on work."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from e2e.cluster import binaries, processes, waiting
from e2e.cluster.components import Component, Settings
from e2e.cluster.control_plane import ControlPlane

DIRECTORY: Final = Path(__file__).parents[2] / ".e2e"
# Not the tests' range: they may run at the same time.
POD_CIDR: Final = "127.200.0.1/16"


def main() -> int:
    """Run one command; the exit status says whether the cluster is as the command wants it."""
    parser = argparse.ArgumentParser(prog="python -m e2e.cluster", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, default=DIRECTORY, help="holds the cluster (default: .e2e)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="make the programs, unless the cache has them")
    up = commands.add_parser("up", help="start the cluster, or what of it is down")
    up.add_argument("--nodes", type=int, default=3, help="how many nodes a new cluster gets")
    commands.add_parser("status", help="show the components; fails unless all of them run")
    commands.add_parser("down", help="end the cluster and remove its data")
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    try:
        match arguments.command:
            case "build":
                print(binaries.ensure().directory)
                print(binaries.ensure_prometheus().prometheus.parent)
                return 0
            case "up":
                return _up(directory, arguments.nodes)
            case "status":
                return _status(directory)
            case _:
                return _down(directory)
    except waiting.ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _up(directory: Path, nodes: int) -> int:
    settings = Settings(nodes=nodes, pod_cidr=POD_CIDR)
    cluster = ControlPlane(directory, settings, guarded=False)
    cluster.up()
    print(f"# Kubernetes is at {cluster.server}; logs are in {cluster.directory / 'log'}")
    print(f"# kubectl is {cluster.binaries.kubectl}")
    status = _status(directory, prefix="# ")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    return status


def _status(directory: Path, prefix: str = "") -> int:
    missing = 0
    for component in Component:
        process = processes.Process.recorded(processes.record(directory, component))
        missing += process is None
        state = f"pid {process.pid}, {process.resident_kib() >> 10} MiB" if process else "down"
        print(f"{prefix}{component:<24} {state}")
    return 1 if missing else 0


def _down(directory: Path) -> int:
    """End what the records name. Building or reading anything else could only go wrong."""
    if not (directory / "cluster.json").exists():
        print(f"there is no cluster in {directory}")
        return 0
    for component in reversed(Component):
        if process := processes.Process.recorded(processes.record(directory, component)):
            process.end(hard=True)
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
