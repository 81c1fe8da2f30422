"""What the controller says of a scaler: its share of the status, and an event a transition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from budaiscaler.domain import conditions
from budaiscaler.domain.conditions import Condition, Transition
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json
from controller import history
from controller.hpas import Hpa

OWNED_CONDITIONS = (
    conditions.ABLE_TO_SCALE,
    conditions.SCALE_TO_ZERO,
    conditions.EXACT_SCALING,
)
OWNED_FIELDS = ("lastScaleTime", "scalingHistory")


@dataclass(frozen=True, slots=True)
class _Reported:
    """What was written last, and what stood there when it was."""

    status: Json
    instead_of: Json


@dataclass(slots=True)
class Reporter:
    """Writes the controller's share of the status when what stands is something else."""

    writer: StatusWriter
    recorder: Recorder
    wall_clock: Callable[[], datetime]
    _reported: dict[str, _Reported] = field(default_factory=dict)
    _withdrawn: set[str] = field(default_factory=set)

    def start_over(self) -> None:
        """Begin a new term: another leader may have reported since the last one."""
        self._reported.clear()
        self._withdrawn.clear()
        self.writer.start_over()

    def forget(self, scaler: Scaler) -> None:
        """Drop what is known of a scaler that is gone."""
        self._reported.pop(scaler.uid, None)
        self._withdrawn.discard(scaler.uid)
        self.writer.forget((scaler.namespace, scaler.name))

    async def withdraw(self, scaler: Scaler) -> None:
        """Take back what we told of a scaler of which another role tells now."""
        if scaler.uid not in self._withdrawn and await self.writer.write(scaler, {}):
            self._withdrawn.add(scaler.uid)
            self._reported.pop(scaler.uid, None)

    async def report(
        self,
        scaler: Scaler,
        told: Sequence[Condition],
        keeps: Sequence[str],
        children: Sequence[Hpa] = (),
    ) -> None:
        """Bring the status up to date.

        Args:
            scaler: whose status.
            told: all conditions there are to tell; one of ours that is not among them goes.
            keeps: reasons for which it stays all the same.
            children: its HPAs, which tell how the workload was scaled; what is known of earlier
                ones stays.
        """
        self._withdrawn.discard(scaler.uid)
        last = self._reported.get(scaler.uid)
        before = last.status["conditions"] if last is not None else ()
        standing = _standing(scaler, [*before, *({"type": one.type} for one in told)])
        previous = last.status if last is not None else standing
        rendered, transitions = conditions.merge(
            previous["conditions"], told, generation=scaler.generation, now=self.wall_clock()
        )
        told_of = {condition.type for condition in told}
        rendered += [
            condition
            for condition in previous["conditions"]
            if condition["reason"] in keeps and condition["type"] not in told_of
        ]
        status: dict[str, Any] = {"conditions": sorted(rendered, key=_by_type)}
        status |= _scalings(previous, children, scaler)
        if standing == status:
            self._reported[scaler.uid] = _Reported(status, standing)
            return
        # Our own write may not have come back yet, or the server made something else of it: as long
        # as what stands is what stood then, nobody has undone it.
        if last is not None and (last.status, last.instead_of) == (status, standing):
            return
        if not await self.writer.write(scaler, status):
            return
        self._reported[scaler.uid] = _Reported(status, standing)
        for transition in transitions:
            self._tell(scaler, transition)

    def _tell(self, scaler: Scaler, transition: Transition) -> None:
        told = transition.now
        if told.status == "False":
            self.recorder.record(scaler.ref, "Warning", told.reason, told.message, "Reconcile")
        elif transition.before == "False":
            self.recorder.record(scaler.ref, "Normal", told.reason, told.message, "Reconcile")


def _by_type(condition: Json) -> str:
    return str(condition["type"])


def _scalings(previous: Json, children: Sequence[Hpa], scaler: Scaler) -> Json:
    """When and how the workload was scaled; what is empty is left out."""
    known_at = previous.get("lastScaleTime")
    before = previous.get("scalingHistory") or ()
    times = (history.last_scale_time(children), known_at)
    scalings = {
        "lastScaleTime": max(filter(None, times), default=None),
        "scalingHistory": history.follow(before, known_at, children, scaler.status),
    }
    return {key: value for key, value in scalings.items() if value}


def _standing(scaler: Scaler, also: Iterable[Json]) -> Json:
    """Our share of the status as it stands: our conditions, and those `also` of their types."""
    types = {*OWNED_CONDITIONS, *(condition["type"] for condition in also)}
    owned = [c for c in scaler.status.get("conditions") or () if c.get("type") in types]
    share: Json = {"conditions": sorted(owned, key=_by_type)}
    return share | {key: scaler.status[key] for key in OWNED_FIELDS if key in scaler.status}
