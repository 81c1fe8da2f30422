"""Turns a decision, or the failure to make one, into a status and events.

A pure module: what the API server and the other copies get to see is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from budaiscaler.domain import conditions, pausing, times
from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.conditions import Condition, Transition
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import InvalidSpecError, KubeError, NotFoundError
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.domain.schedules import Schedule
from budaiscaler.evaluator import history, restoring
from budaiscaler.evaluator.acting import Acted
from budaiscaler.sources import signals

Status = dict[str, Any]
_OF_SPEC_OR_OTHERS = frozenset(
    {
        conditions.UNIT_ASSUMED,
        conditions.SIGNAL_WARNING,
        conditions.FIELDS_WITHOUT_EFFECT,
        conditions.CONTESTED,
        conditions.CAPACITY_AVAILABLE,
        conditions.WITHIN_BUDGET,
    }
)
"""Conditions that a failed evaluation changes nothing about."""

EventType = Literal["Normal", "Warning"]

_WARNINGS = (
    conditions.UNIT_ASSUMED,
    conditions.SIGNAL_WARNING,
    conditions.FALLBACK,
    conditions.PARTIAL_DATA,
    conditions.CONTESTED,
)
"""Conditions that are an event when they come to hold.

`ScalingLimited` is none: a load that passes a bound is the daily course of things, and one that
stays there is for an alert on the metrics.
"""

_COMPLAINTS = (conditions.ABLE_TO_SCALE, conditions.SCALE_TO_ZERO)
"""Conditions that are an event when they are not fulfilled."""

_WELL_WHILE_TRUE = (conditions.CAPACITY_AVAILABLE, conditions.WITHIN_BUDGET)
"""Conditions that are an event when they cease to hold, and when they do again."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is to be told about one evaluation."""

    status: Status
    transitions: tuple[Transition, ...]


def of_decision(
    spec: ScalerSpec,
    generation: int,
    observation: Observation,
    decision: Decision,
    state: State,
    previous: Mapping[str, Any],
    now: datetime,
    *,
    acted: Acted | None = None,
    able: Condition | None = None,
) -> Report:
    """Report a decision.

    Args:
        spec: that was decided on.
        generation: of it.
        observation: what was seen.
        decision: what was decided.
        state: the one after it.
        previous: our share of the status as it stands.
        now: time of the decision.
        acted: what came of it, where we act ourselves.
        able: whether somebody else can act on it, as far as that was told.
    """
    status: Status = {
        "observedGeneration": generation,
        "actualScale": observation.replicas.current,
        "desiredScale": decision.desired_replicas,
        "boundBy": str(decision.bound_by),
        "reasons": [
            {
                "stage": str(rung.stage),
                "code": str(rung.code),
                "from": rung.before,
                "to": rung.after,
                "message": conditions.shorten(rung.message),
            }
            for rung in decision.rungs
        ],
        "decisionTime": times.rfc3339(now),
        "sources": list(_sources(spec, generation, observation, previous, now)),
    }
    if decision.next_change is not None:
        status["next"] = {
            "time": times.rfc3339(decision.next_change.at),
            "message": conditions.shorten(decision.next_change.message),
        }
    if (prediction := _prediction_status(decision.schedule)) is not None:
        status["predictionStatus"] = prediction
    if isinstance(observation.gpu, GpuReading):
        status["gpuStatus"] = _gpu_status(observation.gpu)
    if decision.publishes and state.good_at is not None:
        # Without any data ever there is nothing to publish, and readers freeze. Nor while scaling
        # is disabled: the 0 of a workload that was switched off would shrink it when it is back.
        status["desiredLoad"] = quantity.format_milli(decision.desired_load)
        if state.good_at != now:
            status["holdingSince"] = times.rfc3339(state.good_at)
    able = able if acted is None else acted.condition
    ready = _ready(observation, decision, able)
    wanted = [ready, *decision.conditions]
    if acted is not None:
        wanted.append(acted.condition)
        status |= _scalings(spec, observation, decision, acted, previous, now)
    if (warning := signals.lint(spec)) is not None:
        wanted.append(Condition(conditions.SIGNAL_WARNING, "True", "WeakSignal", warning))
    report = _with_conditions(status, wanted, generation, previous, now)
    if able is None or (ready.status, ready.message) != (able.status, able.message):
        return report
    # AbleToScale is an event already, of whoever found out.
    others = tuple(one for one in report.transitions if one.now.type != conditions.READY)
    return replace(report, transitions=others)


