"""What a new cluster has from the start."""

from __future__ import annotations

import json

from budaiscaler.kube.port import Json
from budaiscaler.playground.apiserver.kinds import Kind
from budaiscaler.playground.apiserver.preparing import Options
from budaiscaler.playground.apiserver.registry import Registry

FRONT_PROXY = "front-proxy-client"
_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


def fill(registry: Registry, *, client_ca: bytes, front_proxy_ca: bytes) -> None:
    """Make the namespaces, and tell aggregated servers whom to believe."""
    for name in _NAMESPACES:
        _create(registry, "namespaces", {"metadata": {"name": name}})
    data = {
        "client-ca-file": client_ca.decode(),
        "requestheader-client-ca-file": front_proxy_ca.decode(),
        "requestheader-allowed-names": json.dumps([FRONT_PROXY]),
        "requestheader-extra-headers-prefix": json.dumps(["X-Remote-Extra-"]),
        "requestheader-group-headers": json.dumps(["X-Remote-Group"]),
        "requestheader-uid-headers": json.dumps(["X-Remote-Uid"]),
        "requestheader-username-headers": json.dumps(["X-Remote-User"]),
    }
    name = "extension-apiserver-authentication"
    _create(registry, "configmaps", {"metadata": {"name": name}, "data": data}, "kube-system")


def _create(registry: Registry, plural: str, body: Json, namespace: str = "") -> None:
    kind: Kind = registry.kinds.by_route["", "v1", plural]
    registry.create(kind, namespace, body, Options(manager="kube-apiserver"))
