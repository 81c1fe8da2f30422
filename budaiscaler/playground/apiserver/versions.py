"""One stored object, shown as each kind that shows it; the Events of two groups are the same."""

from __future__ import annotations

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.kinds import Kind

_EVENT_FIELDS = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
"""Fields of a core Event, which is what is stored, and what events.k8s.io calls them."""

_CORE_FIELDS = {new: old for old, new in _EVENT_FIELDS.items()}


def show(kind: Kind, stored: Json) -> Json:
    """Write a stored object as an object of this kind."""
    told = {"apiVersion": kind.api_version, "kind": kind.kind}
    body = _renamed(stored, _EVENT_FIELDS) if kind.group == "events.k8s.io" else stored
    return {**body, **told}


def take(kind: Kind, body: Json) -> Json:
    """Read an object of this kind as it is stored."""
    if kind.group == "events.k8s.io":
        return {**_renamed(body, _CORE_FIELDS), "apiVersion": "v1"}
    return body


def _renamed(body: Json, names: dict[str, str]) -> Json:
    return {names.get(key, key): value for key, value in body.items()}
