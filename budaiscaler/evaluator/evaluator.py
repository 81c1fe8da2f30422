"""Evaluates the scalers of one role while its process leads."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef, SourceType
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import BudAIScalerError, InvalidSpecError
from budaiscaler.evaluator import reporting
from budaiscaler.evaluator.observing import Observer
from budaiscaler.evaluator.readers import MetricReaders
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.schedule import Schedule
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Kube
from budaiscaler.kube.workloads import Workloads
from budaiscaler.sources.base import Source

CONCURRENT = 64
JITTER = 0.1
MAX_LATENESS_S = 60.0
"""A leader further behind than that no longer vouches for what it reported."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last evaluation of one scaler, for telemetry; None where it failed."""

    observation: Observation | None
    decision: Decision | None


@dataclass(slots=True)
class _Memory:
    """What is kept of a scaler between evaluations, and dropped with it.

    Attributes:
        written: the status as we last wrote it, or found it.
        minor_due_s: when a change that no reader acts on may be written next.
        target: what the state is about; None until known.
    """

    state: State
    written: dict[str, Any]
    minor_due_s: float
    target: ScaleTargetRef | None = None


@dataclass(slots=True)
class Counters:
    """Totals since the start of the process."""

    evaluations: int = 0
    failures: int = 0
    changes: int = 0


