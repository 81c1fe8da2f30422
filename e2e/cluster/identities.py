"""Who a client of the cluster is: a ServiceAccount, a user, or the API server's front proxy."""

import re
from pathlib import Path
from typing import Final

from e2e.cluster import certs, kubeconfig
from e2e.cluster.control_plane import ControlPlane

TOKEN_LIFETIME: Final = "720h"
"""Servers that were started by hand stay up for days, and read their kubeconfig once."""


def token(cluster: ControlPlane, namespace: str, service_account: str) -> str:
    """Return a fresh token of an existing ServiceAccount, from the TokenRequest API."""
    done = cluster.kubectl.run(
        "create",
        "token",
        service_account,
        f"--namespace={namespace}",
        f"--duration={TOKEN_LIFETIME}",
    )
    return done.stdout.strip()


def service_account(cluster: ControlPlane, namespace: str, name: str) -> Path:
    """Write a kubeconfig for an existing ServiceAccount, with exactly the rights it was given."""
    return kubeconfig.write(
        cluster.layout.kubeconfig(f"{namespace}.{name}"),
        server=cluster.server,
        authority=cluster.pki.cluster_authority,
        token=token(cluster, namespace, name),
    )


def user(cluster: ControlPlane, name: str, groups: tuple[str, ...] = ()) -> Path:
    """Write a kubeconfig for a user, known by a certificate that the cluster's authority signs."""
    file_name = _file_name(name)
    pair = cluster.pki.cluster_authority.issue(
        cluster.pki.directory, file_name, common_name=name, organizations=groups
    )
    return kubeconfig.write(
        cluster.layout.kubeconfig(file_name),
        server=cluster.server,
        authority=cluster.pki.cluster_authority,
        client=pair,
    )


def front_proxy(cluster: ControlPlane) -> certs.KeyPair:
    """Return the certificate that kube-apiserver shows to aggregated API servers."""
    return cluster.pki.pair("front-proxy-client")


def _file_name(user_name: str) -> str:
    """Return a name that is no other certificate's (`ca`, say) and no path."""
    return "user-" + re.sub(r"[^a-z0-9.-]", "_", user_name.lower())
