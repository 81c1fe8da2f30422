"""Puts the adapter together and runs it: caches, election, certificate, and the endpoint."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from adapter.app import Readiness, make_app
from adapter.authn import Authenticator, RequestHeader
from adapter.authz import Authorizer
from adapter.certificates import (
    CertificateSource,
    MountedCertificate,
    OwnCertificate,
    publish_ca_bundle,
)
from adapter.external_metrics import ExternalMetrics
from adapter.request_header import WatchedRequestHeader
from adapter.serving import Server, ServingContext
from adapter.settings import AdapterSettings
from adapter.store import Store
from adapter.telemetry import Telemetry
from budaiscaler.domain.api.budaiscaler import SourceType, Strategy
from budaiscaler.domain.errors import BudAIScalerError, NotFoundError
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.evaluator.scalers import project_scaler
from budaiscaler.evaluator.telemetry import EvaluatorCollector
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.runtime.tls import KeyPair
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.external import ExternalSource
from budaiscaler.sources.http import HttpFetcher
from budaiscaler.sources.prometheus import PrometheusSource

NAME = "budaiscaler-adapter"
FIRST_ROUND_S = 30.0
"""Readiness waits no longer for an evaluation: an adapter without any is still wanted."""
CA_BUNDLE_EVERY_S = 30.0

_log = structlog.get_logger()


def _now() -> datetime:
    return datetime.now(UTC)


async def run(kube: Kube, settings: AdapterSettings) -> None:
    """Serve, and evaluate while leading, until cancelled; then drain.

    Raises:
        ConfigurationError: the serving certificate cannot be had.
    """
    scalers = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    store = Store()
    store.follow(scalers)
    prometheus = PrometheusSource(
        default_endpoint=settings.prometheus_url, deadline_s=settings.source_timeout
    )
    fetcher = HttpFetcher(
        guard=AddressGuard(settings.allow_source_ranges), deadline_s=settings.source_timeout
    )
    external = ExternalSource(fetcher, kube)
    recorder = Recorder(kube, NAME, settings.identity)
    evaluator = Evaluator(
        kube=kube,
        scalers=scalers,
        owns=lambda scaler: scaler.strategy == Strategy.HPA,
        sources={SourceType.PROMETHEUS: prometheus, SourceType.EXTERNAL: external},
        recorder=recorder,
        writer=StatusWriter(kube, NAME, time.monotonic),
        interval_s=settings.evaluation_interval,
    )
    election = Election(
        kube,
        settings.namespace,
        NAME,
        settings.identity,
        timing=LeaseTiming(
            settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period
        ),
        vouches=evaluator.vouches,
    )
    telemetry = Telemetry()
    telemetry.register(
        EvaluatorCollector(
            evaluator, lambda: election.leading, lambda: prometheus.fetches + external.fetches
        )
    )
    certificate = ServedCertificate(_certificate_source(kube, settings), telemetry)

    def trust(configuration: RequestHeader) -> None:
        if certificate.trust(configuration.client_ca):
            server.close_connections()

    request_header = WatchedRequestHeader(kube, trust)
    grace = timedelta(seconds=settings.publish_grace)

    def leaders_word(now: datetime) -> datetime | None:
        # It says nothing about what we have not heard: our own watch may be broken.
        as_of = election.as_of
        return as_of and min(as_of, now - timedelta(seconds=scalers.behind_s))

    readiness = Readiness()
    app = make_app(
        metrics=ExternalMetrics(store, leaders_word, grace, _now),
        authenticator=Authenticator(kube, request_header),
        authorizer=Authorizer(kube),
        readiness=readiness,
        telemetry=telemetry,
    )
    server = Server(
        app,
        certificate.context,
        settings.bind_address,
        settings.secure_port,
        settings.shutdown_delay,
    )
    started_s = time.monotonic()

    def missing_evaluation() -> str | None:
        as_of = election.as_of
        if as_of is not None and _now() - as_of <= grace:
            return None
        if time.monotonic() - started_s > FIRST_ROUND_S:
            return None
        return "no leader has evaluated every scaler yet"

    readiness.add("shutdown", lambda: "draining" if server.draining else None)
    readiness.add("scalers", lambda: None if scalers.synced.is_set() else "not listed yet")
    readiness.add(
        "front-proxy", lambda: None if request_header.current else "its configuration is not read"
    )
    readiness.add("certificate", certificate.problem)
    readiness.add("evaluation", missing_evaluation)

    await certificate.refresh()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(scalers.run())
            group.create_task(request_header.run())
            group.create_task(recorder.run())
            group.create_task(certificate.keep(settings.tls_reload_interval))
            group.create_task(election.run(lambda: evaluator.lead(election.as_of)))
            if isinstance(certificate.source, OwnCertificate) and settings.api_service:
                group.create_task(_keep_ca_bundle(kube, settings, certificate.source))
            # Innermost, so that it drains while all of the above goes on.
            async with server:
                await asyncio.Event().wait()
    finally:
        await prometheus.close()
        await external.close()
        await fetcher.close()


def _certificate_source(kube: Kube, settings: AdapterSettings) -> CertificateSource:
    if settings.tls_cert_file is not None and settings.tls_private_key_file is not None:
        return MountedCertificate(settings.tls_cert_file, settings.tls_private_key_file)
    host = f"{settings.service_name}.{settings.namespace}"
    names = (f"{host}.svc", f"{host}.svc.cluster.local", host, settings.service_name)
    return OwnCertificate(kube, settings.namespace, settings.tls_secret, names, _now)


@dataclass(slots=True)
class ServedCertificate:
    """Keeps the TLS endpoint on the newest certificate and the newest CA of the front proxy.

    Attributes:
        source: where the certificate comes from.
        context: what the server listens with.
    """

    source: CertificateSource
    telemetry: Telemetry
    context: ServingContext = field(default_factory=ServingContext)
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
        return "expired" if _now() > self._pair.not_after else None


async def _keep_ca_bundle(kube: Kube, settings: AdapterSettings, own: OwnCertificate) -> None:
    """Put our CA into the APIService, and put it back when a tool reverts it."""
    while True:
        try:
            await publish_ca_bundle(
                kube,
                settings.api_service,
                service=settings.service_name,
                namespace=settings.namespace,
                bundle=own.ca_bundle,
            )
        except NotFoundError:
            _log.warning("api_service_missing", api_service=settings.api_service)
        except BudAIScalerError as error:
            _log.error("ca_bundle_not_published", error=str(error))
        await asyncio.sleep(CA_BUNDLE_EVERY_S)
