"""Label selectors of workloads, in the form that a request takes."""

from __future__ import annotations

from budaiscaler.kube.port import Json

_WITH_VALUES = {"In": "in", "NotIn": "notin"}


def render(selector: Json) -> str:
    """Write a `metav1.LabelSelector` as the `labelSelector` of a request."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        key, operator = one["key"], one["operator"]
        if operator in _WITH_VALUES:
            parts.append(f"{key} {_WITH_VALUES[operator]} ({','.join(one.get('values') or ())})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)
