"""The verbs on objects, for every kind: synchronous, shared by HTTP and by callers in process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain import times
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import (
    definitions,
    failures,
    managers,
    patches,
    preconditions,
    preparing,
    scaling,
    versions,
)
from budaiscaler.playground.apiserver.collecting import Dependents
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Kind, Kinds
from budaiscaler.playground.apiserver.managers import APPLY, UPDATE, Manager, Owners
from budaiscaler.playground.apiserver.preparing import Options
from budaiscaler.playground.apiserver.shapes import Shape
from budaiscaler.playground.apiserver.store import Key, Store

EVENTS_LAST = timedelta(hours=1)
"""As long as a kube-apiserver keeps Events, by the clock of the objects."""


@dataclass(slots=True)
class Registry:
    """Reads and writes objects.

    Attributes:
        now: the time that objects are stamped with.
    """

    store: Store
    kinds: Kinds
    now: Callable[[], datetime]
    dependents: Dependents = field(init=False)

    def __post_init__(self) -> None:
        self.dependents = Dependents(self.store)

    # Reads.

    def find(self, kind: Kind, namespace: str, name: str) -> Json:
        """Read an object as it is stored.

        Raises:
            KubeStatusError: 404.
        """
        found = self.store.find(Key(kind.store, namespace, name))
        if found is None:
            raise failures.not_found(kind, name)
        return found

    def get(self, kind: Kind, namespace: str, name: str, subresource: str = "") -> Json:
        """Read an object, or its scale."""
        found = self.find(kind, namespace, name)
        return scaling.show(kind, found) if subresource == "scale" else versions.show(kind, found)

    # Writes.

    def create(self, kind: Kind, namespace: str, body: Any, options: Options) -> Json:
        """Create an object."""
        now = self._time()
        new = preparing.new(kind, preparing.read(kind, namespace, body), now)
        new = preparing.complete(kind, new, options)
        key = self._key(kind, new)
        if self.store.find(key) is not None:
            raise failures.already_exists(kind, key.name)
        self._check_namespace(kind, key)
        manager = Manager(options.manager, UPDATE, kind.api_version)
        owners = managers.after_update({}, manager, {}, new, Shape(kind.schema), now)
        return self._created(kind, key, _owned(new, owners), options)

    def update(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Any,
        options: Options,
        subresource: str = "",
    ) -> Json:
        """Replace an object, its status, or its scale."""
        old = self.find(kind, namespace, name)
        if subresource == "scale":
            return self._scale(kind, old, body, options)
        new = preparing.read(kind, namespace, body)
        preparing.check_name(new, name)
        preconditions.check_uid_precondition(kind, old, new)
        if kind.needs_version and not new["metadata"].get("resourceVersion"):
            cause = Cause(
                "FieldValueInvalid",
                "Invalid value: 0: must be specified for an update",
                "metadata.resourceVersion",
            )
            raise failures.invalid(kind, name, [cause])
        return self._replace(kind, old, new, options, subresource)

    def patch(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        patch: Any,
        content_type: str,
        options: Options,
        subresource: str = "",
    ) -> Json:
        """Change an object, its status, or its scale, by any kind of patch.

        A scale cannot be applied: nobody of ours does, and it would own what is no field of it.
        """
        if content_type == patches.APPLY and subresource != "scale":
            return self._apply(kind, namespace, name, patch, options, subresource)
        old = self.find(kind, namespace, name)
        if subresource == "scale":
            scale = patches.apply(scaling.show(kind, old), patch, content_type, Shape())
            return self._scale(kind, old, scale, options)
        patches.check_taken(kind, content_type)
        shown = patches.apply(versions.show(kind, old), patch, content_type, Shape(kind.schema))
        new = preparing.read(kind, namespace, shown)
        options = replace(options, is_patch=True)
        preparing.check_name(new, name)
        if not subresource:
            preconditions.check_uid(kind, old, new)
        return self._replace(kind, old, new, options, subresource)

    def _apply(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        body: Any,
        options: Options,
        subresource: str,
    ) -> Json:
        if not isinstance(body, dict) or not body.get("apiVersion") or not body.get("kind"):
            raise failures.bad_request("apiVersion and kind must be set in what is applied")
        applied = preparing.read(kind, namespace, body)
        if applied["metadata"].get("managedFields"):
            raise failures.bad_request("metadata.managedFields must be nil")
        preparing.check_typed(kind, applied)
        key = Key(kind.store, namespace, name)
        old = self.store.find(key)
        if old is None:
            if subresource or applied["metadata"].get("uid"):
                raise failures.not_found(kind, name)
            return self._apply_new(kind, key, applied, options)
        preparing.check_name(applied, name)
        preconditions.check_version(kind, old, applied)
        if not subresource:
            preconditions.check_uid(kind, old, applied)
        manager = Manager(options.manager, APPLY, kind.api_version, subresource)
        merged, owners = managers.after_apply(
            managers.read(old),
            manager,
            old,
            _part(kind, applied, subresource),
            Shape(kind.schema),
            time=self._time(),
            force=options.force,
        )
        return self._replace(kind, old, merged, options, subresource, owners)

    def _apply_new(self, kind: Kind, key: Key, applied: Json, options: Options) -> Json:
        applied["metadata"]["name"] = key.name
        now = self._time()
        new = preparing.complete(kind, preparing.new(kind, applied, now), options)
        self._check_namespace(kind, key)
        _, owners = managers.after_apply(
            {},
            Manager(options.manager, APPLY, kind.api_version),
            {},
            _part(kind, applied, ""),
            Shape(kind.schema),
            time=now,
            force=True,
        )
        return self._created(kind, key, _owned(new, owners), options)

    def _scale(self, kind: Kind, old: Json, body: Any, options: Options) -> Json:
        wanted = scaling.replicas(kind, old, body)
        version = (body.get("metadata") or {}).get("resourceVersion")
        new = scaling.with_replicas(kind, old, wanted)
        new["metadata"] = {**new["metadata"], "resourceVersion": version}
        preconditions.check_uid_precondition(kind, old, {"metadata": body.get("metadata") or {}})
        self._replace(kind, old, new, options, "scale")
        if options.dry_run:
            return scaling.show(kind, new)
        return self.get(
            kind, old["metadata"].get("namespace", ""), old["metadata"]["name"], "scale"
        )

    def _replace(
        self,
        kind: Kind,
        old: Json,
        new: Json,
        options: Options,
        subresource: str,
        owners: Owners | None = None,
    ) -> Json:
        """Store what a write makes of an object, unless it changes nothing."""
        preconditions.check_version(kind, old, new)
        told = new["metadata"].get("managedFields")
        new = preparing.changed(kind, old, new, subresource)
        new["metadata"] = dict(new["metadata"])
        new = preparing.complete(kind, new, options)
        preparing.generation(kind, old, new)
        if owners is None:
            before = managers.read(old)
            if told is not None and told != old["metadata"].get("managedFields"):
                before = managers.read({"metadata": {"managedFields": told}})
            manager = Manager(options.manager, UPDATE, kind.api_version, subresource)
            shape = Shape(kind.schema)
            owners = managers.after_update(before, manager, old, new, shape, self._time())
        new = _owned(new, owners)
        new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if new == old or options.dry_run:
            return versions.show(kind, new)
        key = self._key(kind, new)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return versions.show(kind, self.remove(kind, key, new))
        stored = self.store.put(key, new)
        self._follow(kind, stored)
        return versions.show(kind, self.store.find(key) or stored)

    def _created(self, kind: Kind, key: Key, new: Json, options: Options) -> Json:
        if options.dry_run:
            return versions.show(kind, new)
        stored = self.store.put(key, new)
        self._follow(kind, stored)
        stored = self.store.find(key) or stored
        if self.dependents.is_abandoned(stored):
            self.remove(kind, key)
        if kind.store == "events":
            self._forget_old_events()
        return versions.show(kind, stored)

    # Deletion.

    def remove(self, kind: Kind, key: Key, last: Json | None = None) -> Json:
        """Remove an object at once, and then what it owned and nobody else does."""
        gone = self.store.remove(key, last)
        if kind.store == definitions.STORE:
            self._withdraw(gone)
        for dependent in self.dependents.abandoned_by(gone["metadata"]["uid"]):
            self.discard(dependent)
        self._finish_namespace(key.namespace)
        return gone

    def discard(self, key: Key) -> Json | None:
        """Delete whatever is stored there; one with finalizers stays until they are gone."""
        found, kind = self.store.find(key), self.kinds.stored_in(key.collection)
        if found is None or kind is None:
            return None
        if not found["metadata"].get("finalizers"):
            return self.remove(kind, key)
        return self.mark_deleted(kind, key)

    def mark_deleted(self, kind: Kind, key: Key) -> Json:
        """Say that an object is to go; whoever has a finalizer on it still has to do something."""
        found = self.find(kind, key.namespace, key.name)
        if found["metadata"].get("deletionTimestamp"):
            return found
        metadata = {
            **found["metadata"],
            "deletionTimestamp": self._time(),
            "deletionGracePeriodSeconds": 0,
        }
        if "generation" in metadata:
            metadata["generation"] += 1
        return self.store.put(key, {**found, "metadata": metadata})

    def _finish_namespace(self, name: str) -> None:
        namespace = self.kinds.find("", "v1", "namespaces")
        key = Key("namespaces", "", name)
        found = self.store.find(key) if name else None
        if namespace is None or found is None or found["status"].get("phase") != "Terminating":
            return
        if not self.contents(name):
            self.remove(namespace, key)

    def contents(self, namespace: str) -> list[Key]:
        """Everything in a namespace."""
        return [
            Key(collection, namespace, body["metadata"]["name"])
            for collection in self.store.collections()
            for body in self.store.objects(collection, namespace)
        ]

    # What else a write brings about.

    def _follow(self, kind: Kind, stored: Json) -> None:
        """Serve the kinds that a definition makes, and say so in its status."""
        if kind.store != definitions.STORE or stored["metadata"].get("deletionTimestamp"):
            return
        spec = stored["spec"]
        self.kinds.remove(spec["group"], spec["names"]["plural"])
        for made in definitions.kinds(stored):
            self.kinds.add(made)
        status = definitions.established(stored, self._time())
        if stored.get("status") != status:
            self.store.put(self._key(kind, stored), {**stored, "status": status})

    def _withdraw(self, definition: Json) -> None:
        spec = definition["spec"]
        collection = f"{spec['names']['plural']}.{spec['group']}"
        for body in self.store.objects(collection):
            metadata = body["metadata"]
            self.discard(Key(collection, metadata.get("namespace", ""), metadata["name"]))
        self.kinds.remove(spec["group"], spec["names"]["plural"])

    def _forget_old_events(self) -> None:
        oldest = times.rfc3339(self.now() - EVENTS_LAST)
        for body in self.store.objects("events"):
            metadata = body["metadata"]
            if metadata["creationTimestamp"] < oldest:
                self.store.remove(Key("events", metadata["namespace"], metadata["name"]))

    # Checks.

    def _check_namespace(self, kind: Kind, key: Key) -> None:
        if not kind.namespaced:
            return
        namespace = self.store.find(Key("namespaces", "", key.namespace))
        if namespace is None:
            raise failures.namespace_not_found(key.namespace)
        if namespace["status"].get("phase") == "Terminating":
            raise failures.forbidden(
                f'{kind.qualified} "{key.name}" is forbidden: unable to create new content in '
                f"namespace {key.namespace} because it is being terminated"
            )

    def _key(self, kind: Kind, body: Json) -> Key:
        namespace = body["metadata"].get("namespace", "") if kind.namespaced else ""
        return Key(kind.store, namespace, body["metadata"]["name"])

    def _time(self) -> str:
        return times.rfc3339(self.now())


def _part(kind: Kind, applied: Json, subresource: str) -> Json:
    """What of an object this kind of apply is about."""
    if subresource == "status":
        return {"status": applied["status"]} if "status" in applied else {}
    return managers.strip(applied, ("status",) if kind.has_status else ())


def _owned(body: Json, owners: Owners) -> Json:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    if written := managers.write(owners):
        metadata["managedFields"] = written
    return {**body, "metadata": metadata}
