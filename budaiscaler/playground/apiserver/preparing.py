"""What an object goes through before it is stored: metadata, pruning, defaults, checks; pure."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import (
    defaults,
    definitions,
    failures,
    forms,
    structural,
    validating,
    versions,
)
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Kind

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_RBAC_NAME = re.compile(r"[^/%]+")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_EMPTY: tuple[Any, ...] = (None, "", {}, [])
_FORMS: dict[str, type] = {
    **dict.fromkeys(("name", "generateName", "namespace", "uid", "resourceVersion"), str),
    **dict.fromkeys(("labels", "annotations"), dict),
    **dict.fromkeys(("finalizers", "ownerReferences", "managedFields"), list),
}
_NAMES: dict[type, str] = {str: "text", dict: "object", list: "list"}
MAX_NAME = 253
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
"""As Kubernetes makes names: without vowels, so that no words come out."""

_SERVERS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
"""Metadata that a write cannot change."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to write.

    Attributes:
        manager: who writes, for the field managers.
        force: of server-side apply: take what others own.
        validation: `Strict`, `Warn` or `Ignore`: what an unknown field is.
        is_patch: whether what is wrong is said to be the patch's fault.
        dry_run: say what would come out, and store nothing.
        warnings: what the writer should know, filled on the way.
    """

    manager: str = "unknown"
    force: bool = False
    validation: str = "Ignore"
    is_patch: bool = False
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)


def read(kind: Kind, namespace: str, body: Any) -> Json:
    """Check that what was sent is an object of this kind, for this namespace.

    Raises:
        KubeStatusError: 400, it is not.
    """
    if not isinstance(body, dict):
        raise failures.bad_request("the body is no object")
    metadata = body.get("metadata")
    _check_metadata(metadata)
    told, said = body.get("apiVersion"), body.get("kind")
    if told not in (None, kind.api_version):
        raise failures.bad_request(
            f"the API version in the data ({told}) does not match the expected API version "
            f"({kind.api_version})"
        )
    if said not in (None, kind.kind) and kind.is_custom:
        cause = Cause("FieldValueInvalid", f'Invalid value: "{said}": must be {kind.kind}', "kind")
        raise failures.invalid(kind, str((metadata or {}).get("name", "")), [cause])
    if said not in (None, kind.kind):
        raise failures.bad_request(
            f"{said} in version {kind.version!r} cannot be handled as a {kind.kind}"
        )
    metadata = dict(metadata or {})
    if kind.namespaced and namespace:
        if metadata.get("namespace") not in (None, "", namespace):
            raise failures.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        metadata["namespace"] = namespace
    whole = {**body, "apiVersion": kind.api_version, "kind": kind.kind}
    # What is empty is left out, of the metadata of every kind.
    whole["metadata"] = {key: value for key, value in metadata.items() if value not in _EMPTY}
    return versions.take(kind, whole)


def _check_metadata(metadata: Any) -> None:
    """Refuse metadata of another form; without it every reader would have to look twice."""
    if metadata is not None and not isinstance(metadata, dict):
        raise failures.bad_request("metadata is no object")
    for name, value in (metadata or {}).items():
        wanted = _FORMS.get(name, object)
        if value is not None and not isinstance(value, wanted):
            raise failures.bad_request(f"metadata.{name} is no {_NAMES[wanted]}")
    for owner in (metadata or {}).get("ownerReferences") or ():
        if not isinstance(owner, dict) or not isinstance(owner.get("uid"), str):
            raise failures.bad_request("an entry of metadata.ownerReferences has no uid")
    for entry in (metadata or {}).get("managedFields") or ():
        if not isinstance(entry, dict) or not isinstance(entry.get("fieldsV1") or {}, dict):
            raise failures.bad_request("an entry of metadata.managedFields is none")


def new(kind: Kind, body: Json, now: str) -> Json:
    """Give a new object what the server gives it: name, uid, times, generation.

    Raises:
        KubeStatusError: 400 or 422.
    """
    metadata = body["metadata"]
    if metadata.get("resourceVersion"):
        raise failures.bad_request("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and (prefix := metadata.get("generateName")):
        metadata["name"] = prefix + "".join(secrets.choice(_SUFFIX) for _ in range(5))
    name = metadata.get("name")
    if not name:
        cause = Cause(
            "FieldValueRequired",
            "Required value: name or generateName is required",
            "metadata.name",
        )
        raise failures.invalid(kind, "", [cause])
    legal = _RBAC_NAME if kind.group == "rbac.authorization.k8s.io" else _NAME
    if len(name) > MAX_NAME or not legal.fullmatch(name):
        message = (
            f'Invalid value: "{name}": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character"
        )
        raise failures.invalid(kind, name, [Cause("FieldValueInvalid", message, "metadata.name")])
    for key in ("resourceVersion", "selfLink", "managedFields", *_SERVERS):
        metadata.pop(key, None)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": now}
    if kind.counts_generations:
        metadata["generation"] = 1
    else:
        metadata.pop("generation", None)
    if kind.has_status:
        body.pop("status", None)
    return body


def changed(kind: Kind, old: Json, new: Json, subresource: str) -> Json:
    """Let a write change what it may: not the status by the object, nor the reverse."""
    if subresource == "status":
        body = {key: value for key, value in old.items() if key != "status"}
        if new.get("status") is not None:
            body["status"] = new["status"]
        return body
    body = dict(new)
    if kind.has_status:
        body.pop("status", None)
        if "status" in old:
            body["status"] = old["status"]
    kept = {key: old["metadata"][key] for key in _SERVERS if key in old["metadata"]}
    metadata = {k: v for k, v in new["metadata"].items() if k not in (*_SERVERS, "selfLink")}
    body["metadata"] = {**metadata, **kept, "name": old["metadata"]["name"]}
    return body


def generation(kind: Kind, old: Json, new: Json) -> None:
    """Count up the generation of `new` if what is asked for changed."""
    if not kind.counts_generations:
        new["metadata"].pop("generation", None)
        return
    ignored = {"metadata", "apiVersion", "kind", *(("status",) if kind.has_status else ())}
    before = {key: value for key, value in old.items() if key not in ignored}
    after = {key: value for key, value in new.items() if key not in ignored}
    generation = int(old["metadata"].get("generation", 1))
    new["metadata"]["generation"] = generation + (before != after)


def complete(kind: Kind, body: Json, options: Options) -> Json:
    """Prune, fill in defaults, and validate.

    Raises:
        KubeStatusError: 400 for unknown fields where they are refused, 422 if it is invalid.
    """
    if kind.schema is not None:
        body, unknown = structural.prune(body, kind.schema)
        _tell(kind, unknown, options)
        body = structural.default(body, kind.schema)
        causes = validating.check(body, kind.schema)
    else:
        body, causes = _completed(kind, body)
    causes += _bad_labels(body["metadata"])
    if causes:
        raise failures.invalid(kind, body["metadata"]["name"], causes)
    return body


def _completed(kind: Kind, body: Json) -> tuple[Json, list[Cause]]:
    """Fill in what a built-in kind lacks, and say what it must have and has not."""
    causes = forms.check(kind.store, body)
    if causes:
        return body, causes
    try:
        if kind.store == definitions.STORE:
            body = definitions.fill(body)
            return body, definitions.check(body)
        return defaults.fill(kind.store, body), []
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Nothing here knows the types of built-in kinds; this one was met by who reads them.
        raise failures.bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
        ) from error


def _tell(kind: Kind, unknown: list[str], options: Options) -> None:
    if not unknown or options.validation == "Ignore":
        return
    told = [f'unknown field "{path}"' for path in unknown]
    if options.validation != "Strict":
        options.warnings.extend(told)
        return
    error = f"strict decoding error: {', '.join(told)}"
    if options.is_patch:
        raise failures.unprocessable(f'patch: Invalid value: "...": {error}')
    raise failures.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
    )


def check_name(body: Json, name: str) -> None:
    """Refuse an object that is not the one that the path names.

    Raises:
        KubeStatusError: 400.
    """
    told = body["metadata"].get("name", name)
    if told != name:
        raise failures.bad_request(
            f"the name of the object ({told}) does not match the name on the URL ({name})"
        )


def check_typed(kind: Kind, applied: Json) -> None:
    """Refuse to apply what the schema has no field for, or another type, as the real one does.

    Raises:
        KubeStatusError: 500.
    """
    if kind.schema is None:
        return
    _, unknown = structural.prune(applied, kind.schema)
    wrong = [f".{path}: field not declared in schema" for path in unknown]
    for cause in validating.check(applied, kind.schema):
        if cause.reason == "FieldValueTypeInvalid":
            wanted = cause.message.rpartition("must be of type ")[2].replace(": ", ", got ")
            wrong.append(f".{cause.field}: expected {wanted}")
    if wrong:
        raise failures.internal(f"failed to create typed patch object: {'; '.join(wrong)}")


def _bad_labels(metadata: Mapping[str, Any]) -> list[Cause]:
    """What Kubernetes does not take as a label; a number among them is a common slip in YAML."""
    bad = [
        Cause(
            "FieldValueInvalid",
            f"Invalid value: {json.dumps(value)}: a valid label must be an empty string or consist "
            "of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character",
            "metadata.labels",
        )
        for value in (metadata.get("labels") or {}).values()
        if isinstance(value, str) and not _LABEL.fullmatch(value)
    ]
    return bad + _no_texts(metadata)


def _no_texts(metadata: Mapping[str, Any]) -> list[Cause]:
    return [
        Cause(
            "FieldValueInvalid",
            f"Invalid value: {value!r}: must be a string",
            f"metadata.{part}.{key}",
        )
        for part in ("labels", "annotations")
        for key, value in (metadata.get(part) or {}).items()
        if not isinstance(value, str)
    ]
