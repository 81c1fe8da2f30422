"""Validation of a custom resource by its schema; CEL rules are not run, see the package."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.failures import Cause

TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and float(value).is_integer(),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def check(value: Any, schema: Json, path: str = "") -> list[Cause]:
    """Compare a value with a schema.

    Returns:
        What is wrong, in the words of a kube-apiserver; empty if nothing is.
    """
    return list(_check(value, schema, path))


def _check(value: Any, schema: Json, path: str) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    if wanted := _violated_type(value, schema):
        yield _wrong_type(value, wanted, path)
        return
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(json.dumps(one) for one in schema["enum"])
        yield Cause(
            "FieldValueNotSupported",
            f"Unsupported value: {json.dumps(value)}: supported values: {supported}",
            path,
        )
    if isinstance(value, dict):
        yield from _object(value, schema, path)
    elif isinstance(value, list):
        yield from _array(value, schema, path)
    elif isinstance(value, str):
        yield from _string(value, schema, path)
    elif _is_number(value):
        yield from _number(value, schema, path)
    for part in schema.get("allOf", ()):
        yield from _check(value, part, path)
    yield from _alternatives(value, schema, path)


def _violated_type(value: Any, schema: Json) -> str:
    """The type that a value should have had; nothing if it has it."""
    if schema.get("x-kubernetes-int-or-string"):
        is_either = isinstance(value, int | str) and not isinstance(value, bool)
        return "" if is_either else "integer,string"
    wanted: str = schema.get("type", "")
    if not wanted or TYPES[wanted](value):
        return ""
    return schema.get("format", wanted) if isinstance(value, float) else wanted


def _alternatives(value: Any, schema: Json, path: str) -> Iterator[Cause]:
    for word, most, how in (
        ("anyOf", len(schema.get("anyOf", ())), "at least one schema"),
        ("oneOf", 1, "one and only one schema"),
    ):
        if word in schema and not 1 <= sum(not check(value, s) for s in schema[word]) <= most:
            yield _invalid(value, path, f"must validate {how} ({word})")
    if "not" in schema and not check(value, schema["not"]):
        yield _invalid(value, path, "must not validate the schema (not)")


def _object(value: Json, schema: Json, path: str) -> Iterator[Cause]:
    for name in schema.get("required", ()):
        if name not in value:
            yield Cause("FieldValueRequired", "Required value", _field(path, name))
    declared, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, inner in value.items():
        if name in declared:
            yield from _check(inner, declared[name], _field(path, name))
        elif isinstance(others, dict):
            yield from _check(inner, others, f"{path}.{name}")
    most, fewest = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield Cause(
            "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path
        )
    if fewest is not None and len(value) < fewest:
        yield _invalid(value, path, f"should have at least {fewest} properties")


def _array(value: list[Any], schema: Json, path: str) -> Iterator[Cause]:
    most, fewest = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield Cause(
            "FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path
        )
    if fewest is not None and len(value) < fewest:
        yield _invalid(value, path, f"should have at least {fewest} items")
    for index, item in enumerate(value):
        yield from _check(item, schema.get("items", {}), f"{path}[{index}]")
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys", ())
    seen: list[Any] = []
    for index, item in enumerate(value):
        if kind not in ("map", "set") or (kind == "map" and not isinstance(item, dict)):
            break
        key = {name: item.get(name) for name in keys} if kind == "map" else item
        if key in seen:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {_json(key)}", f"{path}[{index}]")
        seen.append(key)


def _string(value: str, schema: Json, path: str) -> Iterator[Cause]:
    most, fewest = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path)
    if fewest is not None and len(value) < fewest:
        yield _invalid(value, path, f"should be at least {fewest} chars long")
    if (pattern := schema.get("pattern")) and re.search(pattern, value) is None:
        yield _invalid(value, path, f"should match '{pattern}'")


def _number(value: float, schema: Json, path: str) -> Iterator[Cause]:
    most, fewest = schema.get("maximum"), schema.get("minimum")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        than = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield _invalid(value, path, f"should be {than} {most}")
    if fewest is not None and (
        value <= fewest if schema.get("exclusiveMinimum") else value < fewest
    ):
        than = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield _invalid(value, path, f"should be {than} {fewest}")
    if (step := schema.get("multipleOf")) and value % step:
        yield _invalid(value, path, f"should be a multiple of {step}")


def _wrong_type(value: Any, wanted: str, path: str) -> Cause:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
    found = "null" if value is None else names.get(type(value), "number")
    got = "float64" if isinstance(value, float) else found
    message = f'Invalid value: "{found}": {path} in body must be of type {wanted}: "{got}"'
    return Cause("FieldValueTypeInvalid", message, path)


def _invalid(value: Any, path: str, rule: str) -> Cause:
    shown = _json(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {path} in body {rule}", path)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _field(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
