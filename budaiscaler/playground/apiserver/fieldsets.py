"""Sets of fields: who owns what of an object, as `fieldsV1` writes it.

A path is a tuple of `f:<field>`, `k:<key of an item>` and `v:<item of a set>`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.shapes import Shape

Path = tuple[str, ...]
_ITEM = "an item of a list, that it is there"


def leaves(value: Any, shape: Shape, path: Path = ()) -> dict[Path, Any]:
    """Every field that can be owned on its own, with its value.

    The items of lists by key are among them: an item is there because somebody owns it.
    """
    if isinstance(value, dict) and value and not shape.is_atomic:
        found: dict[Path, Any] = {}
        for name, inner in value.items():
            found |= leaves(inner, shape.field(name), (*path, f"f:{name}"))
        return found
    if isinstance(value, list) and value:
        if shape.is_set:
            return {(*path, f"v:{json.dumps(item)}"): item for item in value}
        keys = [shape.key(item) for item in value] if shape.keys else [None]
        if None not in keys:
            found = {}
            for key, item in zip(keys, value, strict=True):
                at = (*path, str(key))
                found[at] = _ITEM
                found |= leaves(item, shape.item(), at)
            return found
    return {path: value}


def combine(live: Any, applied: Any, shape: Shape) -> Any:
    """Lay what was applied over what there is."""
    if isinstance(live, dict) and isinstance(applied, dict) and not shape.is_atomic:
        merged = dict(live)
        for name, value in applied.items():
            merged[name] = combine(live.get(name), value, shape.field(name))
        return merged
    if isinstance(live, list) and isinstance(applied, list):
        if shape.is_set:
            return [*live, *(item for item in applied if item not in live)]
        if shape.keys:
            by_key = {shape.key(item): item for item in live}
            for item in applied:
                key = shape.key(item)
                by_key[key] = combine(by_key.get(key), item, shape.item())
            return list(by_key.values())
    return copy.deepcopy(applied)


def without(value: Any, path: Path, shape: Shape) -> Any:
    """Take one field, or item of a list, out."""
    head, *rest = path
    tail = tuple(rest)
    if isinstance(value, dict):
        name = head.removeprefix("f:")
        if name not in value:
            return value
        if not tail:
            return {key: one for key, one in value.items() if key != name}
        return {**value, name: without(value[name], tail, shape.field(name))}
    if isinstance(value, list):
        items = []
        for item in value:
            if head not in (shape.key(item) if shape.keys else None, f"v:{json.dumps(item)}"):
                items.append(item)
            elif tail:
                items.append(without(item, tail, shape.item()))
        return items
    return value


def encode(paths: Iterable[Path]) -> Json:
    """Write a set of paths as `fieldsV1`."""
    written: Json = {}
    known = set(paths)
    for path in sorted(known):
        at = written
        for element in path:
            at = at.setdefault(element, {})
    for path in known:
        at = written
        for element in path:
            at = at[element]
        if at:  # owned itself, and something within
            at["."] = {}
    return written


def decode(fields: Json) -> frozenset[Path]:
    """Read `fieldsV1`."""
    found: set[Path] = set()

    def walk(node: Json, path: Path) -> None:
        if path and (not node or "." in node):
            found.add(path)
        for name, inner in node.items():
            if name != ".":
                walk(inner, (*path, name))

    walk(fields, ())
    return frozenset(found)


def dotted(path: Path) -> str:
    """Write a path as messages do: `.spec.containers[name="a"].image`."""
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = json.loads(rest).items()
            text += f"[{','.join(f'{key}={json.dumps(value)}' for key, value in pairs)}]"
        else:
            text += f"[={rest}]"
    return text
