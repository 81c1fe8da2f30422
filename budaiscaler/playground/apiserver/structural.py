"""Pruning and defaulting by the structural schema of a custom resource."""

from __future__ import annotations

import copy
from typing import Any

from budaiscaler.kube.port import Json

_ROOT = ("apiVersion", "kind", "metadata")
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"

OBJECT_META = frozenset(
    {
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    }
)


def prune(body: Json, schema: Json) -> tuple[Json, list[str]]:
    """Drop what the schema does not know.

    Returns:
        What is left, and the paths of what was dropped, for example `spec.metricsSources[0].nmae`.
    """
    unknown: list[str] = []
    pruned = _prune(body, schema, "", unknown, is_object=True)
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        unknown.extend(f"metadata.{name}" for name in metadata if name not in OBJECT_META)
        pruned["metadata"] = {k: v for k, v in metadata.items() if k in OBJECT_META}
    return pruned, sorted(unknown)


def _prune(
    value: Any, schema: Json, path: str, unknown: list[str], *, is_object: bool = False
) -> Any:
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_prune(v, items, f"{path}[{i}]", unknown) for i, v in enumerate(value)]
    if not isinstance(value, dict):
        return value
    declared, others = schema.get("properties", {}), schema.get("additionalProperties")
    keeps_all = bool(schema.get(_PRESERVE) or others)
    kept: Json = {}
    for name, inner in value.items():
        at = f"{path}.{name}" if path else name
        if (is_object or schema.get(_EMBEDDED)) and name in _ROOT:
            kept[name] = inner
        elif name in declared:
            kept[name] = _prune(inner, declared[name], at, unknown)
        elif isinstance(others, dict):
            kept[name] = _prune(inner, others, at, unknown)
        elif keeps_all:
            kept[name] = inner
        else:
            unknown.append(at)
    return kept


def default(value: Any, schema: Json) -> Any:
    """Fill in what is left out and has a default; null counts as left out unless it is allowed."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [default(item, items) for item in value]
    if not isinstance(value, dict):
        return value
    declared, others = schema.get("properties", {}), schema.get("additionalProperties")
    filled: Json = {}
    for name, inner in value.items():
        of = declared.get(name, others if isinstance(others, dict) else {})
        if inner is None and name in declared and not of.get("nullable"):
            continue
        filled[name] = default(inner, of)
    for name, of in declared.items():
        if name not in filled and "default" in of:
            filled[name] = default(copy.deepcopy(of["default"]), of)
    return filled
