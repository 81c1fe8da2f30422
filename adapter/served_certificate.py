"""What the endpoint serves, and whom it believes, kept up to date; and our CA, where it belongs.

The certificate may be renewed under us, by another copy or by whoever mounts it, the front proxy's
CA may rotate, and a tool may revert the APIService. Each is looked at again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from adapter.certificates import CertificateSource, OwnCertificate, publish_ca_bundle
from adapter.serving import ServingContext
from adapter.telemetry import Telemetry
from budaiscaler.domain.errors import BudAIScalerError, NotFoundError
from budaiscaler.kube.port import Kube
from budaiscaler.runtime.tls import KeyPair

CA_BUNDLE_EVERY_S = 30.0

_log = structlog.get_logger()


@dataclass(slots=True)
class ServedCertificate:
    """Keeps the TLS endpoint on the newest certificate and the newest CA of the front proxy.

    Attributes:
        source: where the certificate comes from.
        context: what the server listens with.
        wall_clock: aware time.
    """

    source: CertificateSource
    telemetry: Telemetry
    context: ServingContext = field(default_factory=ServingContext)
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _pair: KeyPair | None = None
    _client_ca: str | None = None

    async def refresh(self) -> None:
        """Load the certificate and serve it if it changed."""
        pair = await self.source.load()
        if pair != self._pair:
            self.context.use(pair, self._client_ca)
            self._pair = pair
            self.telemetry.certificate_expires(pair.not_after)

    async def keep(self, interval_s: float) -> None:
        """Refresh until cancelled; what cannot be loaded leaves the last good one in place."""
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.refresh()
            except BudAIScalerError as error:
                _log.error("certificate_not_loaded", error=str(error))

    def trust(self, client_ca: str) -> bool:
        """Believe clients of that CA, and no other, from the next handshake on.

        Returns:
            Whether another CA was believed before.

        Raises:
            ConfigurationError: it is no CA; the one before still counts.
        """
        before = self._client_ca
        if client_ca != before and self._pair is not None:
            self.context.use(self._pair, client_ca)
        self._client_ca = client_ca
        return before not in {None, client_ca}

    def problem(self) -> str | None:
        """What is wrong with the certificate now."""
        if self._pair is None:
            return "not loaded"
        return "expired" if self.wall_clock() > self._pair.not_after else None


async def keep_ca_bundle(
    kube: Kube, api_service: str, *, service: str, namespace: str, own: OwnCertificate
) -> None:
    """Put our CA into the APIService, and put it back when a tool reverts it; until cancelled."""
    while True:
        try:
            await publish_ca_bundle(
                kube, api_service, service=service, namespace=namespace, bundle=own.ca_bundle
            )
        except NotFoundError:
            _log.warning("api_service_missing", api_service=api_service)
        except BudAIScalerError as error:
            _log.error("ca_bundle_not_published", error=str(error))
        await asyncio.sleep(CA_BUNDLE_EVERY_S)
