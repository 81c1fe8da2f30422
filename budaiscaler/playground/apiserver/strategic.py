"""Strategic merge patches, as kubectl sends them for built-in kinds: lists merge by their key.

Known of the directives are `$patch: delete` and `replace`, `$deleteFromPrimitiveList`,
`$setElementOrder` and `$retainKeys`.
"""

from __future__ import annotations

import copy
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.patching import PatchError
from budaiscaler.playground.apiserver.shapes import Shape

_DIRECTIVE = "$patch"
_ORDER = "$setElementOrder/"
_DROP = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"


def merge(document: Any, patch: Any, shape: Shape) -> Any:
    """Apply a strategic merge patch; the document is not changed.

    Raises:
        PatchError: an item of a list has no key.
    """
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if patch.get(_DIRECTIVE) == "replace":
        return {k: copy.deepcopy(v) for k, v in patch.items() if k != _DIRECTIVE}
    merged: Json = dict(document) if isinstance(document, dict) else {}
    if _RETAIN in patch:
        merged = {name: merged[name] for name in merged if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name.startswith("$"):
            _drop(merged, name, value)
        elif value is None or (isinstance(value, dict) and value.get(_DIRECTIVE) == "delete"):
            merged.pop(name, None)
        elif isinstance(value, list):
            merged[name] = _list(merged.get(name), value, shape.field(name))
        else:
            merged[name] = merge(merged.get(name), value, shape.field(name))
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        if field != name and isinstance(merged.get(field), list):
            merged[field] = _ordered(merged[field], order, shape.field(field))
    return merged


def _drop(merged: Json, directive: str, values: Any) -> None:
    """Take out the items that a directive names, if it is one of that kind."""
    field = directive.removeprefix(_DROP)
    if field != directive:
        merged[field] = [item for item in merged.get(field) or () if item not in values]


def _list(live: Any, patch: list[Any], shape: Shape) -> list[Any]:
    if shape.is_set:
        known = list(live or ())
        return [*known, *(item for item in patch if item not in known)]
    if not shape.keys:
        return copy.deepcopy(patch)
    key = shape.keys[0]  # a strategic merge knows one key
    merged = list(live or ())
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if _DIRECTIVE not in item]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise PatchError(f"an item of {shape.name} has no {key}, by which they are merged")
        at = next((i for i, one in enumerate(merged) if one.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            if at is not None:
                del merged[at]
        elif at is None:
            merged.append(merge({}, item, shape.item()))
        else:
            merged[at] = merge(merged[at], item, shape.item())
    return merged


def _ordered(items: list[Any], order: list[Any], shape: Shape) -> list[Any]:
    """Sort those items that the order names; the others stay behind them."""
    key = shape.keys[0] if shape.keys else None
    wanted = [item.get(key) if key and isinstance(item, dict) else item for item in order]

    def rank(item: Any) -> int:
        value = item.get(key) if key and isinstance(item, dict) else item
        return wanted.index(value) if value in wanted else len(wanted)

    return sorted(items, key=rank)
