"""Turns a decision, or the failure to make one, into a status and events.

A pure module: what the API server and the other copies get to see is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from budaiscaler.domain import conditions, times
from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.conditions import Condition, Transition
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import InvalidSpecError, KubeError, NotFoundError
from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.evaluator import restoring

Status = dict[str, Any]
EventType = Literal["Normal", "Warning"]


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
) -> Report:
    """Report a decision; `state` is the one after it, `previous` the status as it stands."""
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
    if decision.publishes and state.good_at is not None:
        # Without any data ever there is nothing to publish, and readers freeze. Nor while scaling
        # is disabled: the 0 of a workload that was switched off would shrink it when it is back.
        status["desiredLoad"] = quantity.format_milli(decision.desired_load)
        if state.good_at != now:
            status["holdingSince"] = times.rfc3339(state.good_at)
    wanted = [_ready(observation, decision), *decision.conditions]
    return _with_conditions(status, wanted, generation, previous, now)


def of_failure(
    error: Exception,
    generation: int,
    state: State,
    previous: Mapping[str, Any],
    now: datetime,
) -> Report:
    """Report that no decision could be made.

    A spec or a target that cannot be used publishes nothing. A failure that may pass, such as a
    scale that cannot be read just now, keeps the last figures of this spec, marked as held.
    """
    reason, message = _failure_reason(error)
    status: Status = {"observedGeneration": generation, "decisionTime": times.rfc3339(now)}
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
        # It is about the spec alone; dropped, it would be told anew after every failure.
        wanted += [
            Condition(c["type"], c["status"], c["reason"], c["message"])
            for c in previous.get("conditions") or ()
            if c["type"] == conditions.UNIT_ASSUMED
        ]
    return _with_conditions(status, wanted, generation, previous, now)


def events(transitions: tuple[Transition, ...]) -> Iterator[tuple[EventType, str, str]]:
    """Give type, reason and note of the events that transitions are worth.

    One cause is one event: a dead source turns Ready and ScalingActive over together. A scaler that
    is well from the start is no news.
    """
    by_type = {transition.now.type: transition for transition in transitions}
    for kind in (conditions.READY, conditions.SCALING_ACTIVE):
        transition = by_type.get(kind)
        if transition is None:
            continue
        if transition.now.status == "False":
            yield "Warning", transition.now.reason, transition.now.message
            break
        if transition.before is not None:
            yield (
                "Normal",
                "Recovered" if kind == conditions.READY else transition.now.reason,
                transition.now.message,
            )
            break
    assumed = by_type.get(conditions.UNIT_ASSUMED)
    if assumed is not None and assumed.now.status == "True":
        yield "Warning", conditions.UNIT_ASSUMED, assumed.now.message


def _ready(observation: Observation, decision: Decision) -> Condition:
    """Ready sums up: it is False while something keeps the scaler from being evaluated in full."""
    for name, observed in observation.readings.items():
        if isinstance(observed, NoData) and observed.reason.is_users_to_mend:
            return Condition(
                conditions.READY, "False", str(observed.reason), f"{name}: {observed.message}"
            )
    for condition in decision.conditions:
        if condition.type == conditions.SCALING_ACTIVE and condition.reason == "NoData":
            return Condition(conditions.READY, "False", condition.reason, condition.message)
    return Condition(conditions.READY, "True", "ScalerReady", "the scaler is evaluated")


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
