"""One evaluation of one scaler: observe, decide, and report what a reader has not seen yet."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from budaiscaler.domain import conditions, decision_state
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import BudAIScalerError, InvalidSpecError
from budaiscaler.evaluator import reporting, restoring, significance
from budaiscaler.evaluator.acting import Acted, Actor
from budaiscaler.evaluator.charging import Ledger
from budaiscaler.evaluator.decision_log import Entry, News
from budaiscaler.evaluator.observing import Observer
from budaiscaler.evaluator.readers import MetricReaders
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.warming import WarmUp
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Key
from budaiscaler.kube.events import Recorder

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last evaluation of one scaler, for telemetry; None where it failed."""

    observation: Observation | None
    decision: Decision | None


@dataclass(slots=True)
class Memory:
    """What is kept of a scaler between evaluations, and dropped with it.

    Attributes:
        written: the status as we last wrote it, or found it.
        minor_due_s: when a change that no reader acts on may be written next.
        target: what the state is about; None until known.
        decided_at: time of the decision that returned the state; None before the first.
        taken_over: what the leader before wrote down, until the first decision.
        news: which decisions are worth a line of the log.
    """

    state: State
    written: dict[str, Any]
    minor_due_s: float
    target: ScaleTargetRef | None = None
    decided_at: datetime | None = None
    taken_over: Any = None
    news: News = field(default_factory=News)

    def decision_state(self) -> dict[str, Any]:
        """What the next leader is to know, as a part of a status; empty where nothing is known."""
        if self.target is not None and self.decided_at is not None:
            text = decision_state.to_text(self.state, self.target, self.decided_at)
            return {restoring.DECISION_STATE: text}
        return {} if self.taken_over is None else {restoring.DECISION_STATE: self.taken_over}


@dataclass(slots=True)
class Counters:
    """Totals since the start of the process."""

    evaluations: int = 0
    failures: int = 0
    changes: int = 0


