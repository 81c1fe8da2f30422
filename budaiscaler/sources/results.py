"""What a Prometheus answers; `prometheus-api-client` drops its type, so the shape must tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain.readings import NoData, NoDataReason


def read_result(result: Any) -> tuple[float, ...] | NoData:
    """Read `data.result`: a vector of samples, or a scalar, which the client leaves without a type.

    Raises:
        ValueError, KeyError, TypeError: when it is neither.
    """
    if isinstance(result, list) and len(result) == 2 and isinstance(result[0], int | float):  # noqa: PLR2004 - [time, text]
        return (float(result[1]),)
    if not result:
        message = (
            "the query found no series: check the labels in promQL and that the target is scraped"
        )
        return NoData(NoDataReason.EMPTY_RESULT, message)
    if any("values" in sample for sample in result):
        message = "promQL gives a range; wrap it in a function such as rate() or avg_over_time()"
        return NoData(NoDataReason.BAD_QUERY, message)
    if any("histogram" in sample for sample in result):
        message = (
            "promQL gives a native histogram; take histogram_quantile() or histogram_count() of it"
        )
        return NoData(NoDataReason.BAD_QUERY, message)
    return tuple(float(sample["value"][1]) for sample in result)


def read_by_label(result: Any, label: str) -> dict[str, float]:
    """Read the `data.result` of a vector in which each series has this one label.

    Raises:
        ValueError, KeyError, TypeError: when it is anything else.
    """
    found = {sample["metric"][label]: float(sample["value"][1]) for sample in result}
    if len(found) != len(result) or any(len(sample["metric"]) != 1 for sample in result):
        raise ValueError("the series are not told apart by the label alone")
    return found


@dataclass(frozen=True, slots=True)
class Point:
    """What a range query gives for one time.

    Attributes:
        at_s: seconds since 1970.
        values: one of each series that had one then.
    """

    at_s: float
    values: tuple[float, ...]


def read_points(result: Any) -> tuple[Point, ...]:
    """Read the `data.result` of a range query, oldest first; a time without a value has no point.

    Raises:
        ValueError, KeyError, TypeError: when it is no matrix of numbers.
    """
    found: dict[float, list[float]] = {}
    for series in result:
        for at_s, text in series["values"]:
            found.setdefault(float(at_s), []).append(float(text))
    return tuple(Point(at_s, tuple(found[at_s])) for at_s in sorted(found))


LONGEST_ERROR = 300
SHORTEST_SECRET = 4
"""Characters; shorter ones are found in any text."""


def error_text(body: bytes, secrets: Iterable[str]) -> str:
    """What an error says of itself; empty for one that is not of Prometheus.

    Also for one that repeats what was sent to it beside the query: whoever may read the status need
    not know that.
    """
    try:
        answer: Mapping[str, Any] = json.loads(body)
        text = str(answer["error"])
    except (ValueError, KeyError, TypeError):
        return ""
    if any(secret in text for secret in secrets if len(secret) >= SHORTEST_SECRET):
        return ""
    return text[:LONGEST_ERROR]