def of_failure(
    error: Exception,
    generation: int,
    state: State,
    previous: Mapping[str, Any],
    now: datetime,
    paused: Pausing = pausing.NOTHING,
) -> Report:
    """Report that no decision could be made.

    A spec or a target that cannot be used publishes nothing. A failure that may pass, such as a
    scale that cannot be read just now, keeps the last figures of this spec, marked as held.
    """
    reason, message = _failure_reason(error)
    status: Status = {"observedGeneration": generation, "decisionTime": times.rfc3339(now)}
    status |= {key: previous[key] for key in restoring.SCALINGS if key in previous}
    passing = not isinstance(error, InvalidSpecError | NotFoundError)
    if passing and state.good_at is not None and restoring.is_of(previous, generation):
        held_since = times.rfc3339(state.good_at)
        kept = ("actualScale", "desiredScale", "desiredLoad", "boundBy", "reasons")
        status |= {key: previous[key] for key in kept if key in previous}
        status["holdingSince"] = held_since
        status["sources"] = [
            {"noDataSince": held_since, "reason": reason, **entry}
            for entry in previous.get("sources") or ()
        ]
    wanted = [
        Condition(conditions.READY, "False", reason, message),
        Condition(conditions.SCALING_ACTIVE, "False", reason, message),
    ]
    if not isinstance(error, InvalidSpecError):
        wanted.append(paused.condition)
        # Dropped, they would be told anew after every failure.
        wanted += [
            Condition(c["type"], c["status"], c["reason"], c["message"])
            for c in previous.get("conditions") or ()
            if c["type"] in _OF_SPEC_OR_OTHERS
        ]
    return _with_conditions(status, wanted, generation, previous, now)


def events(transitions: tuple[Transition, ...]) -> Iterator[tuple[EventType, str, str]]:
    """Give type, reason and note of the events that transitions are worth.

    One cause is one event: a dead source turns Ready and ScalingActive over together. A scaler that
    is well from the start is no news.
    """
    by_type = {transition.now.type: transition for transition in transitions}
    yield from _of_readiness(by_type)
    for kind in _WARNINGS:
        warning = by_type.get(kind)
        if warning is not None and warning.now.status == "True":
            yield "Warning", kind, warning.now.message
    for kind in _COMPLAINTS:
        complaint = by_type.get(kind)
        if complaint is not None and complaint.now.status == "False":
            yield "Warning", complaint.now.reason, complaint.now.message
    for kind in _WELL_WHILE_TRUE:
        yield from _of_wellbeing(by_type.get(kind))
    paused = by_type.get(conditions.PAUSED)
    if paused is not None:
        yield from _of_pause(paused)


def _of_readiness(by_type: Mapping[str, Transition]) -> Iterator[tuple[EventType, str, str]]:
    for kind in (conditions.READY, conditions.SCALING_ACTIVE):
        transition = by_type.get(kind)
        if transition is None:
            continue
        if transition.now.status == "False":
            yield "Warning", transition.now.reason, transition.now.message
            return
        if transition.before is not None:
            reason = "Recovered" if kind == conditions.READY else transition.now.reason
            yield "Normal", reason, transition.now.message
            return


def _of_wellbeing(found: Transition | None) -> Iterator[tuple[EventType, str, str]]:
    """What is well ceases to be, and is again; that it is from the start is no news."""
    if found is None:
        return
    if found.now.status != "True":
        yield "Warning", found.now.reason, found.now.message
    elif found.before is not None:
        yield "Normal", found.now.reason, found.now.message


def _of_pause(paused: Transition) -> Iterator[tuple[EventType, str, str]]:
    """A pause begins and ends; that there is none from the start is no news."""
    if paused.now.status == "Unknown":
        yield "Warning", paused.now.reason, paused.now.message
    elif paused.now.status == "True":
        yield "Normal", paused.now.reason, paused.now.message
    elif paused.before is not None:
        yield "Normal", "Resumed", paused.now.message


