"""`budaiscaler test --record`: reads the decision log, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from budaiscaler.cli import files
from budaiscaler.cli.files import FileError
from budaiscaler.domain import times
from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.stories import recording
from budaiscaler.kube.port import Json
from budaiscaler.sources.engines import unit_factor

_HOW = (
    "the servers log each changed decision; give them with kubectl logs of the adapter's leader "
    "(strategy HPA) or the controller's"
)


def record(
    log: str, namespace: str, name: str, since: datetime | None, until: datetime | None
) -> str:
    """Make a file of one story.

    Args:
        log: file with the log; `-` is the standard input.
        namespace: of the scaler.
        name: of the scaler.
        since: first time to take; None for all.
        until: last time to take; None for all.

    Raises:
        FileError: the log has no decision of that scaler in that time.
    """
    found = [
        line
        for line in _decisions(files.read_text(log))
        if (line.get("namespace"), line.get("name")) == (namespace, name)
        and _is_in(times.parse(line.get("now")), since, until)
    ]
    if not found:
        raise FileError(f"{log}: no decision of {namespace}/{name} in that time; {_HOW}")
    try:
        story = recording.story(name, found, unit_factor)
    except InvalidInputError as error:
        raise FileError(f"{log}: {error}") from error
    return files.dump({"stories": [story]})


def _decisions(text: str) -> Iterator[Json]:
    """Lines that are decisions; others, such as a prefix of kubectl, are none."""
    for line in text.splitlines():
        start = line.find("{")
        try:
            found = json.loads(line[start:]) if start >= 0 else None
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("event") == "decision":
            yield found


def _is_in(moment: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    if moment is None:
        return False
    return (since is None or moment >= since) and (until is None or moment <= until)
