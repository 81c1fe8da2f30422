"""JSON patches (RFC 6902), pure: the document is not changed."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


class PatchError(ValueError):
    """A patch that is none, or does not fit the document."""


class RefusedTestError(PatchError):
    """The `test` of a JSON patch does not hold."""


def apply_json(document: Any, steps: Sequence[Any]) -> Any:
    """Apply a JSON patch, all of it or nothing.

    Raises:
        RefusedTestError: a `test` does not hold.
        PatchError: a step that is none, or points to what is not there.
    """
    changed = {"": copy.deepcopy(document)}  # so that the whole document has a parent, too
    for step in steps:
        try:
            _step(changed, step)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, PatchError):
                raise
            raise PatchError(f"the step {step!r} cannot be applied: {error}") from error
    return changed[""]


def _step(root: dict[str, Any], step: Any) -> None:
    operation, path = step["op"], step["path"]
    match operation:
        case "add":
            _add(root, path, copy.deepcopy(step["value"]))
        case "replace":
            _remove(root, path, put=copy.deepcopy(step["value"]))
        case "remove":
            _remove(root, path)
        case "test":
            try:
                found = _get(root, path)
            except (IndexError, KeyError, TypeError, ValueError):
                found = None
            if found != step.get("value"):
                raise RefusedTestError(f"testing value {path} failed")
        case "copy":
            _add(root, path, copy.deepcopy(_get(root, step["from"])))
        case "move":
            moved = _get(root, step["from"])
            _remove(root, step["from"])
            _add(root, path, moved)
        case _:
            raise PatchError(f"Unexpected kind: {operation}")


def _names(path: str) -> list[str]:
    if path and not path.startswith("/"):
        raise PatchError(f"{path!r} is no JSON pointer: it begins with /")
    return [name.replace("~1", "/").replace("~0", "~") for name in path.split("/")]


def _at(container: Any, name: str) -> Any:
    """Key or index of a name in a container."""
    if isinstance(container, list):
        index = int(name)
        if index < 0:
            raise PatchError(f"index {name} is negative")
        return index
    return name


def _get(root: Any, path: str) -> Any:
    found = root
    for name in _names(path):
        found = found[_at(found, name)]
    return found


def _parent(root: Any, path: str) -> tuple[Any, str]:
    *parents, last = _names(path)
    found = root
    for name in parents:
        found = found[_at(found, name)]
    return found, last


def _add(root: Any, path: str, value: Any) -> None:
    parent, name = _parent(root, path)
    if not isinstance(parent, list):
        parent[name] = value
    elif name == "-":
        parent.append(value)
    else:
        index = _at(parent, name)
        if index > len(parent):
            raise PatchError(f"index {name} is beyond the end")
        parent.insert(index, value)


_NOTHING = object()


def _remove(root: Any, path: str, put: Any = _NOTHING) -> None:
    parent, name = _parent(root, path)
    at = _at(parent, name)
    parent[at]  # raises where there is nothing
    if put is _NOTHING:
        del parent[at]
    else:
        parent[at] = put
