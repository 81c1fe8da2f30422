"""Deletion: preconditions, dependents, finalizers, and namespaces with what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, versions
from budaiscaler.playground.apiserver.collecting import owner_uids
from budaiscaler.playground.apiserver.kinds import Kind
from budaiscaler.playground.apiserver.registry import Registry
from budaiscaler.playground.apiserver.selecting import Selection
from budaiscaler.playground.apiserver.store import Key

IMMORTAL = ("default", "kube-system", "kube-public")


def delete(
    registry: Registry, kind: Kind, namespace: str, name: str, options: Mapping[str, Any]
) -> Json:
    """Delete an object; with finalizers it stays until they are gone.

    Args:
        registry: that it is in.
        kind: of the object.
        namespace: empty for a cluster-scoped one.
        name: of the object.
        options: `metav1.DeleteOptions`.

    Returns:
        A Status, or the object if it stays.

    Raises:
        KubeStatusError: 404; 409 if a precondition does not hold.
    """
    found = registry.find(kind, namespace, name)
    _check(kind, found, options.get("preconditions") or {})
    if options.get("dryRun"):
        return _success(kind, found)
    key = Key(kind.store, namespace, name)
    uid = found["metadata"]["uid"]
    policy = options.get("propagationPolicy") or (
        "Orphan" if options.get("orphanDependents") else "Background"
    )
    if policy == "Orphan":
        for dependent in registry.dependents.of(uid):
            _orphan(registry, dependent, uid)
    elif policy == "Foreground":
        for dependent in registry.dependents.of(uid):
            registry.discard(dependent)
    if kind.store == "namespaces":
        left = _delete_namespace(registry, kind, key)
    else:
        registry.discard(key)
        left = registry.store.find(key)
    return _success(kind, found) if left is None else versions.show(kind, left)


def delete_collection(
    registry: Registry,
    kind: Kind,
    namespace: str | None,
    selection: Selection,
    options: Mapping[str, Any],
) -> Json:
    """Delete whatever is selected."""
    items = [b for b in registry.store.objects(kind.store, namespace) if selection.takes(b)]
    for body in items:
        metadata = body["metadata"]
        where = metadata.get("namespace", "")
        if registry.store.find(Key(kind.store, where, metadata["name"])) is not None:
            delete(registry, kind, where, metadata["name"], options)
    return {
        "kind": kind.list_kind,
        "apiVersion": kind.api_version,
        "metadata": {"resourceVersion": str(registry.store.version)},
        "items": [versions.show(kind, body) for body in items],
    }


def _check(kind: Kind, found: Json, preconditions: Json) -> None:
    metadata = found["metadata"]
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted = preconditions.get(field)
        if wanted not in (None, metadata[field]):
            raise failures.conflict(
                kind,
                metadata["name"],
                f"the {label} in the precondition ({wanted}) does not match the {label} in record "
                f"({metadata[field]}). The object might have been deleted and then recreated",
            )


def _orphan(registry: Registry, key: Key, uid: str) -> None:
    found = registry.store.find(key)
    if found is None or uid not in owner_uids(found):
        return
    kept = [one for one in found["metadata"]["ownerReferences"] if one["uid"] != uid]
    metadata = {k: v for k, v in found["metadata"].items() if k != "ownerReferences"}
    if kept:
        metadata["ownerReferences"] = kept
    registry.store.put(key, {**found, "metadata": metadata})


def _delete_namespace(registry: Registry, kind: Kind, key: Key) -> Json | None:
    if key.name in IMMORTAL:
        raise failures.forbidden(
            f'namespaces "{key.name}" is forbidden: this namespace may not be deleted'
        )
    marked = registry.mark_deleted(kind, key)
    marked = registry.store.put(key, {**marked, "status": {"phase": "Terminating"}})
    for inner in registry.contents(key.name):
        registry.discard(inner)
    if registry.store.find(key) is not None and not registry.contents(key.name):
        registry.remove(kind, key)
    return registry.store.find(key)


def _success(kind: Kind, found: Json) -> Json:
    details = {"name": found["metadata"]["name"], "kind": kind.plural}
    if kind.group:
        details["group"] = kind.group
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {**details, "uid": found["metadata"]["uid"]},
    }
