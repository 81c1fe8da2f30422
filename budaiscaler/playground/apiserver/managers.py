"""Field managers: `metadata.managedFields`, and server-side apply.

The rules are those of structured-merge-diff. Applying lays what was sent over the object; what the
same manager applied before and left out now goes, unless somebody else owns it, too. A field that
another manager owns and that would change is a conflict; with force it changes hands. Updates and
patches take what they change from everybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, fieldsets
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.fieldsets import Path
from budaiscaler.playground.apiserver.shapes import Shape

APPLY, UPDATE = "Apply", "Update"

_NOBODYS = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "generateName",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
)
"""Fields of the metadata that the server keeps."""


class Manager(NamedTuple):
    """Who owns fields, and by which kind of write."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager owns, since when."""

    fields: frozenset[Path]
    time: str


Owners = dict[Manager, Owned]


def read(body: Json) -> Owners:
    """Read the owners of an object; entries that are none are left out."""
    owners: Owners = {}
    for entry in body["metadata"].get("managedFields") or ():
        if entry.get("manager") is not None and entry.get("fieldsV1"):
            manager = Manager(
                entry["manager"],
                entry.get("operation", UPDATE),
                entry.get("apiVersion", ""),
                entry.get("subresource", ""),
            )
            owners[manager] = Owned(fieldsets.decode(entry["fieldsV1"]), entry.get("time", ""))
    return owners


def write(owners: Owners) -> list[Json]:
    """Render the owners; who owns nothing is left out."""
    entries: list[Json] = []
    for manager, owned in owners.items():
        if not owned.fields:
            continue
        entry: Json = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": owned.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fieldsets.encode(owned.fields),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    return entries


def strip(body: Json, reset: tuple[str, ...] = ()) -> Json:
    """What of an object can be owned; `reset` names parts that this write cannot change."""
    parts = {k: v for k, v in body.items() if k not in ("apiVersion", "kind", *reset)}
    metadata = parts.pop("metadata", None)
    if metadata and "metadata" not in reset:
        own = {key: value for key, value in metadata.items() if key not in _NOBODYS}
        if own:
            parts["metadata"] = own
    return parts


def after_update(
    owners: Owners, manager: Manager, before: Json, after: Json, shape: Shape, time: str
) -> Owners:
    """Who owns what once a manager has changed an object by an update or a patch."""
    old = fieldsets.leaves(strip(before), shape)
    new = fieldsets.leaves(strip(after), shape)
    old.pop((), None)
    new.pop((), None)
    removed = old.keys() - new.keys()
    changed = frozenset(path for path, value in new.items() if old.get(path, _MISSING) != value)
    if not changed and not removed:
        return owners
    result: Owners = {}
    for other, owned in owners.items():
        lost = removed if other == manager else removed | changed
        kept = owned.fields - lost
        if kept:
            result[other] = owned if kept == owned.fields else Owned(frozenset(kept), owned.time)
    own = result.pop(manager, Owned(frozenset(), time)).fields | changed
    if own:
        result[manager] = Owned(own, time)
    return result


def after_apply(
    owners: Owners,
    manager: Manager,
    live: Json,
    applied: Json,
    shape: Shape,
    *,
    time: str,
    force: bool,
) -> tuple[Json, Owners]:
    """Apply, and tell who owns what then.

    Args:
        owners: before.
        manager: who applies.
        live: the object as it is.
        applied: the part of what was sent that this write may change, without apiVersion and kind.
        shape: how the kind merges.
        time: now.
        force: take from others what they own.

    Raises:
        KubeStatusError: 409, naming the fields and their owners.
    """
    wanted = fieldsets.leaves(applied, shape)
    wanted.pop((), None)
    own = frozenset(wanted)
    current = fieldsets.leaves(strip(live), shape)
    disputed = {
        path: [
            other for other, owned in owners.items() if other != manager and path in owned.fields
        ]
        for path, value in wanted.items()
        if current.get(path, _MISSING) != value
    }
    causes = [
        Cause("FieldManagerConflict", f"conflict with {other}", fieldsets.dotted(path))
        for path, others in sorted(disputed.items())
        for other in others
    ]
    if causes and not force:
        raise failures.apply_conflict(causes)

    merged = fieldsets.combine(live, applied, shape)
    before = owners[manager].fields if manager in owners else frozenset()
    others = {other: owned for other, owned in owners.items() if other != manager}
    merged = _without(merged, before - own, own, others, shape)
    result: Owners = {}
    for other, owned in others.items():
        kept = owned.fields - disputed.keys()
        if kept:
            result[other] = owned if kept == owned.fields else Owned(frozenset(kept), owned.time)
    unchanged = manager in owners and before == own
    result[manager] = owners[manager] if unchanged else Owned(own, time)
    return merged, result


def _without(
    merged: Json,
    given_up: frozenset[Path],
    own: frozenset[Path],
    others: Mapping[Manager, Owned],
    shape: Shape,
) -> Json:
    """Remove what is given up, and what it is in, unless that or something in it is owned.

    What nobody owns goes with what it is in: of a behaviour that is given up, the defaults.
    """
    kept = _within(own).union(*(_within(other.fields) for other in others.values()))
    for path in sorted(_within(given_up) - kept, key=len):
        merged = fieldsets.without(merged, path, shape)
    return merged


def _within(paths: frozenset[Path]) -> set[Path]:
    """The paths, and all that they lie in."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


_MISSING = object()
