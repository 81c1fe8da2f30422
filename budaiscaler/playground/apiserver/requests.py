"""A request, and what its path names; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote

import yaml

from adapter.identity import User
from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver import failures, protobuf

_SUBRESOURCES_OF_NAMESPACES = ("status", "finalize")
_KNOWN = ("application/json", "application/yaml")
_YAML = ("application/yaml", "application/apply-patch+yaml")


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for.

    Attributes:
        query: the last of each parameter.
        raw: the body as it came.
        user: who asks.
        agent: the client's User-Agent; its first word names the field manager that names none.
    """

    method: str
    path: str
    query: Mapping[str, str]
    user: User
    raw: bytes = b""
    content_type: str = "application/json"
    accept: str = ""
    agent: str = "unknown"

    def document(self) -> Any:
        """The body as it was meant.

        Raises:
            KubeStatusError: 400, it cannot be read.
        """
        if not self.raw:
            return None
        if self.content_type == protobuf.MEDIA_TYPE:
            return self._protobuf()
        try:
            return json.loads(self.raw)
        except ValueError as error:
            if self.content_type not in _YAML:
                raise failures.bad_request(f"the body is no JSON: {error}") from error
        try:
            return yaml.load(self.raw, Loader=yaml.CSafeLoader)
        except yaml.YAMLError as error:
            raise failures.bad_request(f"the body is no YAML: {error}") from error

    def _protobuf(self) -> Json:
        try:
            return protobuf.decode(self.raw)
        except ValueError as error:
            raise failures.unsupported_media_type(
                f"{self.content_type}: {error}", _KNOWN
            ) from error

    def flag(self, name: str) -> bool:
        """Read a boolean parameter; as Kubernetes does, whatever is not false is true."""
        return self.query.get(name, "false").lower() not in {"false", "0"}


class Route(NamedTuple):
    """What a path below `/api/<version>` or `/apis/<group>/<version>` names.

    Attributes:
        plural: empty for the version itself.
        namespace: None names none: all of them, or a cluster-scoped object.
    """

    group: str
    version: str
    namespace: str | None = None
    plural: str = ""
    name: str = ""
    subresource: str = ""


def route(path: str) -> Route | None:
    """Read a path; None for one of another form."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 1:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 2:  # noqa: PLR2004 - group and version
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace: str | None = None
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in _SUBRESOURCES_OF_NAMESPACES:  # noqa: PLR2004 - at least a kind in a namespace
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:  # noqa: PLR2004 - kind, name and subresource
        return None
    plural, name, subresource = (*rest, "", "", "")[:3]
    return Route(group, version, namespace, plural, name, subresource)
