"""What a request can fail with, in the words of a kube-apiserver.

Raised as the errors that `Kube` promises, so that a caller in this process sees what one behind
HTTP would; `status` renders them for the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from budaiscaler.domain.errors import KubeStatusError, status_error
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.kinds import Kind


class Cause(NamedTuple):
    """One reason why an object is invalid.

    Attributes:
        reason: `FieldValueRequired`, `FieldValueInvalid`, `FieldValueNotSupported`, ...
        message: what is wrong, without the field.
        field: path of the field, for example `spec.maxReplicas`.
    """

    reason: str
    message: str
    field: str


def _about(kind: Kind, name: str, *, by_kind: bool = False) -> Json:
    about = {"name": name, "kind": kind.kind if by_kind else kind.plural}
    return {**about, "group": kind.group} if kind.group else about


def not_found(kind: Kind, name: str) -> KubeStatusError:
    """No such object."""
    message = f'{kind.qualified} "{name}" not found'
    return status_error(404, "NotFound", message, _about(kind, name))


def namespace_not_found(name: str) -> KubeStatusError:
    """The namespace to create something in does not exist."""
    details = {"name": name, "kind": "namespaces"}
    return status_error(404, "NotFound", f'namespaces "{name}" not found', details)


def no_such_path() -> KubeStatusError:
    """Nobody serves that path."""
    return status_error(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(kind: Kind, name: str) -> KubeStatusError:
    """The name is taken."""
    message = f'{kind.qualified} "{name}" already exists'
    return status_error(409, "AlreadyExists", message, _about(kind, name))


def conflict(kind: Kind, name: str, why: str) -> KubeStatusError:
    """Somebody else was faster, or a precondition does not hold."""
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return status_error(409, "Conflict", message, _about(kind, name))


def modified(kind: Kind, name: str) -> KubeStatusError:
    """The resourceVersion is not the newest."""
    return conflict(
        kind,
        name,
        "the object has been modified; please apply your changes to the latest version and "
        "try again",
    )


def apply_conflict(causes: Sequence[Cause]) -> KubeStatusError:
    """Other field managers own what was applied, and force was not asked for."""
    if len(causes) == 1:
        told = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        owners: dict[str, list[str]] = {}
        for cause in causes:
            owners.setdefault(cause.message, []).append(f"- {cause.field}")
        lists = "\n".join(
            "\n".join([f"conflicts{message.removeprefix('conflict')}:", *fields])
            for message, fields in owners.items()
        )
        told = f"Apply failed with {len(causes)} conflicts: {lists}"
    return status_error(409, "Conflict", told, {"causes": _causes(causes)})


def invalid(kind: Kind, name: str, causes: Sequence[Cause]) -> KubeStatusError:
    """The object breaks its schema."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    listed = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    details = {**_about(kind, name, by_kind=True), "causes": _causes(causes)}
    message = f'{kind.title} "{name}" is invalid: {listed}'
    return status_error(422, "Invalid", message, details)


def bad_request(message: str) -> KubeStatusError:
    """The request makes no sense."""
    return status_error(400, "BadRequest", message)


def no_field_manager() -> KubeStatusError:
    """Who applies has to say who it is."""
    cause = Cause(
        "FieldValueRequired", "Required value: is required for apply patch", "fieldManager"
    )
    message = f'PatchOptions.meta.k8s.io "" is invalid: {cause.field}: {cause.message}'
    details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": _causes([cause])}
    return status_error(422, "Invalid", message, details)


def unprocessable(message: str) -> KubeStatusError:
    """A patch that does not fit the object."""
    text = f"the server rejected our request due to an error in our request: {message}"
    return status_error(422, "Invalid", text, {})


def internal(message: str) -> KubeStatusError:
    """The server cannot make sense of what it has stored."""
    return status_error(500, "InternalError", f"Internal error occurred: {message}")


def expired(message: str) -> KubeStatusError:
    """The version asked for is forgotten."""
    return status_error(410, "Expired", message)


def unauthorized() -> KubeStatusError:
    """No token that is known here."""
    return status_error(401, "Unauthorized", "Unauthorized")


def forbidden(message: str) -> KubeStatusError:
    """What the server itself does not allow."""
    return status_error(403, "Forbidden", message)


def method_not_allowed() -> KubeStatusError:
    """The path exists, but not for that verb."""
    message = "the server does not allow this method on the requested resource"
    return status_error(405, "MethodNotAllowed", message, {})


def unsupported_media_type(got: str, known: Sequence[str]) -> KubeStatusError:
    """The body's content type cannot be read here."""
    message = (
        f"the body of the request was in an unknown format ({got}) - accepted media types "
        f"include: {', '.join(known)}"
    )
    return status_error(415, "UnsupportedMediaType", message)


def unavailable(message: str) -> KubeStatusError:
    """An aggregated API cannot be reached."""
    return status_error(503, "ServiceUnavailable", message)


def of_status(code: int, body: Json) -> KubeStatusError:
    """Read a failure that an aggregated server told."""
    return status_error(code, str(body.get("reason", "")), str(body.get("message", "")))


def status(error: KubeStatusError) -> Json:
    """Render a failure as a `Status`."""
    body: Json = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": str(error),
        "reason": error.reason,
    }
    if error.details is not None:
        body["details"] = dict(error.details)
    return {**body, "code": error.code}


def _causes(causes: Sequence[Cause]) -> list[Json]:
    return [cause._asdict() for cause in causes]
