"""The user's kubeconfig: where it is, and the namespace that its current context names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

DEFAULT = "default"


def path(given: str | None) -> str:
    """Where it is: as given, else `$KUBECONFIG`, else in the home directory."""
    return given or os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")


def namespace(kubeconfig: str) -> str:
    """Tell the namespace that kubectl would take without `-n`.

    What cannot be read here is told by who connects with it.

    Args:
        kubeconfig: a file, or several with what the system puts between paths.
    """
    contexts: dict[str, Any] = {}
    current = None
    for config in _read(kubeconfig):
        # Of several files the client takes the last current context, and the first of each name.
        current = config.get("current-context", current)
        for one in config.get("contexts") or ():
            contexts.setdefault(one["name"], one.get("context") or {})
    return str(contexts.get(str(current), {}).get("namespace") or DEFAULT)


def _read(kubeconfig: str) -> Iterator[dict[str, Any]]:
    for name in filter(None, kubeconfig.split(os.pathsep)):
        try:
            config = yaml.safe_load(Path(name).expanduser().read_text())
        except (OSError, ValueError, yaml.YAMLError):
            continue
        if isinstance(config, dict):
            yield config
