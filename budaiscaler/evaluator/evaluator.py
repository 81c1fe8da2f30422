"""Evaluates the scalers of one role while its process leads."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.decision import State
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.evaluator import cadence, restoring, significance
from budaiscaler.evaluator.acting import Actor
from budaiscaler.evaluator.cadence import Cadence
from budaiscaler.evaluator.charging import Ledger
from budaiscaler.evaluator.observing import Observer
from budaiscaler.evaluator.pipeline import Counters, Memory, Outcome, Pipeline
from budaiscaler.evaluator.readers import MetricReaders
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.schedule import Schedule
from budaiscaler.evaluator.warming import WarmUp
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Kube
from budaiscaler.kube.workloads import Workloads
from budaiscaler.sources.base import Past, Source
from budaiscaler.sources.gpu.base import GpuReader
from budaiscaler.sources.measuring import Latencies

CONCURRENT_WRITES = 64
JITTER = 0.1
MAX_LATENESS_S = 60.0
"""A leader further behind than that no longer vouches for what it reported."""
LONGEST_EVALUATION_S = 90.0
"""Fetches and writes end by themselves long before that: only a queue of writes takes longer."""

_log = structlog.get_logger()


@dataclass(slots=True)
class Evaluator:
    """Observes, decides and reports, each scaler once an interval.

    Attributes:
        scalers: all scalers; `owns` picks those of this role.
        interval_s: between two evaluations of one scaler.
        kpa: cadence of the KPA strategy, whose windows are short.
        clock: monotonic seconds.
        speed: how many of them pass in a real second.
        least_interval_s: whatever the interval, one that can be kept at that speed.
        actor: who brings workloads to what was decided; None where an HPA does.
        outcomes: the last evaluation of each scaler; empty while not leading.
        ledger: what the replicas of each were needed for; the same.
        gpu: reads GPUs; None where nobody can.
        past: tells what sources of type prometheus were before a first decision; the same.
        delays: from when scalers were due until their evaluation was over.
    """

    kube: Kube
    scalers: Cache[Scaler]
    owns: Callable[[Scaler], bool]
    sources: Mapping[SourceType, Source]
    recorder: Recorder
    writer: StatusWriter
    interval_s: float = 15.0
    kpa: Cadence = cadence.KPA
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    speed: float = 1.0
    least_interval_s: float = 0.0
    random: random.Random = field(default_factory=random.Random)
    actor: Actor | None = None
    counters: Counters = field(default_factory=Counters)
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    gpu: GpuReader | None = None
    past: Past | None = None
    delays: Latencies = field(default_factory=Latencies)
    ledger: Ledger = field(init=False)
    _memories: dict[str, Memory] = field(default_factory=dict)
    _evaluating: dict[Key, float] = field(default_factory=dict)
    _unevaluated: set[Key] | None = None
    _schedule: Schedule[Key] = field(init=False)
    _workloads: Workloads = field(init=False)
    _observer: Observer = field(init=False)
    _pipeline: Pipeline = field(init=False)
    _readers: MetricReaders = field(init=False)
    _group: asyncio.TaskGroup = field(init=False)

    def __post_init__(self) -> None:
        self._schedule = Schedule(self.clock, self.speed)
        self.ledger = Ledger(self.clock)

    @property
    def is_round_complete(self) -> bool:
        """Whether every scaler was evaluated once since this copy leads."""
        return self._unevaluated is not None and not self._unevaluated

    def vouches(self) -> bool:
        """Whether everything that is reported is true as of now; see `kube.lease`.

        Not before every scaler was evaluated once: what stands in a status may be of yesterday. Not
        while the loop is far behind, or what it sees of specs and pods, nor while the API server
        takes none of our reports. These are real seconds: a machine is no slower in a fast story.
        """
        most_s, longest_s = MAX_LATENESS_S * self.speed, LONGEST_EVALUATION_S * self.speed
        return (
            self.is_round_complete
            and self._schedule.lateness_s() < most_s
            and self._longest_under_way_s() < longest_s
            and max(self.scalers.behind_s, self._workloads.behind_s) < MAX_LATENESS_S
            and not self.writer.is_refused(len(self._memories))
        )

    def cadence_of(self, strategy: str) -> Cadence:
        """How often scalers of that strategy are evaluated."""
        wanted = self.kpa if strategy == Strategy.KPA else cadence.steady(self.interval_s)
        return wanted.at_least(self.least_interval_s)

    def _longest_under_way_s(self) -> float:
        return self.clock() - min(self._evaluating.values(), default=self.clock())

    async def lead(self, as_of: datetime | None) -> None:
        """Evaluate until cancelled.

        Args:
            as_of: when the leader before last vouched for what it reported.
        """
        workloads = self._workloads = Workloads(self.kube, self.clock, self.speed)
        self._readers = MetricReaders(self.kube)
        self._observer = Observer(
            workloads,
            self.sources,
            self.cadence_of,
            self.clock,
            gpu=self.gpu,
            random=self.random,
            speed=self.speed,
        )
        self._pipeline = Pipeline(
            observer=self._observer,
            readers=self._readers,
            writer=self.writer,
            recorder=self.recorder,
            current=self._still,
            counters=self.counters,
            outcomes=self.outcomes,
            ledger=self.ledger,
            clock=self.clock,
            wall_clock=self.wall_clock,
            writes=asyncio.Semaphore(CONCURRENT_WRITES),
            actor=self.actor,
            warm_up=WarmUp(self.past) if self.past is not None else None,
        )
        async with asyncio.TaskGroup() as self._group:
            group = self._group
            group.create_task(workloads.run())
            group.create_task(self._readers.run())
            await self.scalers.synced.wait()
            await workloads.synced()
            self._take_over(as_of)
            unsubscribe = self.scalers.subscribe(self._on_scaler)
            try:
                await self._loop(group)
            finally:
                unsubscribe()
                self._memories.clear()
                self._evaluating.clear()
                self.outcomes.clear()
                self.ledger.clear()
                self._unevaluated = None
                self._schedule = Schedule(self.clock, self.speed)

    def _take_over(self, as_of: datetime | None) -> None:
        """Continue where the leader before left off, as far as its reports tell."""
        self._unevaluated = set()
        self.writer.start_over()
        now = self.wall_clock()
        for key, scaler in self.scalers:
            if not self._is_ours(scaler):
                continue
            self._unevaluated.add(key)
            state = restoring.state_of(scaler.status, as_of)
            memory = self._remember(scaler, state)
            memory.taken_over = scaler.status.get(restoring.DECISION_STATE)
            if (
                state.good_at is not None
                and "holdingSince" not in scaler.status
                and not isinstance(scaler.spec, InvalidSpecError)
            ):
                self._observer.restore(
                    scaler, scaler.spec, max(0.0, (now - state.good_at).total_seconds())
                )

    def _remember(self, scaler: Scaler, state: State) -> Memory:
        """Begin a memory; minor writes of many begun at once are spread over their interval."""
        due_s = self.clock() + self.random.uniform(0, significance.MINOR_WRITE_EVERY_S)
        memory = Memory(
            state, restoring.own_part(scaler.status, acts=self.actor is not None), due_s
        )
        self._memories[scaler.uid] = memory
        return memory

    def _is_ours(self, scaler: Scaler) -> bool:
        return self.owns(scaler) and not scaler.deleting

    def _on_scaler(self, key: Key, old: Scaler | None, new: Scaler | None) -> None:
        if old is not None and self._is_ours(old):
            if new is not None and not self._is_ours(new):
                self._group.create_task(self._withdraw(key, new))
            if new is None or not self._is_ours(new) or new.uid != old.uid:
                self._forget(key, old.uid)
        if new is None or not self._is_ours(new):
            return
        # An annotation raises no generation, and is asked for as much as what stands in the spec.
        is_new = old is None or old.asked != new.asked
        if is_new and key not in self._evaluating:
            self._schedule.set(key, self.clock())

    async def _withdraw(self, key: Key, scaler: Scaler) -> None:
        """Take back what we reported: it must not stand beside the report of another role.

        A report that is on its way goes first: the writer keeps the order.
        """
        backoff = Backoff(cap_s=MAX_LATENESS_S, random=self.random)
        while not await self.writer.write(scaler, {}):
            self.writer.forget(key)  # that it is refused says nothing of the scalers we report on
            await asyncio.sleep(backoff.next_s())
            now = self.scalers.objects.get(key)
            if now is None or now.uid != scaler.uid or self._is_ours(now):
                return

    def _forget(self, key: Key, uid: str) -> None:
        self._memories.pop(uid, None)
        self.outcomes.pop(key, None)
        self.ledger.forget(key)
        self._observer.forget(uid)
        self.writer.forget(key)
        self._schedule.drop(key)
        if self._unevaluated is not None:
            self._unevaluated.discard(key)

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        # No limit on how many wait for their sources: with one, a tenant with sixty sources that
        # hang took every place, and the scalers of all others were evaluated a minute late.
        while True:
            key = await self._schedule.next()
            self._evaluating[key] = self.clock()
            group.create_task(self._evaluate(key, self.clock() - self._schedule.late_s))

    async def _evaluate(self, key: Key, due_s: float) -> None:
        scaler = self._current(key)
        if scaler is None:
            self._evaluating.pop(key, None)
            return
        memory = self._memories.get(scaler.uid)
        is_first = memory is None or (self._unevaluated is not None and key in self._unevaluated)
        if memory is None:
            memory = self._remember(scaler, State())
        started_s = self.clock()
        try:
            await self._pipeline.run(scaler, memory)
        except Exception:  # noqa: BLE001 - a bug met by one scaler must not stop the others
            self.counters.failures += 1
            _log.exception("report_failed", namespace=key[0], name=key[1])
        finally:
            self._evaluating.pop(key, None)
        self.delays.observe(self.clock() - due_s)
        if self._unevaluated is not None:
            self._unevaluated.discard(key)
        now = self._current(key)
        if now is None or now.uid != scaler.uid:
            self._forget(key, scaler.uid)  # it went meanwhile, and what was just kept of it goes
        if now is None:
            return
        if now.asked != scaler.asked:
            self._schedule.set(key, self.clock())  # it was edited meanwhile
            return
        # After the first, spread over the interval; then keep the phase, give or take.
        low, high = (JITTER, 1.0) if is_first else (1 - JITTER, 1 + JITTER)
        interval_s = self.cadence_of(scaler.strategy).decision_s
        due_s = started_s + interval_s * self.random.uniform(low, high)
        ahead_s = (self._observer.due_s(scaler.uid), self._changes_s(key, now))
        # What was due before and was not done now could not be: without its target, nobody asks a
        # source. To come back for it at once would be to come back for ever.
        due_s = min([due_s, *(at_s for at_s in ahead_s if at_s > started_s)])
        self._schedule.set(key, due_s)

    def _changes_s(self, key: Key, scaler: Scaler) -> float:
        """When a pause ends or a schedule changes by itself: nobody edits anything then."""
        now, outcome = self.wall_clock(), self.outcomes.get(key)
        decision = outcome.decision if outcome is not None else None
        scheduled = decision.schedule.changes_at if decision is not None else None
        ahead = [at for at in (scaler.paused(now).until, scheduled) if at is not None]
        return self.clock() + min(((at - now).total_seconds() for at in ahead), default=math.inf)

    def _current(self, key: Key) -> Scaler | None:
        """The scaler as it is now, if it is one of ours."""
        scaler = self.scalers.objects.get(key)
        return scaler if scaler is not None and self._is_ours(scaler) else None

    def _still(self, scaler: Scaler) -> Scaler | None:
        """That scaler as it is now, in whatever generation, if it is still there and ours."""
        now = self._current((scaler.namespace, scaler.name))
        return now if now is not None and now.uid == scaler.uid else None
