"""Writes down what a demo shows: manifests for a real cluster, and stories that hold for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.kube.port import Json
from budaiscaler.playground import manifests
from budaiscaler.playground.demo import shown
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.manifests import SCALERS

STORIES = "stories.yaml"

_CURRENT = 6


def prepare(directory: Path) -> None:
    """Make sure that files can be written there.

    Raises:
        ConfigurationError: they cannot.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"--export {directory}: it cannot be made: {error}") from error


def write(directory: Path, options: Options, fields: Mapping[str, Any]) -> None:
    """Write a file a scaler, with its workload, the plain HPA with its own, and stories.

    Args:
        directory: where; see `prepare`.
        options: what is shown.
        fields: of the scalers' spec that the scenario adds.
    """
    by_name: dict[str, list[Json]] = {}
    for body in (*shown.objects(options, fields), *shown.twin(options)):
        by_name.setdefault(body["metadata"]["name"], []).append(body)
    for name, bodies in by_name.items():
        text = yaml.safe_dump_all(map(_copy, bodies), sort_keys=False)
        (directory / f"{name}.yaml").write_text(text)
    heading = f"# budaiscaler test {directory / STORIES}\n"
    stories = {"stories": [story for name in SCALERS for story in _stories(name, options)]}
    text = yaml.safe_dump(_copy(stories), sort_keys=False, width=100)
    (directory / STORIES).write_text(heading + text)


def _copy(body: Json) -> Json:
    """Copy every part, since one that stands in two places would be written as an alias."""
    copied: Json = json.loads(json.dumps(body))
    return copied


def _stories(name: str, options: Options) -> list[Json]:
    """What holds in every scenario: a crowd is followed, and silence is not low load."""
    of_one = shown.targets(options)["requests_running"]
    # Requests in flight: what the replicas of the beginning are for, and what the most of them are.
    steady, crowd = _CURRENT * of_one, manifests.MOST_REPLICAS * of_one
    given = {
        "scaler": f"{name}.yaml",
        "replicas": {"current": _CURRENT, "startup": f"{options.start_up_s:g}s"},
    }
    return [
        {
            "name": f"{name} follows a crowd",
            **given,
            "inputs": _inputs(f"{steady}x8 {crowd}x72"),
            "expect": [{"at": "2m", "desired": ">=6"}, {"at": "15m", "desired": ">=15"}],
        },
        {
            "name": f"{name} holds while its metrics are broken",
            **given,
            "inputs": _inputs(f"{steady}x20 _x60"),
            "expect": [{"from": "0s", "to": "18m", "desired": ">=6"}],
        },
    ]


def _inputs(running: str) -> list[Json]:
    waiting = " ".join(
        term if term.startswith("_") else f"0x{term.partition('x')[2]}" for term in running.split()
    )
    return [
        {"source": "requests_running", "total": running},
        {"source": "requests_waiting", "total": waiting},
    ]
