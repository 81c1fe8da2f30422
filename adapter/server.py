"""Puts the adapter together and runs it: caches, election, certificate, and the endpoint."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

from adapter.app import Readiness, make_app
from adapter.authn import Authenticator, RequestHeader
from adapter.authz import Authorizer
from adapter.certificates import CertificateSource, MountedCertificate, OwnCertificate
from adapter.external_metrics import ExternalMetrics
from adapter.request_header import WatchedRequestHeader
from adapter.served_certificate import ServedCertificate, keep_ca_bundle
from adapter.serving import Server
from adapter.settings import AdapterSettings
from adapter.store import Store
from adapter.telemetry import Telemetry
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.evaluator.scalers import project_scaler
from budaiscaler.evaluator.telemetry import EvaluatorCollector
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.leaders_word import LeadersWord, follow
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.sources.catalogue import Catalogue, catalogue

NAME = "budaiscaler-adapter"
CONTROLLER = "budaiscaler-controller"
"""Lease of the controllers, whose leader vouches for what it decides."""
FIRST_ROUND_S = 30.0
"""Readiness waits no longer for an evaluation: an adapter without any is still wanted."""


def _now() -> datetime:
    return datetime.now(UTC)


async def run(kube: Kube, settings: AdapterSettings) -> None:
    """Serve, and evaluate while leading, until cancelled; then drain.

    Raises:
        ConfigurationError: the serving certificate cannot be had.
    """
    async with catalogue(kube, settings.source_options, settings.playground_clock) as sources:
        await _serve(kube, settings, sources)


async def _serve(kube: Kube, settings: AdapterSettings, sources: Catalogue) -> None:
    clock = settings.playground_clock
    scalers = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    store = Store(clock.wall)
    store.follow(scalers)
    recorder = Recorder(kube, NAME, settings.identity, clock.wall)
    evaluator = Evaluator(
        kube=kube,
        scalers=scalers,
        owns=lambda scaler: scaler.strategy == Strategy.HPA,
        sources=sources.by_type,
        recorder=recorder,
        writer=StatusWriter(kube, NAME, time.monotonic),
        interval_s=settings.evaluation_interval,
        clock=clock.monotonic,
        wall_clock=clock.wall,
        speed=clock.speed,
        least_interval_s=clock.least_interval_s,
        gpu=sources.gpu,
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
            evaluator, lambda: election.leading, lambda: sources.fetches, lambda: sources.flights
        )
    )
    certificate = ServedCertificate(_certificate_source(kube, settings), telemetry)

    def trust(configuration: RequestHeader) -> None:
        if certificate.trust(configuration.client_ca):
            server.close_connections()

    request_header = WatchedRequestHeader(kube, trust)
    grace = timedelta(seconds=settings.publish_grace)

    controllers = LeadersWord()

    def heard(as_of: datetime | None, now: datetime) -> datetime | None:
        # A word says nothing about what we have not heard: our own watch may be broken.
        as_of, behind_s = clock.as_old_as(as_of), scalers.behind_s
        return min(as_of, now - timedelta(seconds=behind_s)) if as_of and behind_s else as_of

    readiness = Readiness()
    app = make_app(
        metrics=ExternalMetrics(
            store,
            leaders_word=lambda now: heard(election.as_of, now),
            controllers_word=lambda now: heard(controllers.as_of, now),
            grace=grace,
            wall_clock=clock.wall,
        ),
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
    async with asyncio.TaskGroup() as group:
        group.create_task(scalers.run())
        group.create_task(request_header.run())
        group.create_task(recorder.run())
        group.create_task(
            follow(
                kube,
                settings.namespace,
                CONTROLLER,
                controllers,
                every_s=settings.lease_retry_period,
            )
        )
        group.create_task(certificate.keep(settings.tls_reload_interval))
        group.create_task(election.run(lambda: evaluator.lead(clock.as_old_as(election.as_of))))
        if isinstance(certificate.source, OwnCertificate) and settings.api_service:
            group.create_task(
                keep_ca_bundle(
                    kube,
                    settings.api_service,
                    service=settings.service_name,
                    namespace=settings.namespace,
                    own=certificate.source,
                )
            )
        # Innermost, so that it drains while all of the above goes on.
        async with server:
            await asyncio.Event().wait()


def _certificate_source(kube: Kube, settings: AdapterSettings) -> CertificateSource:
    if settings.tls_cert_file is not None and settings.tls_private_key_file is not None:
        return MountedCertificate(settings.tls_cert_file, settings.tls_private_key_file)
    host = f"{settings.service_name}.{settings.namespace}"
    names = (f"{host}.svc", f"{host}.svc.cluster.local", host, settings.service_name)
    return OwnCertificate(kube, settings.namespace, settings.tls_secret, names, _now)
