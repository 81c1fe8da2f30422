"""The JSONPath that definitions of custom resources use: `.a.b`, `[0]`, `[?(@.type=="Ready")]`."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_STEP = re.compile(
    r"""\.(?P<name>[A-Za-z0-9_$-]+)
      | \[(?P<index>-?\d+)\]
      | \[\s*['"](?P<quoted>[^'"]+)['"]\s*\]
      | \[(?P<every>\*)\]
      | \[\?\(\s*@\.(?P<key>[\w.-]+)\s*==\s*['"](?P<value>[^'"]*)['"]\s*\)\]""",
    re.VERBOSE,
)

Step = tuple[str, str, str]


@lru_cache(maxsize=1024)
def _parse(path: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"{path} is no JSON path that is known here: at {path[position:]}")
        if name := found["name"] or found["quoted"]:
            steps.append(("name", name, ""))
        elif found["index"]:
            steps.append(("index", found["index"], ""))
        elif found["every"]:
            steps.append(("every", "", ""))
        else:
            steps.append(("where", found["key"], found["value"]))
        position = found.end()
    return tuple(steps)


def first(path: str, document: Any) -> Any:
    """Find the first value at `path`; None where there is none.

    Raises:
        ValueError: the path is none.
    """
    found = [document]
    for step in _parse(path):
        found = [inner for value in found for inner in _take(step, value)]
    return found[0] if found else None


def check(path: str) -> None:
    """Refuse a text that is no path.

    Raises:
        ValueError: saying where it stops making sense.
    """
    _parse(path)


def put(path: str, document: Any, value: Any) -> None:
    """Set a value below names, making the objects on the way; `path` has only names."""
    *parents, last = (name for _, name, _ in _parse(path))
    for parent in parents:
        document = document.setdefault(parent, {})
    document[last] = value


def _take(step: Step, value: Any) -> list[Any]:
    how, name, wanted = step
    if how == "name":
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    if how == "every":
        return value
    if how == "where":
        return [item for item in value if isinstance(item, dict) and item.get(name) == wanted]
    index = int(name)
    return value[index : index + 1 or None]
