"""Tells a story: observe, decide and act in simulated time, at the strategy's own cadence.

At one and the same instant events come first, then samples, then the decision, then whoever acts on
it. An edit or a pause is decided on at once, as the servers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain import decision_state, merge_patches, pausing
from budaiscaler.domain.algorithms.hpa_controller import HpaState
from budaiscaler.domain.api import naming, strict
from budaiscaler.domain.api.budaiscaler import Mode, Strategy
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.domain.explaining import steady
from budaiscaler.domain.explaining.observations import Factor
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.stories import hpas, steps, workload
from budaiscaler.domain.stories.hpas import Child, Published
from budaiscaler.domain.stories.inputs import Inputs, Observer
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.schema import EventGiven
from budaiscaler.domain.stories.steps import Step
from budaiscaler.domain.stories.workload import Workload


def run(story: Story, child: Child, factor: Factor) -> tuple[Step, ...]:
    """Tell a story to its end.

    Args:
        story: as read.
        child: renders the HPA of a scaler.
        factor: of each source's unit.

    Returns:
        Every decision, in order.

    Raises:
        InvalidInputError: an edit makes the scaler one that is invalid.
    """
    told = _Told.begun(story, child, factor)
    made = []
    events = sorted(enumerate(story.given.events), key=lambda pair: pair[1].at)
    for at_s in _times(story):
        while events and events[0][1].at <= at_s:
            index, event = events.pop(0)
            told.happens(event, index)
        if told.is_due(at_s, told.sample_s) or at_s in _edits(story):
            told.fetch(at_s)
        if told.is_due(at_s, told.decision_s) or at_s in _edits(story):
            made.append(told.decides(at_s))
    return tuple(made)


def _edits(story: Story) -> set[float]:
    return {
        event.at
        for event in story.given.events
        if event.edit is not None or event.pause is not None or event.resume is not None
    }


def _times(story: Story) -> Iterator[float]:
    """All instants at which something is sampled or decided, whatever strategy an edit chooses."""
    ends_s = story.ends_s()
    every = {one for strategy in Strategy for one in steps.cadence_s(strategy)}
    regular = {one * index for one in every for index in range(int(ends_s / one) + 1)}
    return iter(sorted(regular | {at for at in _edits(story) if at <= ends_s}))


@dataclass(slots=True)
class _Told:
    """A story on its way.

    Attributes:
        decided_at: when the last decision was made.
        written: the state as it stands in the status, where the next leader takes it over.
    """

    story: Story
    child: Child
    factor: Factor
    subject: Subject
    workload: Workload
    observer: Observer
    state: State
    hpa: HpaState
    decided_at: datetime
    written: str | None = None

    @classmethod
    def begun(cls, story: Story, child: Child, factor: Factor) -> _Told:
        """Begin: as if all had been at rest for long, or as a new scaler does."""
        given, subject = story.given, story.subject
        current = given.replicas.current
        fresh = given.fresh
        return cls(
            story,
            child,
            factor,
            subject,
            workload.of(current, given.replicas.startup, given.start),
            Observer(Inputs.of(given), factor),
            State() if fresh else steady.state(subject.spec, current, given.start),
            HpaState() if fresh else hpas.steady(current, given.start),
            given.start,
        )

    @property
    def sample_s(self) -> float:
        """Between two samples."""
        return steps.cadence_s(self.subject.spec.scaling_strategy)[0]

    @property
    def decision_s(self) -> float:
        """Between two decisions."""
        return steps.cadence_s(self.subject.spec.scaling_strategy)[1]

    def is_due(self, at_s: float, every_s: float) -> bool:
        """Whether a regular instant is one of those."""
        return at_s % every_s == 0

    def moment(self, at_s: float) -> datetime:
        """The time so many seconds after the start."""
        return self.story.given.start + timedelta(seconds=at_s)

    def fetch(self, at_s: float) -> None:
        """Ask all sources."""
        now = self.moment(at_s)
        ready = self.workload.replicas(now).ready
        self.observer = self.observer.fetched(self.subject, ready, at_s, now)

    def happens(self, event: EventGiven, index: int) -> None:
        """Let an event happen, at its own time."""
        now = self.moment(event.at)
        if event.lose is not None:
            self.workload = self.workload.lost(event.lose, now)
        if event.unschedulable is not None:
            self.workload = self.workload.without_node(event.unschedulable, now)
        if event.restart is not None:
            self._restart()
        if event.pause is not None:
            said = "Both" if event.pause is True else str(event.pause)
            self._annotate(said if event.pause else None)
        if event.resume:
            self._annotate(None)
        if event.edit is not None:
            self._edit(event.edit, index)

    def decides(self, at_s: float) -> Step:
        """Decide, and let whoever acts do so."""
        now = self.moment(at_s)
        replicas = self.workload.replicas(now)
        paused = pausing.effective(self.subject.spec.paused, self.subject.annotations, now)
        hpa = self.child(self.subject, paused)
        seen = Observation(
            replicas,
            self.observer.observed(self.subject, now),
            startup_p95_s=self.workload.startup_p95_s(now),
            paused=paused,
            gpu=self.observer.gpu,
            annotations=self.subject.annotations,
            has_child=hpa is not None,
            shortage=self.workload.shortage,
        )
        decision, self.state = decide(self.subject.spec, seen, self._taken_over(replicas, now), now)
        self.decided_at = now
        desired, rungs = decision.desired_replicas, decision.rungs
        if hpa is not None:
            published = Published(decision, self.state, self.observer.answers)
            done, self.hpa = hpas.sync(hpa, self.subject, published, replicas, self.hpa, now)
            desired, rungs = done.desired, (*rungs, *done.rungs)
        acts = self._acts(hpa) and desired != replicas.current
        if acts:
            self.workload = self.workload.scaled(desired, now)
        return Step(
            at_s,
            replicas,
            desired,
            acts,
            decision,
            rungs,
            seen.readings,
            self.workload.placed,
            self.observer.inputs.price_at(at_s),
        )

    def _restart(self) -> None:
        """Write the state down as a status has it: what else was remembered is gone."""
        target = self.subject.spec.scale_target_ref
        self.written = decision_state.to_text(self.state, target, self.decided_at)

    def _taken_over(self, replicas: Replicas, now: datetime) -> State:
        if self.written is None:
            return self.state
        written, self.written = self.written, None
        target = self.subject.spec.scale_target_ref
        return decision_state.restored(written, target, replicas, now, interval_s=self.decision_s)

    def _acts(self, hpa: Mapping[str, Any] | None) -> bool:
        spec = self.subject.spec
        if spec.scaling_strategy is Strategy.HPA:
            return hpa is not None
        return spec.mode is Mode.AUTO

    def _annotate(self, text: str | None) -> None:
        others = {
            name: value
            for name, value in self.subject.annotations.items()
            if name != naming.PAUSED_ANNOTATION
        }
        said = {} if text is None else {naming.PAUSED_ANNOTATION: text}
        self.subject = replace(self.subject, annotations=others | said)

    def _edit(self, patch: Mapping[str, Any], index: int) -> None:
        raw = merge_patches.apply(self.subject.raw_spec, patch)
        at = (*self.story.at, "events", index, "edit")
        spec = strict.read_spec(raw, at)
        self.subject = replace(self.subject, raw_spec=raw, spec=spec)
