"""Kinds of the stories' own: one with all that a CRD of ours or of a stranger has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import Resource
from tests.contract.waiting import until

GROUP = "contract.budaiscaler"
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
WIDGETS = Resource(GROUP, "v1", "widgets")
UNLUCKY = "spec.replicas must not be 13"

OURS: Json = yaml.safe_load(
    (
        Path(__file__).parents[2] / "manifests" / "crd" / "scaler.bud.studio_budaiscalers.yaml"
    ).read_text()
)

_CONDITION: Json = {
    "type": "object",
    "required": ["type", "status"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string"},
    },
}

_SPEC: Json = {
    "type": "object",
    "description": "What is wanted of it.",
    "required": ["color"],
    "x-kubernetes-validations": [{"rule": "self.replicas != 13", "message": UNLUCKY}],
    "properties": {
        "color": {"type": "string", "description": "Its color.", "pattern": "^[a-z]+$"},
        "replicas": {"type": "integer", "format": "int32", "minimum": 0, "default": 1},
        "size": {"type": "string", "enum": ["S", "M"], "maxLength": 8},
        "note": {"type": "string", "nullable": True},
        "amount": {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "x-kubernetes-int-or-string": True,
        },
        "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "marks": {"type": "object", "additionalProperties": {"type": "string"}},
        "words": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        "limits": {
            "type": "object",
            "default": {},
            "properties": {
                "cpu": {"type": "string", "default": "1"},
                "memory": {"type": "string"},
            },
        },
        "ports": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["number"],
                "properties": {
                    "number": {"type": "integer"},
                    "name": {"type": "string"},
                    "protocol": {"type": "string", "default": "TCP"},
                },
            },
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["number"],
        },
    },
}

_STATUS: Json = {
    "type": "object",
    "properties": {
        "replicas": {"type": "integer"},
        "selector": {"type": "string"},
        "note": {"type": "string"},
        "conditions": {
            "type": "array",
            "items": _CONDITION,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
    },
}

_COLUMNS: list[Json] = [
    {"name": "Color", "type": "string", "jsonPath": ".spec.color"},
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
    {
        "name": "Ready",
        "type": "string",
        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
    },
    {"name": "Cpu", "type": "string", "jsonPath": ".spec.limits.cpu", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def definition(plural: str = "widgets", kind: str = "Widget", *, short: str = "wd") -> Json:
    """Describe a kind with the subresources `status` and `scale`."""
    return {
        "apiVersion": CRDS.api_version,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["contract"],
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A thing of which there can be several.",
                            "required": ["spec"],
                            "properties": {"spec": _SPEC, "status": _STATUS},
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": _COLUMNS,
                }
            ],
        },
    }


def widget(name: str = "one", *, labels: Json | None = None, **spec: Any) -> Json:
    """Describe a widget; `spec` adds and replaces fields."""
    metadata: Json = {"name": name, **({"labels": labels} if labels else {})}
    return {
        "apiVersion": WIDGETS.api_version,
        "kind": "Widget",
        "metadata": metadata,
        "spec": {"color": "red", **spec},
    }


async def install(kube: Kube) -> None:
    """Make sure that the server has our own kind and the stories'."""
    for wanted in (OURS, definition()):
        path = CRDS.item(None, wanted["metadata"]["name"])
        try:
            found = await kube.get(path)
        except NotFoundError:
            found = await create(kube, wanted)
        if not is_established(found):
            await established(kube, wanted["metadata"]["name"])


async def create(kube: Kube, wanted: Json) -> Json:
    """Create a kind, unless somebody was faster."""
    try:
        return await kube.create(CRDS.collection(), wanted)
    except ConflictError:
        return wanted


async def established(kube: Kube, name: str) -> None:
    """Wait until a kind is served."""

    async def probe() -> bool | None:
        return is_established(await kube.get(CRDS.item(None, name))) or None

    await until(probe, f"{name} to be established")


def is_established(found: Json) -> bool:
    """Say whether the server has taken a kind up."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
