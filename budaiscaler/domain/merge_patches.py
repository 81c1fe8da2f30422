"""Merge patches (RFC 7386): what one makes of a document, and which one leads to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def apply(document: Any, patch: Any) -> Any:
    """Apply one: null removes, objects merge, everything else replaces; nothing is changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = apply(merged.get(name), value)
    return merged


def between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Find the smallest one that makes `after` of `before`; neither has a null in it."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inside := between(old, value):
                patch[name] = inside
        elif value != old:
            patch[name] = value
    return patch