@dataclass(slots=True)
class Pipeline:
    """Evaluates scalers, any number at once.

    Attributes:
        current: a scaler as it stands by now; None once it is gone, or not ours.
        outcomes: the last of each scaler; the caller drops those that go.
        ledger: what their replicas were needed for; the same.
        writes: how many statuses may be on their way at once.
        clock: monotonic seconds.
        actor: who brings workloads to what was decided; None where an HPA does.
        warm_up: asks for what was before the first decision; None where nobody can.
    """

    observer: Observer
    readers: MetricReaders
    writer: StatusWriter
    recorder: Recorder
    current: Callable[[Scaler], Scaler | None]
    counters: Counters
    outcomes: dict[Key, Outcome]
    ledger: Ledger
    writes: asyncio.Semaphore
    clock: Callable[[], float]
    wall_clock: Callable[[], datetime]
    actor: Actor | None = None
    warm_up: WarmUp | None = None

    async def run(self, scaler: Scaler, memory: Memory) -> None:
        """Evaluate once; a failure to decide is reported as well."""
        report = await self._observe_and_decide(scaler, memory)
        if self.current(scaler) is not None:
            await self._report(scaler, memory, report)

    async def _observe_and_decide(self, scaler: Scaler, memory: Memory) -> reporting.Report:
        self.counters.evaluations += 1
        try:
            return await self._decide(scaler, memory)
        except Exception as error:  # noqa: BLE001 - a bug met by one scaler must not stop the others
            if not isinstance(error, BudAIScalerError):
                _log.exception("evaluation_failed", namespace=scaler.namespace, name=scaler.name)
            self.counters.failures += 1
            self.outcomes[scaler.namespace, scaler.name] = Outcome(None, None)
            now = self.wall_clock()
            return reporting.of_failure(
                error, scaler.generation, memory.state, memory.written, now, scaler.paused(now)
            )

    async def _decide(self, scaler: Scaler, memory: Memory) -> reporting.Report:
        if isinstance(scaler.spec, InvalidSpecError):
            # Raised again and again, the one that is kept would gather tracebacks for ever.
            raise InvalidSpecError(str(scaler.spec))
        target = scaler.spec.scale_target_ref
        if memory.target not in (None, target):
            memory.state = State()  # what another workload needed says nothing of this one
        observation = await self.observer.observe(scaler, scaler.spec)
        now = self.wall_clock()
        if memory.decided_at is None:
            memory.state = await self._take_over(scaler, memory, scaler.spec, observation, now)
        memory.target = target
        observation = dataclasses.replace(observation, paused=scaler.paused(now))
        decision, state = decide(scaler.spec, observation, memory.state, now)
        key = (scaler.namespace, scaler.name)
        self.outcomes[key] = Outcome(observation, decision)
        self.ledger.charge(key, observation, decision)
        entry = Entry(scaler, scaler.spec, observation, memory.state, decision, now)
        for worth in memory.news.of(entry):
            self.counters.changes += 1
            worth.write()
        memory.state, memory.decided_at, memory.taken_over = state, now, None
        acted = await self._act(scaler, scaler.spec, observation, decision)
        return reporting.of_decision(
            scaler.spec,
            scaler.generation,
            observation,
            decision,
            state,
            memory.written,
            now,
            acted=acted,
            able=_able(scaler) if self.actor is None else None,
        )

    async def _act(
        self, scaler: Scaler, spec: ScalerSpec, observation: Observation, decision: Decision
    ) -> Acted | None:
        now = self.current(scaler)
        if self.actor is None or now is None:
            return None
        if now.asked != scaler.asked:
            return _EDITED
        acted = await self.actor.act(
            scaler, spec, observation, decision, self.observer.fleet(scaler.uid)
        )
        if acted.has_moved:
            self.observer.look_again(scaler.uid)
        return acted

    async def _take_over(
        self,
        scaler: Scaler,
        memory: Memory,
        spec: ScalerSpec,
        observation: Observation,
        now: datetime,
    ) -> State:
        cadence = self.observer.cadence_of(scaler.strategy)
        state = decision_state.restored(
            memory.taken_over,
            spec.scale_target_ref,
            observation.replicas,
            now,
            interval_s=cadence.decision_s,
            anew=memory.state,
        )
        # Since when it is good, the word of the leader before tells better than its last write.
        state = dataclasses.replace(state, good_at=memory.state.good_at)
        if self.warm_up is None:
            return state
        return await self.warm_up.warmed(
            scaler, spec, observation, state, now, interval_s=cadence.sample_s
        )

    async def _report(self, scaler: Scaler, memory: Memory, report: reporting.Report) -> None:
        def is_read(metric: str) -> bool:
            return self.readers.reads(scaler.namespace, metric)

        now_s = self.clock()
        jitters = significance.is_jitter(memory.written, report.status)
        is_minor_due = now_s >= memory.minor_due_s + (significance.JITTER_WAITS_S if jitters else 0)
        # Against what stands there too, since somebody may have edited it.
        befores = (
            (memory.written, restoring.own_part(scaler.status, acts=self.actor is not None))
            if is_minor_due
            else ()
        )
        if not (
            significance.is_significant(memory.written, report.status, is_read)
            or any(significance.is_changed(before, report.status) for before in befores)
        ):
            return
        async with self.writes:
            if self.current(scaler) is None:
                return  # it went while we waited, and what we reported was taken back
            status = report.status | memory.decision_state()
            is_written = await self.writer.write(scaler, status)
        if not is_written:
            return  # what changed is still different at the next evaluation
        memory.written = report.status
        if is_minor_due:
            memory.minor_due_s = now_s + significance.MINOR_WRITE_EVERY_S
        for kind, reason, note in reporting.events(report.transitions):
            self.recorder.record(scaler.ref, kind, reason, note, "Evaluate")


_EDITED = Acted(
    Condition(
        conditions.ABLE_TO_SCALE,
        "True",
        "Outdated",
        "the scaler was edited while it was evaluated: it is decided on anew",
    )
)


def _able(scaler: Scaler) -> Condition | None:
    """Whether the controller can act on what is decided here, as it last told."""
    told = scaler.condition(conditions.ABLE_TO_SCALE)
    if told is None:
        return None
    status, reason, message = (told.get(key, "") for key in ("status", "reason", "message"))
    return Condition(conditions.ABLE_TO_SCALE, status, reason, message)
