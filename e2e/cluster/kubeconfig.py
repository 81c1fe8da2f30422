"""Writes kubeconfig files: self-contained, so that one can be copied or mounted alone."""

import base64
from pathlib import Path

import yaml

from e2e.cluster import certs


def write(
    path: Path,
    *,
    server: str,
    authority: certs.Authority,
    client: certs.KeyPair | None = None,
    token: str | None = None,
) -> Path:
    """Write a kubeconfig for a client certificate or a token to `path`, and return `path`."""
    user: dict[str, str] = {}
    if client:
        user["client-certificate-data"] = _encoded(client.certificate)
        user["client-key-data"] = _encoded(client.key)
    if token:
        user["token"] = token
    name = path.stem
    cluster = {
        "server": server,
        "certificate-authority-data": _encoded(authority.files.certificate),
    }
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": "e2e", "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": "e2e", "user": name}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
