"""The number in what an endpoint answers: a bare one, or one somewhere in a JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from budaiscaler.domain.readings import NoData, NoDataReason

_NUMBER = re.compile(
    r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf(?:inity)?|nan)", re.IGNORECASE
)
"""As Go and JSON write them; Python's own `float` would also take "1_000" and the digits of every
script. NaN and infinities are read, so that they can be told from what is no number."""

MOST_JSON_BYTES = 2**18
"""Whoever reads a document looks at all that is in it, and all others wait for that."""

_USUAL_KEYS = ("value", "metric", "result", "data")


def read_number(body: bytes, metric: str) -> float | NoData:
    """Find the number.

    In a document it is looked for under `value`, then under the name of the metric: within `data`,
    at the top, and in nested objects; at last under `metric`, `result` and `data` themselves.

    Args:
        body: as it was answered; of whatever content type, since frameworks call a bare number
            HTML unless told otherwise.
        metric: its name, which may be a key.
    """
    if len(body) > MOST_JSON_BYTES:
        message = (
            f"the endpoint answered more than {MOST_JSON_BYTES >> 10} KiB where one number is "
            "wanted: answer less"
        )
        return NoData(NoDataReason.BAD_ANSWER, message)
    try:
        text = body.decode("utf-8-sig").strip()
        document: Any = text if _NUMBER.fullmatch(text) else json.loads(text)
    except (ValueError, RecursionError):  # a decoding error is one too
        message = "the endpoint answered neither a number nor JSON: check path and format"
        return NoData(NoDataReason.BAD_ANSWER, message)
    if isinstance(document, dict) and document.get("error"):
        message = 'the endpoint answered JSON with an "error": see the log of that server'
        return NoData(NoDataReason.BAD_ANSWER, message)
    for candidate in _candidates(document, metric):
        if (found := number(candidate)) is not None:
            return found
    message = (
        f'the endpoint answered JSON without a number: answer {{"value": 5}}, or the key {metric}'
    )
    return NoData(NoDataReason.BAD_ANSWER, message)


def _candidates(document: Any, metric: str) -> Iterator[Any]:
    """What may be the number, best first."""
    if not isinstance(document, dict):
        yield document
        return
    yield document.get("value")
    data = document.get("data")
    if isinstance(data, dict):
        yield data.get(metric)
    # Breadth first, so that of two the one nearer to the top is taken.
    level = [document]
    while level:
        for node in level:
            yield node.get(metric)
        level = [child for node in level for child in node.values() if isinstance(child, dict)]
    for key in _USUAL_KEYS:
        yield document.get(key)


def find_numbers(document: Any, keys: Collection[str]) -> dict[str, float]:
    """Find the number under each key: at the top, else in nested objects, depth first."""
    found: dict[str, float] = {}
    wanted = set(keys)
    nodes = [document]
    while nodes and wanted:
        node = nodes.pop()
        if not isinstance(node, dict):
            continue
        for key in node.keys() & wanted:
            if (one := number(node[key])) is not None:
                found[key] = one
        wanted -= found.keys()
        nodes.extend(reversed(node.values()))
    return found


def number(value: Any) -> float | None:
    """Read a number, or a text that is one."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:  # of an integer beyond all floats
        return float("inf")
