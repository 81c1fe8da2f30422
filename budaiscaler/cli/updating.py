"""Writes today's results into files of stories, and leaves every other character as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import yaml

from budaiscaler.cli import files
from budaiscaler.cli.files import STDIN, FileError
from budaiscaler.cli.telling import Outcome

_PLAIN = re.compile(r"[0-9][0-9.]*")

Change = tuple[int, int, str]
"""First and last character of what is replaced, and by what."""


def update(outcomes: Sequence[Outcome]) -> int:
    """Make every expectation that does not hold what came of its story today.

    Returns:
        How many could not be, since no one value holds in their whole span.

    Raises:
        FileError: a file cannot be written.
    """
    left = 0
    changes: dict[str, list[Change]] = {}
    for outcome in outcomes:
        for failure in outcome.failures:
            node = outcome.document.node_at(failure.path)
            if failure.today is None or node is None:
                left += 1
                continue
            start, end = node.start_mark.index, node.end_mark.index
            changes.setdefault(outcome.document.file, []).append(
                (start, end, _written(failure.today))
            )
    for name, of_file in changes.items():
        _write(name, of_file)
    return left


def _write(name: str, changes: list[Change]) -> None:
    if name == STDIN:
        raise FileError("the standard input cannot be written; name a file")
    text = files.read_text(name)
    for start, end, new in sorted(changes, reverse=True):
        # A block reaches up to what comes next; the white space before that is not part of it.
        kept = text[start:end].rstrip()
        text = text[:start] + new + text[start + len(kept) :]
    yaml.safe_load(text)
    files.write(name, text.encode())


def _written(today: str | list[str]) -> str:
    if isinstance(today, list):
        return f"[{', '.join(today)}]"
    return today if _PLAIN.fullmatch(today) else json.dumps(today)
