"""Puts the controller together and runs it: caches, election, work, probes."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry

from budaiscaler.evaluator.acting import Actuator
from budaiscaler.evaluator.cadence import Cadence
from budaiscaler.evaluator.deletion_costs import DeletionCosts
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.evaluator.scalers import project_scaler
from budaiscaler.evaluator.telemetry import EvaluatorCollector
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import BUDAISCALERS, HPAS
from budaiscaler.kube.scales import ScaleReader
from budaiscaler.runtime import probes
from budaiscaler.sources.catalogue import Catalogue, catalogue
from controller import rivals
from controller.hpas import project_hpa
from controller.keeping import FIELD_MANAGER
from controller.other_tools import OtherTools
from controller.reconcile import Reconciler
from controller.settings import ControllerSettings
from controller.telemetry import Figures
from controller.work import ControllerWork

EVALUATOR = "budaiscaler-controller-evaluator"
"""Field manager of what the evaluator here reports."""


async def run(kube: Kube, settings: ControllerSettings) -> None:
    """Reconcile, evaluate and scale while leading, until cancelled."""
    async with catalogue(kube, settings.source_options, settings.playground_clock) as sources:
        await _control(kube, settings, sources)


async def _control(kube: Kube, settings: ControllerSettings, sources: Catalogue) -> None:
    clock = settings.playground_clock
    scalers = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    all_hpas = Cache(kube, HPAS.collection(), project_hpa)
    recorder = Recorder(kube, FIELD_MANAGER, settings.identity, clock.wall)
    reconciler = Reconciler(
        kube=kube,
        scalers=scalers,
        hpas=all_hpas,
        other_tools=OtherTools(kube),
        recorder=recorder,
        writer=StatusWriter(kube, FIELD_MANAGER, time.monotonic),
        wall_clock=clock.wall,
    )
    work = ControllerWork(reconciler, settings.workers, settings.resync_interval, clock.speed)
    evaluator = Evaluator(
        kube=kube,
        scalers=scalers,
        owns=lambda scaler: scaler.strategy in rivals.DIRECT,
        sources=sources.by_type,
        recorder=recorder,
        # Another manager than that of the HPAs: an apply gives up whatever it leaves out.
        writer=StatusWriter(kube, EVALUATOR, time.monotonic),
        interval_s=settings.evaluation_interval,
        clock=clock.monotonic,
        wall_clock=clock.wall,
        speed=clock.speed,
        least_interval_s=clock.least_interval_s,
        kpa=Cadence(settings.kpa_interval, settings.kpa_sample_interval),
        gpu=sources.gpu,
        # Where our time is not that of the servers, their past is none of ours.
        past=sources.prometheus if clock.speed == 1 else None,
        actor=Actuator(ScaleReader(kube), reconciler.refusal, recorder, DeletionCosts(kube)),
    )
    election = Election(
        kube,
        settings.namespace,
        FIELD_MANAGER,
        settings.identity,
        timing=LeaseTiming(
            settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period
        ),
        vouches=evaluator.vouches,
    )

    async def lead() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(work.lead())
            group.create_task(evaluator.lead(clock.as_old_as(election.as_of)))

    registry = CollectorRegistry()
    registry.register(Figures(reconciler))
    registry.register(
        EvaluatorCollector(
            evaluator, lambda: election.leading, lambda: sources.fetches, lambda: sources.flights
        )
    )

    def problem() -> str | None:
        synced = scalers.synced.is_set() and all_hpas.synced.is_set()
        return None if synced else "scalers and HPAs are not listed yet"

    probe_server = probes.serving(settings.bind_address, settings.probe_port, registry, problem)
    async with probe_server, asyncio.TaskGroup() as group:
        group.create_task(scalers.run())
        group.create_task(all_hpas.run())
        group.create_task(recorder.run())
        group.create_task(election.run(lead))
