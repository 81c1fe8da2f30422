"""Puts the controller together and runs it: caches, election, and the queue of scalers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Kube
from budaiscaler.kube.resources import BUDAISCALERS, HPAS
from budaiscaler.kube.workqueue import WorkQueue
from budaiscaler.runtime import probes
from controller import hpas
from controller.hpas import Hpa, project_hpa
from controller.reconcile import FIELD_MANAGER, Reconciler
from controller.scaled_objects import ScaledObjects
from controller.settings import ControllerSettings


async def run(kube: Kube, settings: ControllerSettings) -> None:
    """Reconcile while leading, until cancelled."""
    scalers = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    all_hpas = Cache(kube, HPAS.collection(), project_hpa)
    recorder = Recorder(kube, FIELD_MANAGER, settings.identity)
    reconciler = Reconciler(
        kube=kube,
        scalers=scalers,
        hpas=all_hpas,
        scaled_objects=ScaledObjects(kube),
        recorder=recorder,
        writer=StatusWriter(kube, FIELD_MANAGER, time.monotonic),
        wall_clock=lambda: datetime.now(UTC),
    )
    work = ControllerWork(reconciler, settings.workers, settings.resync_interval)
    election = Election(
        kube,
        settings.namespace,
        FIELD_MANAGER,
        settings.identity,
        timing=LeaseTiming(
            settings.lease_duration, settings.lease_renew_deadline, settings.lease_retry_period
        ),
    )
    registry = CollectorRegistry()
    registry.register(_Figures(reconciler, election))

    def problem() -> str | None:
        synced = scalers.synced.is_set() and all_hpas.synced.is_set()
        return None if synced else "scalers and HPAs are not listed yet"

    probe_server = probes.serving(settings.bind_address, settings.probe_port, registry, problem)
    async with probe_server, asyncio.TaskGroup() as group:
        group.create_task(scalers.run())
        group.create_task(all_hpas.run())
        group.create_task(recorder.run())
        group.create_task(election.run(work.lead))


@dataclass(slots=True)
class ControllerWork:
    """What the leader does: works through the scalers that something happened to."""

    reconciler: Reconciler
    workers: int
    resync_s: float
    _queue: WorkQueue[Key] = field(init=False)

    async def lead(self) -> None:
        """Reconcile until cancelled."""
        self._queue = WorkQueue(self._reconcile)
        scalers, all_hpas = self.reconciler.scalers, self.reconciler.hpas
        await scalers.synced.wait()
        await all_hpas.synced.wait()
        ends = (scalers.subscribe(self._on_scaler), all_hpas.subscribe(self._on_hpa))
        try:
            await self._queue.run(self.workers)
        finally:
            for end in ends:
                end()

    async def _reconcile(self, key: Key) -> None:
        await self.reconciler.reconcile(key)
        if key in self.reconciler.scalers.objects:
            # Watches tell of everything but what other tools do without an HPA.
            delay_s = self.resync_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            self._queue.add_after(key, delay_s)
        else:
            self._queue.forget(key)

    def _on_scaler(self, key: Key, old: Scaler | None, new: Scaler | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self.reconciler.forget(old.uid)
        if old is None or new is None or _asked(old) != _asked(new):
            self._queue.add(key)
            self._add_rivals(key, old, new)

    def _add_rivals(self, key: Key, *versions: Scaler | None) -> None:
        """A scaler that comes, goes or turns elsewhere changes who is the oldest."""
        targets = {
            hpas.of_spec(scaler.spec.scale_target_ref)
            for scaler in versions
            if scaler is not None and not isinstance(scaler.spec, InvalidSpecError)
        }
        self._add_on(key[0], targets)

    def _on_hpa(self, key: Key, old: Hpa | None, new: Hpa | None) -> None:
        for hpa in (old, new):
            if hpa is not None and hpa.scaler is not None:
                self._queue.add((key[0], hpa.scaler))
        if old is None or new is None or (old.target, old.owner) != (new.target, new.owner):
            self._add_on(key[0], {hpa.target for hpa in (old, new) if hpa is not None})

    def _add_on(self, namespace: str, targets: Iterable[tuple[str, str, str]]) -> None:
        wanted = set(targets)
        for key, scaler in self.reconciler.scalers:
            if key[0] != namespace or isinstance(scaler.spec, InvalidSpecError):
                continue
            if hpas.of_spec(scaler.spec.scale_target_ref) in wanted:
                self._queue.add(key)


def _asked(scaler: Scaler) -> tuple[object, ...]:
    """What a user asked for; a status that we wrote ourselves is no reason to look again."""
    return scaler.uid, scaler.generation, scaler.deleting, tuple(scaler.annotations.items())


@dataclass(frozen=True, slots=True, eq=False)  # registries hash collectors
class _Figures(Collector):
    """The controller's figures, read off its state."""

    reconciler: Reconciler
    election: Election

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("budaiscaler_build_info", "Version.", labels=("version",))
        info.add_metric((version("budaiscaler"),), 1)
        yield info
        yield GaugeMetricFamily(
            "budaiscaler_leader", "Whether this copy acts.", value=float(self.election.leading)
        )
        yield GaugeMetricFamily(
            "budaiscaler_owned_hpas",
            "HPAs that scalers own.",
            value=sum(hpa.scaler is not None for _, hpa in self.reconciler.hpas),
        )
        for name, text, value in (
            ("hpa_applies", "HPAs applied.", self.reconciler.applies),
            ("status_writes", "Statuses applied.", self.reconciler.writer.writes),
            ("status_write_errors", "Statuses refused.", self.reconciler.writer.errors),
            ("watch_restarts", "Watches that broke off.", self.reconciler.scalers.restarts),
        ):
            yield CounterMetricFamily(f"budaiscaler_{name}", text, value=value)
