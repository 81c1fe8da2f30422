"""What the leader does: works through the scalers that something happened to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.cache import Key
from budaiscaler.kube.workqueue import WorkQueue
from controller import hpas
from controller.hpas import Hpa, Target
from controller.reconcile import Reconciler


@dataclass(slots=True)
class ControllerWork:
    """Listens for as long as the process lives, and acts while it leads.

    Attributes:
        workers: scalers reconciled at a time.
        resync_s: between two looks at a scaler to which nothing happened.
        speed: how many seconds of the clock that pauses go by pass in a real one.
    """

    reconciler: Reconciler
    workers: int
    resync_s: float
    speed: float = 1.0
    _queue: WorkQueue[Key] = field(init=False)
    _is_leading: bool = False

    def __post_init__(self) -> None:
        self._queue = WorkQueue(self._reconcile)
        self.reconciler.scalers.subscribe(self._on_scaler)
        self.reconciler.hpas.subscribe(self._on_hpa)

    async def lead(self) -> None:
        """Reconcile until cancelled."""
        scalers, all_hpas = self.reconciler.scalers, self.reconciler.hpas
        await scalers.synced.wait()
        await all_hpas.synced.wait()
        self.reconciler.start_over()
        self._queue = WorkQueue(self._reconcile)  # what was left of the last term is of the past
        self._is_leading = True
        self._add(scalers.objects)
        # Also those that went while nobody led, and left an HPA with their marks.
        for key, hpa in all_hpas:
            self._add((key[0], name) for name in hpa.named)
        try:
            await self._queue.run(self.workers)
        finally:
            self._is_leading = False

    async def _reconcile(self, key: Key) -> None:
        # A pass that finds nothing to do never waits: a thousand in a row would hold the loop, and
        # with it the renewal of the Lease.
        await asyncio.sleep(0)
        await self.reconciler.reconcile(key)
        scaler = self.reconciler.scalers.objects.get(key)
        if scaler is None:
            self._queue.forget(key)
            return
        # Watches tell of everything but what other tools do without an HPA, and the end of a pause.
        delay_s = self.resync_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
        now = self.reconciler.wall_clock()
        until = scaler.paused(now).until
        if until is not None:
            delay_s = min(delay_s, (until - now).total_seconds() / self.speed)
        self._queue.add_after(key, delay_s)

    def _on_scaler(self, key: Key, old: Scaler | None, new: Scaler | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self.reconciler.forget(old)
        if not self._is_leading:
            return
        if old is None or new is None or _asked(old) != _asked(new):
            self._add([key])
            # One that comes, goes or turns elsewhere changes who is the oldest.
            self._add_concerned(key[0], _targets(old) | _targets(new))

    def _on_hpa(self, key: Key, old: Hpa | None, new: Hpa | None) -> None:
        if not self._is_leading:
            return
        versions = [hpa for hpa in (old, new) if hpa is not None]
        self._add((key[0], name) for hpa in versions for name in hpa.named)
        if old is None or new is None or (old.target, old.holder) != (new.target, new.holder):
            self._add_concerned(key[0], {hpa.target for hpa in versions})

    def _add_concerned(self, namespace: str, targets: Iterable[Target]) -> None:
        for target in targets:
            self._add(self.reconciler.targets.concerned((namespace, target)))

    def _add(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._queue.add(key)


def _asked(scaler: Scaler) -> tuple[object, ...]:
    """What a user asked for; a status that we wrote ourselves is no reason to look again."""
    return *scaler.asked, scaler.deleting


def _targets(scaler: Scaler | None) -> set[Target]:
    if scaler is None or isinstance(scaler.spec, InvalidSpecError):
        return set()
    return {hpas.of_spec(scaler.spec.scale_target_ref)}
