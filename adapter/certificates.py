"""Where the serving certificate comes from: mounted files, or a Secret that we fill ourselves.

In the Secret lie a CA and a leaf, the same for every copy, so one published bundle verifies them
all. Whichever copy comes first makes it; the API server's versions decide between two. A leaf is
renewed at two thirds of its life under the same CA, so the bundle stays.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from budaiscaler.domain.errors import ConfigurationError, ConflictError, KubeError, NotFoundError
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import API_SERVICES, SECRETS
from budaiscaler.runtime import tls
from budaiscaler.runtime.tls import KeyPair

_CA_CERTIFICATE, _CA_KEY = "ca.crt", "ca.key"
_CERTIFICATE, _KEY = "tls.crt", "tls.key"
_ATTEMPTS = 5

_log = structlog.get_logger()


class CertificateSource(Protocol):
    """Gives the certificate to serve now."""

    async def load(self) -> KeyPair:
        """Read it, making or renewing it where that is ours to do.

        Raises:
            ConfigurationError: it cannot be had.
            KubeError: the API server did not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class MountedCertificate:
    """Files that somebody else renews, cert-manager for example."""

    certificate_file: Path
    key_file: Path

    async def load(self) -> KeyPair:
        """Read both files, as they are now."""
        try:
            return await asyncio.to_thread(
                lambda: KeyPair(self.certificate_file.read_bytes(), self.key_file.read_bytes())
            )
        except OSError as error:
            raise ConfigurationError(
                f"the serving certificate cannot be read: {error}; "
                "check --tls-cert-file and --tls-private-key-file"
            ) from error


@dataclass(slots=True)
class OwnCertificate:
    """A CA and a leaf of our own in a Secret.

    Attributes:
        dns_names: of the Service; kube-apiserver verifies `<service>.<namespace>.svc`.
        ca_bundle: of the last load, PEM; what the APIService must carry.
    """

    kube: Kube
    namespace: str
    secret: str
    dns_names: Sequence[str]
    wall_clock: Callable[[], datetime]
    ca_bundle: bytes = b""

    async def load(self) -> KeyPair:
        """Read the Secret; make it, or renew the leaf in it, when that is due."""
        for _ in range(_ATTEMPTS):
            try:
                return await self._load()
            except ConflictError:
                continue  # another copy was faster; read what it wrote
        raise KubeError(f"the Secret {self.secret} keeps changing under us")

    async def _load(self) -> KeyPair:
        path = SECRETS.item(self.namespace, self.secret)
        try:
            secret = await self.kube.get(path)
        except NotFoundError:
            secret = await self.kube.create(SECRETS.collection(self.namespace), self._made())
        try:
            ca, known = _read(secret)
            leaf = self._up_to_date(ca, known)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"the Secret {self.namespace}/{self.secret} cannot be used ({error!r}): delete it "
                "and it is made again, or mount your own certificate with --tls-cert-file"
            ) from error
        if leaf is not known:
            _log.info("serving_certificate_renewed", until=str(leaf.not_after))
            await self.kube.update(path, {**secret, "data": _data(ca, leaf)})
        self.ca_bundle = ca.certificate
        return leaf

    def _up_to_date(self, ca: KeyPair, leaf: KeyPair) -> KeyPair:
        """Renew the leaf when that is due, or when it lacks a name that we are called by.

        Names it has stay: during an upgrade that renames the Service both are asked for.
        """
        now = self.wall_clock()
        if not leaf.is_due(now) and leaf.dns_names.issuperset(self.dns_names):
            return leaf
        others = sorted(leaf.dns_names.difference(self.dns_names))
        return tls.issue_leaf(ca, (*self.dns_names, *others), now)

    def _made(self) -> Json:
        now = self.wall_clock()
        ca = tls.make_ca("budaiscaler-adapter-ca", now)
        leaf = tls.issue_leaf(ca, self.dns_names, now)
        _log.info("serving_certificate_made", until=str(leaf.not_after))
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {"name": self.secret, "namespace": self.namespace},
            "data": _data(ca, leaf),
        }


async def publish_ca_bundle(
    kube: Kube, api_service: str, *, service: str, namespace: str, bundle: bytes
) -> bool:
    """Put `bundle` into our APIService if another stands there; True when it was changed.

    Raises:
        ConfigurationError: the APIService leads to another's Service; with our CA in it, that
            server's metrics would be lost to the whole cluster.
        KubeError: it could not be read or written.
    """
    path = API_SERVICES.item(None, api_service)
    wanted = base64.b64encode(bundle).decode()
    spec = (await kube.get(path)).get("spec", {})
    leads_to = spec.get("service") or {}
    if (leads_to.get("namespace"), leads_to.get("name")) != (namespace, service):
        raise ConfigurationError(
            f"APIService {api_service} leads to Service "
            f"{leads_to.get('namespace')}/{leads_to.get('name')}, not to {namespace}/{service}: "
            "only one server can have this API in a cluster; uninstall the other, or apply our "
            "APIService over it"
        )
    if spec.get("caBundle") == wanted and not spec.get("insecureSkipTLSVerify"):
        return False
    change = {"spec": {"caBundle": wanted, "insecureSkipTLSVerify": None}}
    await kube.patch(path, change, PatchType.MERGE)
    _log.info("ca_bundle_published", api_service=api_service)
    return True


def _read(secret: Json) -> tuple[KeyPair, KeyPair]:
    data = {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}
    return (
        KeyPair(data[_CA_CERTIFICATE], data[_CA_KEY]),
        KeyPair(data[_CERTIFICATE], data[_KEY]),
    )


def _data(ca: KeyPair, leaf: KeyPair) -> dict[str, str]:
    raw = {
        _CA_CERTIFICATE: ca.certificate,
        _CA_KEY: ca.key,
        _CERTIFICATE: leaf.certificate,
        _KEY: leaf.key,
    }
    return {key: base64.b64encode(value).decode() for key, value in raw.items()}