def _ready(observation: Observation, decision: Decision, able: Condition | None) -> Condition:
    """Ready sums up: it is False while something keeps it from being evaluated or from scaling."""
    told = [*observation.readings.items(), ("gpuConfig", observation.gpu)]
    for name, observed in told:
        if isinstance(observed, NoData) and observed.reason.is_users_to_mend:
            return Condition(
                conditions.READY, "False", str(observed.reason), f"{name}: {observed.message}"
            )
    for condition in decision.conditions:
        if condition.type == conditions.SCALING_ACTIVE and condition.reason == "NoData":
            return Condition(conditions.READY, "False", condition.reason, condition.message)
    if able is not None and able.status == "False":
        return replace(able, type=conditions.READY)
    return Condition(conditions.READY, "True", "ScalerReady", "the scaler is evaluated")


def _scalings(
    spec: ScalerSpec,
    observation: Observation,
    decision: Decision,
    acted: Acted,
    previous: Mapping[str, Any],
    now: datetime,
) -> Status:
    """When and how we scaled the workload; what is empty is left out."""
    current, strategy = observation.replicas.current, str(spec.scaling_strategy)
    before = previous.get("scalingHistory") or ()
    scaled_at = times.rfc3339(now) if acted.scaled_to is not None else None
    scalings = {
        "lastScaleTime": scaled_at or previous.get("lastScaleTime"),
        "scalingHistory": history.follow(before, acted, current, decision, strategy, now),
    }
    return {key: value for key, value in scalings.items() if value}


def _sources(
    spec: ScalerSpec,
    generation: int,
    observation: Observation,
    previous: Mapping[str, Any],
    now: datetime,
) -> Iterator[dict[str, Any]]:
    before = {entry.get("name"): entry for entry in previous.get("sources") or ()}
    for source in spec.metrics_sources:
        observed, old = observation.readings.get(source.key), before.get(source.key, {})
        entry: dict[str, Any] = {
            "name": source.key,
            "metric": naming.published_metric(source.key),
        }
        if isinstance(observed, Reading):
            entry["value"] = repr(observed.value)
            if observed.answered is not None:
                entry["answered"] = observed.answered
            if observed.of is not None:
                entry["of"] = observed.of
        elif isinstance(observed, NoData):
            if restoring.is_of(previous, generation):  # an edited query has no old value
                entry |= {key: old[key] for key in ("value", "answered", "of") if key in old}
            entry["noDataSince"] = old.get("noDataSince") or times.rfc3339(now)
            entry["reason"] = str(observed.reason)
        yield entry


def _prediction_status(schedule: Schedule) -> dict[str, Any] | None:
    """What schedules ask for, and when that changes; what is not so is left out."""
    changes_at = schedule.changes_at
    told = {
        "activeScheduleHint": schedule.hint,
        "nextPredictedChange": times.rfc3339(changes_at) if changes_at is not None else None,
    }
    return {key: value for key, value in told.items() if value is not None} or None


def _gpu_status(found: GpuReading) -> dict[str, Any]:
    """What GPUs there are, in whole percent; what is not told is left out."""
    status: dict[str, Any] = {"totalGPUs": found.gpus}
    if isinstance(found.memory, Reading):
        status["averageMemoryUtilization"] = round(found.memory.value)
    if isinstance(found.compute, Reading):
        status["averageComputeUtilization"] = round(found.compute.value)
    if found.gpu_type:
        status["gpuType"] = found.gpu_type
    return status


def _failure_reason(error: Exception) -> tuple[str, str]:
    if isinstance(error, InvalidSpecError):
        return "InvalidSpec", str(error)
    if isinstance(error, NotFoundError):
        return "TargetNotFound", f"{error}: check scaleTargetRef"
    if isinstance(error, KubeError):
        return "TargetNotReadable", f"the target cannot be read now: {error}"
    return "InternalError", "the evaluation failed; this is a bug, and the log of the leader has it"


def _with_conditions(
    status: Status,
    wanted: list[Condition],
    generation: int,
    previous: Mapping[str, Any],
    now: datetime,
) -> Report:
    before = previous.get("conditions") or ()
    rendered, transitions = conditions.merge(before, wanted, generation=generation, now=now)
    return Report({**status, "conditions": rendered}, tuple(transitions))
