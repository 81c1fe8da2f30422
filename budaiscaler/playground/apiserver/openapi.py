"""OpenAPI v3: enough for `kubectl explain` and for kubectl to see what the server checks itself.

Custom resources are described by their schemas. Of built-in kinds only the outline is: kubectl has
their types compiled in. No strategic merge patch is announced, so that it uses those.
"""

from __future__ import annotations

import hashlib
import json

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.kinds import Kind, Kinds

V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""The form in which clients read `/openapi/v2`; an empty body is an empty document of it."""

_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_ANY: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_TEXTS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
_OBJECT_META: Json = {
    "type": "object",
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "properties": {
        "name": {"type": "string", "description": "Unique within a namespace."},
        "generateName": {"type": "string", "description": "Prefix of a name that is made up."},
        "namespace": {"type": "string", "description": "The space in which the name is unique."},
        "labels": {**_TEXTS, "description": "Texts to select objects by."},
        "annotations": {**_TEXTS, "description": "Texts that are not selected by."},
        "uid": {"type": "string", "description": "Unique in time and space. Set by the server."},
        "resourceVersion": {"type": "string", "description": "Version of the object, opaque."},
        "generation": {"type": "integer", "format": "int64", "description": "Counts changes."},
        "creationTimestamp": {"type": "string", "format": "date-time", "description": "When made."},
        "deletionTimestamp": {"type": "string", "format": "date-time", "description": "To go."},
        "finalizers": {"type": "array", "items": {"type": "string"}, "description": "Who waits."},
        "ownerReferences": {"type": "array", "items": _ANY, "description": "Who owns it."},
        "managedFields": {"type": "array", "items": _ANY, "description": "Who owns which field."},
    },
}
_WRITES = ("dryRun", "fieldManager", "fieldValidation")


def index(kinds: Kinds) -> Json:
    """`/openapi/v3`: where each version is described, with a hash of it."""
    paths = {}
    for group, versions in kinds.groups().items():
        for version in versions:
            path = f"apis/{group}/{version}" if group else f"api/{version}"
            body = json.dumps(document(kinds, group, version) or {}, sort_keys=True)
            digest = hashlib.sha256(body.encode()).hexdigest()[:32].upper()
            paths[path] = {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
    return {"paths": paths}


def document(kinds: Kinds, group: str, version: str) -> Json | None:
    """The description of one version; None if it is not served."""
    found = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not found:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": {path: item for kind in found for path, item in _paths(kind).items()},
        "components": {
            "schemas": {_META: _OBJECT_META, **{_name(kind): _schema(kind) for kind in found}}
        },
    }


def _name(kind: Kind) -> str:
    if not kind.is_custom:
        group = kind.group.removesuffix(".k8s.io").partition(".")[0] or "core"
        return f"io.k8s.api.{group}.{kind.version}.{kind.kind}"
    reverse = ".".join(reversed(kind.group.split(".")))
    return f"{reverse}.{kind.version}.{kind.kind}"


def _gvk(kind: Kind) -> Json:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(kind: Kind) -> Json:
    schema: Json = dict(kind.schema) if kind.schema is not None else {"type": "object"}
    properties = dict(schema.get("properties", {}))
    if kind.schema is None:
        properties |= {"spec": _ANY, "status": _ANY}
    text = {"type": "string"}
    properties |= {
        "apiVersion": {**text, "description": "Version of the schema of this object."},
        "kind": {**text, "description": "What this object is."},
        "metadata": {
            "description": "Standard object's metadata.",
            "allOf": [{"$ref": f"#/components/schemas/{_META}"}],
        },
    }
    return {
        **schema,
        "properties": properties,
        "x-kubernetes-group-version-kind": [_gvk(kind)],
    }


def _paths(kind: Kind) -> Json:
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    scope = "/namespaces/{namespace}" if kind.namespaced else ""
    collection = f"{root}{scope}/{kind.plural}"
    if "get" not in kind.verbs:
        return {collection: {"post": _operation(kind, "post", _WRITES)}}
    return {
        collection: {
            "get": _operation(kind, "list", ()),
            "post": _operation(kind, "post", _WRITES),
        },
        f"{collection}/{{name}}": {
            "get": _operation(kind, "get", ()),
            "put": _operation(kind, "put", _WRITES),
            "patch": _operation(kind, "patch", (*_WRITES, "force")),
            "delete": _operation(kind, "delete", ("dryRun",)),
        },
    }


def _operation(kind: Kind, action: str, parameters: tuple[str, ...]) -> Json:
    answer = {"schema": {"$ref": f"#/components/schemas/{_name(kind)}"}}
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in parameters
        ],
        "responses": {"200": {"description": "OK", "content": {"application/json": answer}}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": _gvk(kind),
    }
