"""`python -m e2e.cluster up`: the cluster of the tests, for hands-on work."""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Final

from e2e.cluster import binaries, standing, waiting

DIRECTORY: Final = Path(__file__).parents[2] / ".e2e"


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
    commands.add_parser("status", help="show what runs; fails unless all of it does")
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
    """Start it; what is printed can be read by a person and evaluated by a shell."""
    up = standing.up(directory, nodes)
    cluster = up.cluster
    print(f"# Kubernetes is at {cluster.server}, Prometheus at {up.prometheus}")
    print(f"# logs are in {cluster.directory / 'log'}; kubectl is {cluster.binaries.kubectl}")
    status = _status(directory, prefix="# ")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    if shutil.which("kubectl") is None:
        print(f"export PATH=$PATH:{cluster.binaries.kubectl.parent}")
    return status


def _status(directory: Path, prefix: str = "") -> int:
    missing = 0
    for name, process in standing.parts(directory):
        missing += process is None
        state = f"pid {process.pid}, {process.resident_kib() >> 10} MiB" if process else "down"
        print(f"{prefix}{name:<24} {state}")
    return 1 if missing else 0


def _down(directory: Path) -> int:
    if not standing.down(directory):
        print(f"there is no cluster in {directory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
