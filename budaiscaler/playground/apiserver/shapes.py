"""How values merge, by where they are: objects by field, lists by key, as sets, or as a whole.

Custom resources say it in their schema. Built-in kinds have none here; of what their types say, the
table below has what workloads, Services and autoscalers use.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.kube.port import Json

_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "conditions": ("type",),
    "ownerReferences": ("uid",),
}
_SETS = frozenset({"finalizers"})
_ATOMIC_OBJECTS = frozenset(
    {
        "selector",
        "labelSelector",
        "nodeSelector",
        "fieldRef",
        "resourceFieldRef",
        "secretKeyRef",
        "configMapKeyRef",
        "involvedObject",
        "regarding",
    }
)
_KEY_DEFAULTS = {"protocol": "TCP"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The rules of one place.

    Attributes:
        schema: of a custom resource; None for a built-in kind.
        name: of the field that the value, or the list that it is in, is in.
        parent: the same of what that is in.
    """

    schema: Json | None = None
    name: str = ""
    parent: str = ""

    def field(self, name: str) -> Shape:
        """Rules of a field of the object here."""
        if self.schema is None or (not self.name and name == "metadata"):
            return Shape(None, name, self.name)
        declared = self.schema.get("properties", {}).get(name)
        if declared is None:
            others = self.schema.get("additionalProperties")
            declared = others if isinstance(others, dict) else {}
        return Shape(declared, name, self.name)

    def item(self) -> Shape:
        """Rules of the items of the list here."""
        schema = None if self.schema is None else self.schema.get("items", {})
        return Shape(schema, self.name, self.parent)

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that tell the items of a list apart; none if it is not a list of that kind."""
        if self.schema is not None:
            is_map = self.schema.get("x-kubernetes-list-type") == "map"
            return tuple(self.schema["x-kubernetes-list-map-keys"]) if is_map else ()
        if self.name == "ports":
            return ("port" if self.parent == "spec" else "containerPort", "protocol")
        return _LIST_KEYS.get(self.name, ())

    @property
    def is_set(self) -> bool:
        """Whether the items of a list are owned one by one."""
        if self.schema is not None:
            return bool(self.schema.get("x-kubernetes-list-type") == "set")
        return self.name in _SETS

    @property
    def is_atomic(self) -> bool:
        """Whether an object is owned as a whole."""
        if self.schema is not None:
            return bool(self.schema.get("x-kubernetes-map-type") == "atomic")
        return self.name in _ATOMIC_OBJECTS

    def key(self, item: Any) -> str | None:
        """The key of an item of a list by key, as fieldsV1 writes it; None without one."""
        if not isinstance(item, dict):
            return None
        found: Json = {}
        for name in sorted(self.keys):
            value = item.get(name, self._default(name))
            if value is None:
                return None
            found[name] = value
        return f"k:{json.dumps(found, separators=(',', ':'))}"

    def _default(self, name: str) -> Any:
        if self.schema is None:
            return _KEY_DEFAULTS.get(name)
        return self.schema.get("items", {}).get("properties", {}).get(name, {}).get("default")
