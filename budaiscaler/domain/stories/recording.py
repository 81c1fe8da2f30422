"""Makes a story of logged decisions.

The log has a line where an answer changed, so between two lines the readings are taken to stay. A
level is written as the total that its replicas shared: in the story they may be others, and then
the level must not stay as it was.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain import merge_patches, times
from budaiscaler.domain.api import promql, strict
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.api.sources import MetricsSource, TargetType
from budaiscaler.domain.errors import InvalidInputError, Problem
from budaiscaler.domain.explaining.observations import Factor
from budaiscaler.domain.stories.steps import cadence_s

Line = Mapping[str, Any]

UNMEASURED_STARTUP_S = 60.0

_ACCESS = frozenset({"endpoint", "headers", "headersFrom", "auth", "tls", "scrapeTimeout"})


def story(name: str, lines: Sequence[Line], factor: Factor) -> dict[str, Any]:
    """Make the story, as a file has it.

    Args:
        name: of the scaler.
        lines: decisions of one scaler, in any order; at least one.
        factor: of each source's unit.

    Raises:
        InvalidInputError: a line is no decision of a version that is known here.
    """
    try:
        return _story(name, sorted(lines, key=_at), factor)
    except (KeyError, TypeError, ValueError) as error:
        message = f"a decision is of a version that this one does not know: {error!r}"
        raise InvalidInputError([Problem((), message)]) from error


def _story(name: str, lines: Sequence[Line], factor: Factor) -> dict[str, Any]:
    first = lines[0]
    spec = strict.read_spec(_public(first["spec"]))
    start = _at(first).replace(microsecond=0)
    interval_s = cadence_s(spec.scaling_strategy)[0]
    seen = first["observation"]
    startups = [line["observation"].get("startup_p95_s") for line in lines]
    measured = [startup for startup in startups if startup is not None]
    return {
        "name": f"{name} from {times.rfc3339(start)}",
        "scaler": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": name, "annotations": dict(seen.get("annotations") or {})},
            "spec": _public(first["spec"]),
        },
        "start": times.rfc3339(start),
        "interval": f"{interval_s:g}s",
        "replicas": {
            "current": seen["replicas"]["current"],
            "startup": f"{max(measured, default=UNMEASURED_STARTUP_S):g}s",
        },
        "inputs": [
            _input(source, lines, start, interval_s, factor) for source in spec.metrics_sources
        ],
        "events": [
            {
                "at": f"{_elapsed_s(line, start, interval_s):g}s",
                "edit": merge_patches.between(_public(before["spec"]), _public(line["spec"])),
            }
            for before, line in itertools.pairwise(lines)
            if _public(line["spec"]) != _public(before["spec"])
        ],
        "expect": [
            {
                "at": f"{_elapsed_s(line, start, interval_s):g}s",
                "desired": line["desired_replicas"],
            }
            for line in lines
        ],
    }


def _public(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out how a source is asked: a story asks nobody."""
    sources = [
        {key: value for key, value in source.items() if key not in _ACCESS}
        for source in spec["metricsSources"]
    ]
    return {**spec, "metricsSources": sources}


def _input(
    source: MetricsSource,
    lines: Sequence[Line],
    start: datetime,
    interval_s: float,
    factor: Factor,
) -> dict[str, str]:
    is_level = promql.target_type(source)[0] is TargetType.VALUE
    last_s = _elapsed_s(lines[-1], start, interval_s)
    samples: list[float | None] = []
    for index in range(int(last_s / interval_s) + 1):
        moment = start + timedelta(seconds=index * interval_s)
        standing = [line for line in lines if _at(line) <= moment] or [lines[0]]
        seen = standing[-1]["observation"]
        value = (seen["readings"].get(source.key) or {}).get("value")
        share = seen["replicas"]["ready"] if is_level else 1
        samples.append(None if value is None else value * share / factor(source))
    return {"source": source.key, "total": " ".join(_compact(samples))}


def _compact(samples: Sequence[float | None]) -> list[str]:
    """Write equal samples that follow each other as one term."""
    terms = []
    for value, run in itertools.groupby(samples):
        count = len(list(run))
        if value is None:
            terms.append(f"_x{count}")
        else:
            terms.append(f"{value:.10g}" if count == 1 else f"{value:.10g}x{count - 1}")
    return terms


def _elapsed_s(line: Line, start: datetime, interval_s: float) -> float:
    """When the story's next decision after a line is."""
    return max(0, math.ceil((_at(line) - start).total_seconds() / interval_s)) * interval_s


def _at(line: Line) -> datetime:
    found = times.parse(line["now"])
    if found is None:
        raise ValueError(f"now: {line['now']!r} is no time")
    return found
