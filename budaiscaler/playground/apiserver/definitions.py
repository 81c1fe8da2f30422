"""CustomResourceDefinitions: the kinds that they make, and their conditions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import jsonpaths, printing, validating
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Cell, Column, Kind, ScalePaths

STORE = "customresourcedefinitions.apiextensions.k8s.io"


def kinds(definition: Json) -> Iterator[Kind]:
    """One kind for each version that is served; all share their objects."""
    spec = definition["spec"]
    names = spec["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        yield Kind(
            group=spec["group"],
            version=version["name"],
            kind=names["kind"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            store=f"{names['plural']}.{spec['group']}",
            list_kind=names.get("listKind") or f"{names['kind']}List",
            namespaced=spec["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            has_status="status" in subresources,
            scale=_scale(subresources.get("scale")),
            schema=schema,
            columns=_columns(version.get("additionalPrinterColumns")),
            counts_generations=True,
            needs_version=True,
            is_custom=True,
        )


def fill(definition: Json) -> Json:
    """Fill in what a definition left out; it is not changed."""
    spec = definition.get("spec") or {}
    names = dict(spec.get("names") or {})
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    return {**definition, "spec": {"conversion": {"strategy": "None"}, **spec, "names": names}}


def check(definition: Json) -> list[Cause]:
    """What keeps a definition from making kinds."""
    spec, names = definition["spec"], definition["spec"]["names"]
    causes: list[Cause] = []
    wanted = f"{names.get('plural')}.{spec.get('group')}"
    name = definition["metadata"].get("name")
    if name != wanted:
        message = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        causes.append(Cause("FieldValueInvalid", message, "metadata.name"))
    for index, version in enumerate(spec.get("versions") or ()):
        at = f"spec.versions[{index}]"
        causes.extend(_bad_schema(version["schema"]["openAPIV3Schema"], f"{at}.schema"))
        for number, column in enumerate(version.get("additionalPrinterColumns") or ()):
            try:
                jsonpaths.check(column["jsonPath"])
            except ValueError as error:
                field = f"{at}.additionalPrinterColumns[{number}].jsonPath"
                causes.append(Cause("FieldValueInvalid", f"Invalid value: {error}", field))
    return causes


def _bad_schema(schema: Any, path: str) -> Iterator[Cause]:
    """Where a schema is none, so that nothing could be validated by it."""
    if not isinstance(schema, dict):
        yield Cause("FieldValueInvalid", f"Invalid value: {schema!r}: must be a schema", path)
        return
    if schema.get("type", "object") not in validating.TYPES:
        supported = ", ".join(sorted(validating.TYPES))
        message = f"Unsupported value: {schema['type']!r}: supported values: {supported}"
        yield Cause("FieldValueNotSupported", message, f"{path}.type")
    for name in ("required", "enum", "allOf", "anyOf", "oneOf", "x-kubernetes-list-map-keys"):
        if not isinstance(schema.get(name, []), list):
            yield Cause("FieldValueInvalid", "Invalid value: must be a list", f"{path}.{name}")
    inner = schema.get("properties", {})
    if not isinstance(inner, dict):
        yield Cause("FieldValueInvalid", "Invalid value: must be an object", f"{path}.properties")
        return
    for name, one in inner.items():
        yield from _bad_schema(one, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if not isinstance(schema.get(name, True), bool):
            yield from _bad_schema(schema[name], f"{path}.{name}")


def established(definition: Json, now: str) -> Json:
    """The status of a definition whose kinds are served."""
    told = (
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    )
    known = {c["type"]: c for c in (definition.get("status") or {}).get("conditions") or ()}
    return {
        "conditions": [
            known.get(kind)
            or {
                "lastTransitionTime": now,
                "message": message,
                "reason": reason,
                "status": "True",
                "type": kind,
            }
            for kind, reason, message in told
        ],
        "acceptedNames": definition["spec"]["names"],
        "storedVersions": [v["name"] for v in definition["spec"]["versions"] if v.get("storage")],
    }


def _scale(paths: Json | None) -> ScalePaths | None:
    if paths is None:
        return None
    return ScalePaths(
        paths["specReplicasPath"], paths["statusReplicasPath"], paths.get("labelSelectorPath")
    )


def _columns(declared: list[Json] | None) -> tuple[Column, ...]:
    if not declared:
        return (printing.AGE,)
    return tuple(
        Column(
            one["name"],
            _cell(one["jsonPath"], one["type"]),
            one["type"],
            int(one.get("priority", 0)),
            one.get("description")
            or "Custom resource definition column (in JSONPath format): " + one["jsonPath"],
            one.get("format", ""),
        )
        for one in declared
    )


def _cell(path: str, kind: str) -> Cell:
    def cell(body: Json, now: datetime) -> Any:
        value = jsonpaths.first(path, body)
        if value is None:
            return None
        if kind == "date":
            return printing.age(value, now)
        if kind == "string" and isinstance(value, bool):
            return str(value).lower()
        return value if kind in {"integer", "number", "boolean"} else _text(value)

    return cell


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
