"""A Kubernetes API in memory, for the demo and for quick tests.

It does what our servers and kubectl ask for: discovery, OpenAPI, Tables; create, get, list, watch,
update, patch of four kinds, server-side apply with field managers, delete with dependents and
finalizers; status and scale; custom resources, pruned, defaulted and validated by their schemas;
Leases, Events, token and access reviews; and it hands requests over to aggregated APIs as the real
one does.

What it is not: a proof of anything about Kubernetes (ADR 0008), for that there is `e2e`. There is
no etcd: everything is gone with the process. No RBAC: who has a token may do anything. No admission
but that a namespace must exist: no webhooks, no quotas, no CEL rules; scalers that a rule would
refuse are stored here, and our servers then say Ready=False. Of built-in kinds no more is checked
than that their readers do not stumble, and unknown fields stay. Pods are deleted at once, since
there is no kubelet to wait for. One process and one event loop, so all in all it serves a laptop.

    async with EmbeddedApiServer(now=clock, directory=path) as server:
        server.kubeconfig(path / "kubeconfig")
        await server.kube.get("/api/v1/namespaces")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from budaiscaler.playground.apiserver.server import EmbeddedApiServer

__all__ = ["EmbeddedApiServer"]


def __getattr__(name: str) -> Any:
    """Import the server when it is first asked for: most of the command line needs none."""
    if name != "EmbeddedApiServer":
        raise AttributeError(name)
    from budaiscaler.playground.apiserver import server  # noqa: PLC0415 - lazily, see above

    return server.EmbeddedApiServer