@dataclass(slots=True)
class Evaluator:
    """Observes, decides and reports, each scaler once an interval.

    Attributes:
        scalers: all scalers; `owns` picks those of this role.
        interval_s: between two evaluations of one scaler.
        clock: monotonic seconds.
        outcomes: the last evaluation of each scaler; empty while not leading.
    """

    kube: Kube
    scalers: Cache[Scaler]
    owns: Callable[[Scaler], bool]
    sources: Mapping[SourceType, Source]
    recorder: Recorder
    writer: StatusWriter
    interval_s: float = 15.0
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    random: random.Random = field(default_factory=random.Random)
    counters: Counters = field(default_factory=Counters)
    outcomes: dict[Key, Outcome] = field(default_factory=dict)
    _memories: dict[str, _Memory] = field(default_factory=dict)
    _evaluating: set[Key] = field(default_factory=set)
    _unevaluated: set[Key] | None = None
    _schedule: Schedule[Key] = field(init=False)
    _observer: Observer = field(init=False)
    _readers: MetricReaders = field(init=False)
    _group: asyncio.TaskGroup = field(init=False)

    def __post_init__(self) -> None:
        self._schedule = Schedule(self.clock)

    @property
    def is_round_complete(self) -> bool:
        """Whether every scaler was evaluated once since this copy leads."""
        return self._unevaluated is not None and not self._unevaluated

    def vouches(self) -> bool:
        """Whether everything that is reported is true as of now; see `kube.lease`.

        Not before every scaler was evaluated once: what stands in a status may be of yesterday. Not
        while the loop is far behind, nor while the API server takes none of our reports.
        """
        return (
            self.is_round_complete
            and self._schedule.lateness_s() < MAX_LATENESS_S
            and not self.writer.is_refused(len(self._memories))
        )

    async def lead(self, as_of: datetime | None) -> None:
        """Evaluate until cancelled.

        Args:
            as_of: when the leader before last vouched for what it reported.
        """
        workloads = Workloads(self.kube)
        self._readers = MetricReaders(self.kube)
        self._observer = Observer(workloads, self.sources, self.interval_s, self.clock)
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
                self._unevaluated = None
                self._schedule = Schedule(self.clock)

    def _take_over(self, as_of: datetime | None) -> None:
        """Continue where the leader before left off, as far as its reports tell."""
        self._unevaluated = set()
        self.writer.start_over()
        now = self.wall_clock()
        for key, scaler in self.scalers:
            if not self._is_ours(scaler):
                continue
            self._unevaluated.add(key)
            state = reporting.state_of(scaler.status, scaler.generation, as_of)
            self._remember(scaler, state)
            if (
                state.good_at is not None
                and "holdingSince" not in scaler.status
                and not isinstance(scaler.spec, InvalidSpecError)
            ):
                self._observer.restore(
                    scaler, scaler.spec, max(0.0, (now - state.good_at).total_seconds())
                )

    def _remember(self, scaler: Scaler, state: State) -> _Memory:
        """Begin a memory; minor writes of many begun at once are spread over their interval."""
        due_s = self.clock() + self.random.uniform(0, reporting.MINOR_WRITE_EVERY_S)
        memory = _Memory(state, reporting.own_part(scaler.status), due_s)
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
        is_new = old is None or (old.uid, old.generation) != (new.uid, new.generation)
        if is_new and key not in self._evaluating:
            self._schedule.set(key, self.clock())

    async def _withdraw(self, key: Key, scaler: Scaler) -> None:
        """Take back what we reported: it must not stand beside the report of another role."""
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
        self._observer.forget(uid)
        self.writer.forget(key)
        self._schedule.drop(key)
        if self._unevaluated is not None:
            self._unevaluated.discard(key)

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        slots = asyncio.Semaphore(CONCURRENT)
        while True:
            await slots.acquire()  # a place must be free before a key is taken
            key = await self._schedule.next()
            self._evaluating.add(key)
            task = group.create_task(self._evaluate(key))
            task.add_done_callback(lambda _: slots.release())

    async def _evaluate(self, key: Key) -> None:
        scaler = self._current(key)
        if scaler is None:
            self._evaluating.discard(key)
            return
        memory = self._memories.get(scaler.uid)
        is_first = memory is None or (self._unevaluated is not None and key in self._unevaluated)
        if memory is None:
            memory = self._remember(scaler, State())
        started_s = self.clock()
        try:
            report = await self._observe_and_decide(key, scaler, memory)
            if (now := self._current(key)) is not None and now.uid == scaler.uid:
                await self._report(scaler, memory, report)
        except Exception:  # noqa: BLE001 - a bug met by one scaler must not stop the others
            self.counters.failures += 1
            _log.exception("report_failed", namespace=key[0], name=key[1])
        finally:
            self._evaluating.discard(key)
        if self._unevaluated is not None:
            self._unevaluated.discard(key)
        now = self._current(key)
        if now is None or now.uid != scaler.uid:
            self._forget(key, scaler.uid)  # it went meanwhile, and what was just kept of it goes
        if now is None:
            return
        if (now.uid, now.generation) != (scaler.uid, scaler.generation):
            self._schedule.set(key, self.clock())  # it was edited meanwhile
            return
        # After the first, spread over the interval; then keep the phase, give or take.
        low, high = (JITTER, 1.0) if is_first else (1 - JITTER, 1 + JITTER)
        self._schedule.set(key, started_s + self.interval_s * self.random.uniform(low, high))

    def _current(self, key: Key) -> Scaler | None:
        """The scaler as it is now, if it is one of ours."""
        scaler = self.scalers.objects.get(key)
        return scaler if scaler is not None and self._is_ours(scaler) else None

    async def _observe_and_decide(
        self, key: Key, scaler: Scaler, memory: _Memory
    ) -> reporting.Report:
        self.counters.evaluations += 1
        try:
            return await self._decide(key, scaler, memory)
        except Exception as error:  # noqa: BLE001 - a bug met by one scaler must not stop the others
            if not isinstance(error, BudAIScalerError):
                _log.exception("evaluation_failed", namespace=key[0], name=key[1])
            self.counters.failures += 1
            self.outcomes[key] = Outcome(None, None)
            return reporting.of_failure(
                error, scaler.generation, memory.state, memory.written, self.wall_clock()
            )

    async def _decide(self, key: Key, scaler: Scaler, memory: _Memory) -> reporting.Report:
        if isinstance(scaler.spec, InvalidSpecError):
            # Raised again and again, the one that is kept would gather tracebacks for ever.
            raise InvalidSpecError(str(scaler.spec))
        target = scaler.spec.scale_target_ref
        if memory.target not in (None, target):
            memory.state = State()  # what another workload needed says nothing of this one
        memory.target = target
        observation = await self._observer.observe(scaler, scaler.spec)
        now = self.wall_clock()
        decision, state = decide(scaler.spec, observation, memory.state, now)
        before = self.outcomes.get(key)
        self.outcomes[key] = Outcome(observation, decision)
        if before is None or before.decision is None or _differs(before.decision, decision):
            self.counters.changes += 1
            _log_decision(scaler, scaler.spec, observation, memory.state, decision, now)
        memory.state = state
        return reporting.of_decision(
            scaler.spec, scaler.generation, observation, decision, state, memory.written, now
        )

    async def _report(self, scaler: Scaler, memory: _Memory, report: reporting.Report) -> None:
        def is_read(metric: str) -> bool:
            return self._readers.reads(scaler.namespace, metric)

        now_s = self.clock()
        jitters = reporting.is_jitter(memory.written, report.status)
        is_minor_due = now_s >= memory.minor_due_s + (reporting.JITTER_WAITS_S if jitters else 0)
        # Against what stands there too, since somebody may have edited it.
        befores = (memory.written, reporting.own_part(scaler.status)) if is_minor_due else ()
        if not (
            reporting.is_significant(memory.written, report.status, is_read)
            or any(reporting.is_changed(before, report.status) for before in befores)
        ):
            return
        if not await self.writer.write(scaler, report.status):
            return  # what changed is still different at the next evaluation
        memory.written = report.status
        if is_minor_due:
            memory.minor_due_s = now_s + reporting.MINOR_WRITE_EVERY_S
        for kind, reason, note in reporting.events(report.transitions):
            self.recorder.record(scaler.ref, kind, reason, note, "Evaluate")


def _differs(before: Decision, after: Decision) -> bool:
    return (before.desired_replicas, before.bound_by) != (after.desired_replicas, after.bound_by)


def _log_decision(
    scaler: Scaler,
    spec: ScalerSpec,
    observation: Observation,
    state: State,
    decision: Decision,
    now: datetime,
) -> None:
    """One line with everything the decision was made of, so that it can be made again."""
    _log.info(
        "decision",
        namespace=scaler.namespace,
        name=scaler.name,
        generation=scaler.generation,
        now=now.isoformat(),
        # Endpoint and headers decide nothing, and may carry a password.
        spec=spec.model_dump(
            mode="json",
            by_alias=True,
            exclude_none=True,
            exclude={"metrics_sources": {"__all__": {"endpoint", "headers"}}},
        ),
        observation=dataclasses.asdict(observation),
        state=dataclasses.asdict(state),
        desired_replicas=decision.desired_replicas,
        desired_load=decision.desired_load,
        bound_by=decision.bound_by,
    )
