"""Which object, and which version of it, a write is meant for."""

from __future__ import annotations

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures
from budaiscaler.playground.apiserver.failures import Cause
from budaiscaler.playground.apiserver.kinds import Kind


def check_version(kind: Kind, old: Json, new: Json) -> None:
    """Compare the versions, if the writer named one."""
    known = old["metadata"]["resourceVersion"]
    if new["metadata"].get("resourceVersion") not in (None, "", known):
        raise failures.modified(kind, old["metadata"]["name"])


def check_uid(kind: Kind, old: Json, new: Json) -> None:
    """Refuse a patch that was meant for another object of that name."""
    uid = new["metadata"].get("uid")
    if uid not in (None, "", old["metadata"]["uid"]):
        message = f'Invalid value: "{uid}": field is immutable'
        cause = Cause("FieldValueInvalid", message, "metadata.uid")
        raise failures.invalid(kind, old["metadata"]["name"], [cause])


def check_uid_precondition(kind: Kind, old: Json, new: Json) -> None:
    """Refuse an update that was meant for another object of that name."""
    uid, known = new["metadata"].get("uid"), old["metadata"]["uid"]
    if uid not in (None, "", known):
        raise failures.conflict(
            kind,
            old["metadata"]["name"],
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {known}",
        )
