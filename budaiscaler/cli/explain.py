"""`budaiscaler explain`: one decision, from a file without a cluster, or of a live scaler."""

from __future__ import annotations

import argparse
import asyncio
import json
from datetime import UTC, datetime

from budaiscaler.cli import files, kubeconfigs, telling
from budaiscaler.cli.base import Commands
from budaiscaler.cli.files import FileError
from budaiscaler.domain.errors import InvalidInputError, NotFoundError
from budaiscaler.domain.explaining import explanation, flips, ladder, live, observations, subjects
from budaiscaler.domain.explaining.explanation import Explanation
from budaiscaler.kube import client, scales
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.kube.scales import ScaleReader
from budaiscaler.sources.engines import unit_factor

USAGE = "write -f FILE --observation FILE, or NAME of a live scaler"


def register(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "explain",
        help="say how many replicas, why, and what would change it",
        description="Decide once from a file, without a cluster, or explain the last decision of "
        "a live scaler. The codes of the reasons are in docs/codes.md.",
    )
    parser.add_argument("name", nargs="?", help="a live scaler")
    parser.add_argument("-n", "--namespace", help="of it; default: that of the current context")
    parser.add_argument("--kubeconfig", help="default: $KUBECONFIG, else ~/.kube/config")
    parser.add_argument("-f", "--file", metavar="FILE", help="the scaler, as YAML; - reads stdin")
    parser.add_argument(
        "--observation", metavar="FILE", help="what it sees, as YAML; - reads stdin"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json", "observation"),
        default="text",
        help="observation writes what --observation reads; default: text",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Explain, and print."""
    if (arguments.name is None) == (arguments.file is None):
        raise FileError(f"explain: {USAGE}")
    if arguments.name is not None:
        explained = asyncio.run(_of_cluster(arguments))
        is_steady = live.is_steady(explained)
    else:
        if arguments.observation is None:
            raise FileError(f"explain: {USAGE}")
        now = datetime.now(UTC).replace(microsecond=0)
        explained, is_steady = of_files(arguments.file, arguments.observation, now), True
    print(render(explained, arguments.output, is_steady=is_steady))
    return 0


def of_files(scaler: str, observation: str, now: datetime) -> Explanation:
    """Explain without a cluster.

    Args:
        scaler: file with the scaler.
        observation: file with what it sees.
        now: used where the observation names no time.

    Raises:
        InvalidInputError: a file cannot be used; the message has file and line.
    """
    subject = telling.load_scaler(scaler)
    document = files.only(observation)
    try:
        given = observations.read(document.raw, subject)
    except InvalidInputError as error:
        raise FileError(document.tell(error)) from error
    return explanation.explain(subject, given, given.now or now, unit_factor)


def render(explained: Explanation, output: str, *, is_steady: bool) -> str:
    """Write an explanation in one of the three forms.

    Args:
        explained: the decision.
        output: text, json or observation.
        is_steady: whether it would come out the same without any history.
    """
    if output == "json":
        return json.dumps(explanation.to_json(explained), indent=2)
    if output == "observation":
        return files.dump(observations.to_json(explained.given)).rstrip()
    if is_steady:
        return "\n".join(ladder.lines(explained, flips.find(explained, unit_factor)))
    return "\n".join(ladder.lines(explained, None))


async def _of_cluster(arguments: argparse.Namespace) -> Explanation:
    path = kubeconfigs.path(arguments.kubeconfig)
    namespace = arguments.namespace or kubeconfigs.namespace(path)
    async with await client.connect(path) as kube:
        now = datetime.now(UTC).replace(microsecond=0)
        return await of_live(kube, namespace, arguments.name, now)


async def of_live(kube: Kube, namespace: str, name: str, now: datetime) -> Explanation:
    """Explain the last decision of a live scaler.

    Raises:
        InvalidInputError: it is not there or not decided, it is invalid, or it has no workload.
        KubeError: it cannot be read.
    """
    try:
        found: Json = await kube.get(BUDAISCALERS.item(namespace, name))
    except NotFoundError as error:
        raise FileError(
            f"explain: {error}; looked in namespace {namespace}, -n names another"
        ) from error
    subject = subjects.read(found)
    target = subject.spec.scale_target_ref
    reader = ScaleReader(kube)
    try:
        scale = await reader.read(target.api_version, target.kind, namespace, target.name)
    except NotFoundError as error:
        raise FileError(
            f"explain: the workload of {name} is not there: {error}; check spec.scaleTargetRef"
        ) from error
    pods = await reader.pods(scale, namespace)
    replicas = scales.count(scale, pods, scales.pods_per_replica(scale, pods))
    return live.explanation(subject, found.get("status") or {}, replicas, now, unit_factor)
