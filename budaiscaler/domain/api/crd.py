"""Generates the CustomResourceDefinition from the types, so that the two cannot differ.

pydantic emits JSON schema 2020-12; a CRD wants an OpenAPI v3.0 *structural* schema. What differs is
rewritten by `structural()`: references are inlined, optionals lose their null branch, titles go,
single references keep the description of the place where they stand, and the rules of
`validation.BY_TYPE` become `x-kubernetes-validations`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from budaiscaler.domain.api import validation
from budaiscaler.domain.api.base import GROUP, VERSION
from budaiscaler.domain.api.budaiscaler import KIND, PLURAL, ScalerSpec
from budaiscaler.domain.api.status import ScalerStatus

Schema = dict[str, Any]

NAME_LIMIT = 63
"""A scaler's name becomes a label value of what is published, and those end at 63 characters."""

_DROPPED = frozenset({"title", "examples"})


def budaiscaler_crd() -> Schema:
    """Render the whole definition, ready to be written as YAML."""
    definitions = _definitions(ScalerSpec, ScalerStatus)
    spec = structural({"$ref": "#/$defs/ScalerSpec"}, definitions)
    status = structural({"$ref": "#/$defs/ScalerStatus"}, definitions)
    schema = {
        "type": "object",
        "description": "BudAIScaler scales one workload on what its sources tell.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec | {"description": "What is asked for."},
            "status": status | {"description": "What is reported."},
        },
        "x-kubernetes-validations": [
            {
                "rule": f"size(self.metadata.name) <= {NAME_LIMIT}",
                "message": f"metadata.name must have at most {NAME_LIMIT} characters: it "
                "becomes a label value",
            }
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "budaiscaler"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "budaiscaler",
                "shortNames": ["bas"],
                "categories": ["autoscaling"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": list(_columns()),
                }
            ],
        },
    }


def structural(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Rewrite one node of a pydantic schema, and all below it, for a CRD.

    Args:
        node: JSON schema as pydantic emits it.
        definitions: its `$defs`, with rules already attached.
    """
    node = dict(node)
    if "anyOf" in node:
        branches = [branch for branch in node.pop("anyOf") if branch != {"type": "null"}]
        if len(branches) != 1:
            raise ValueError(f"a CRD cannot express this union: {branches}")
        node = {**branches[0], **node}
    if "$ref" in node:
        target = definitions[node.pop("$ref").removeprefix("#/$defs/")]
        node = {**target, **node}  # the description at the place of use wins
    if node.get("default", ...) is None or isinstance(node.get("default"), dict):
        del node["default"]
    if node.get("x-kubernetes-int-or-string"):
        del node["type"]
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if "exclusiveMinimum" in node:
        node["minimum"], node["exclusiveMinimum"] = node["exclusiveMinimum"], True
    _rewrite_children(node, definitions)
    if node.get("type") == "string" and not {"enum", "format", "maxLength"} & node.keys():
        raise ValueError(f"a string without maxLength makes rules too expensive: {node}")
    return {key: value for key, value in sorted(node.items()) if key not in _DROPPED}


def _rewrite_children(node: Schema, definitions: Mapping[str, Schema]) -> None:
    if "properties" in node:
        node["properties"] = {
            name: structural(child, definitions) for name, child in node["properties"].items()
        }
    for key in ("items", "additionalProperties"):  # of a list, of a map
        if key in node:
            node[key] = structural(node[key], definitions)


def _definitions(*models: type[BaseModel]) -> dict[str, Schema]:
    _, top = models_json_schema(
        [(model, "validation") for model in models], by_alias=True, ref_template="#/$defs/{model}"
    )
    definitions: dict[str, Schema] = top["$defs"]
    for schema in definitions.values():
        schema.pop("description", None)  # a class docstring speaks to us, not to users
    for model, rules in validation.BY_TYPE.items():
        carried = [
            {"rule": rule.cel, "message": rule.message} for rule in rules if rule.cel is not None
        ]
        if carried:
            definitions[model.__name__]["x-kubernetes-validations"] = carried
    return definitions


def _columns() -> tuple[Schema, ...]:
    """The original's columns in its order, and what one needs to see why."""

    def column(name: str, kind: str, path: str, description: str, *, wide: bool = False) -> Schema:
        return {
            "name": name,
            "type": kind,
            "jsonPath": path,
            "description": description,
            **({"priority": 1} if wide else {}),
        }

    def condition(kind: str, field: str = "status") -> str:
        return f".status.conditions[?(@.type=='{kind}')].{field}"

    return (
        column("MIN", "integer", ".spec.minReplicas", "Fewest replicas"),
        column("MAX", "integer", ".spec.maxReplicas", "Most replicas"),
        column("REPLICAS", "integer", ".status.actualScale", "Replicas now"),
        column("DESIRED", "integer", ".status.desiredScale", "Replicas wanted"),
        column("STRATEGY", "string", ".spec.scalingStrategy", "Who computes and acts"),
        column("READY", "string", condition("Ready"), "Whether it is evaluated and can scale"),
        column("REASON", "string", condition("Ready", "reason"), "Why"),
        column("TARGET", "string", ".spec.scaleTargetRef.name", "Workload", wide=True),
        column("LOAD", "string", ".status.desiredLoad", "Published load in replicas", wide=True),
        column(
            "BOUND-BY", "string", ".status.boundBy", "Stage that determined the result", wide=True
        ),
        column("ABLE", "string", condition("AbleToScale"), "Whether somebody acts", wide=True),
        column("PAUSED", "string", condition("Paused"), "Whether it is paused", wide=True),
        column("LAST-SCALE", "date", ".status.lastScaleTime", "Time of the last change", wide=True),
        column("AGE", "date", ".metadata.creationTimestamp", "Age"),
    )
