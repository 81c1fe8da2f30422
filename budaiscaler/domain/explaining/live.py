"""A live scaler's last decision, read back from its status, and the observation it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from budaiscaler.domain import times
from budaiscaler.domain.api import quantity
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, NextChange, Replicas, Rung, Stage
from budaiscaler.domain.errors import InvalidInputError, InvalidSpecError, Problem
from budaiscaler.domain.explaining import observations, steady
from budaiscaler.domain.explaining.explanation import Explanation
from budaiscaler.domain.explaining.observations import (
    Factor,
    GpuGiven,
    ObservationGiven,
    ReadingGiven,
    ReplicasGiven,
)
from budaiscaler.domain.explaining.subjects import Subject

Json = Mapping[str, Any]


def explanation(
    subject: Subject, status: Json, replicas: Replicas, now: datetime, factor: Factor
) -> Explanation:
    """Explain the decision that a status tells.

    Args:
        subject: the scaler.
        status: of it.
        replicas: of its workload, by now; how many there should be then, the status tells.
        now: used where the status has no time of the decision.
        factor: of each source's unit.

    Raises:
        InvalidInputError: the scaler was not decided yet, or by a version that is not known here.
    """
    given = observation(subject, status, replicas, factor)
    decided_at = given.now or now
    seen = observations.observation(given, subject, decided_at, factor)
    state = steady.state(subject.spec, seen.replicas.current, decided_at, given.last_scale_time)
    return Explanation(subject, given, seen, state, _decision(status), decided_at)


def is_steady(explanation: Explanation) -> bool:
    """Whether the decision is what the world as it is asks for, with no history in it."""
    again, _ = decide(
        explanation.subject.spec, explanation.observation, explanation.state, explanation.now
    )
    return again.desired_replicas == explanation.decision.desired_replicas


def observation(
    subject: Subject, status: Json, replicas: Replicas, factor: Factor
) -> ObservationGiven:
    """Write down what the decision of a status was made of, for `--observation`."""
    told = {entry.get("name"): entry for entry in status.get("sources") or ()}
    readings = {
        source.key: _reading(told.get(source.key, {}), factor(source))
        for source in subject.spec.metrics_sources
    }
    gpu = status.get("gpuStatus") or {}
    memory, compute = (
        None if gpu.get(key) is None else float(gpu[key])
        for key in ("averageMemoryUtilization", "averageComputeUtilization")
    )
    return ObservationGiven(
        now=times.parse(status.get("decisionTime")),
        replicas=ReplicasGiven(
            current=int(status.get("actualScale", replicas.current)),
            ready=replicas.ready,
            unschedulable=replicas.unschedulable,
            starting=replicas.lost_or_starting,
        ),
        last_scale_time=times.parse(status.get("lastScaleTime")),
        readings=readings,
        gpu=GpuGiven(memory=memory, compute=compute) if gpu else None,
    )


def _reading(entry: Json, factor: float) -> float | ReadingGiven | None:
    if entry.get("noDataSince") or entry.get("value") is None:
        return None
    value = float(entry["value"]) / factor
    answered, of = entry.get("answered"), entry.get("of")
    if answered is None and of is None:
        return value
    return ReadingGiven(value=value, answered=answered, of=of)


def _decision(status: Json) -> Decision:
    if "desiredScale" not in status:
        why = next(
            (
                f"{one.get('reason')}: {one.get('message')}"
                for one in status.get("conditions") or ()
                if one.get("type") == "Ready"
            ),
            "the servers have not looked at it; is the one of its strategy running?",
        )
        raise InvalidInputError([Problem((), f"the scaler is not decided yet: {why}")])
    try:
        return Decision(
            desired_replicas=int(status["desiredScale"]),
            desired_load=quantity.parse(status.get("desiredLoad", str(status["desiredScale"]))),
            bound_by=Stage(status.get("boundBy", "")),
            rungs=tuple(map(_rung, status.get("reasons") or ())),
            conditions=tuple(map(_condition, status.get("conditions") or ())),
            next_change=_next(status.get("next")),
            publishes="desiredLoad" in status,
        )
    except (ValueError, KeyError, InvalidSpecError) as error:
        message = f"the status is of a version that this one does not know ({error}); use its tool"
        raise InvalidInputError([Problem(("status",), message)]) from error


def _rung(raw: Json) -> Rung:
    return Rung(
        Stage(raw["stage"]), Code(raw["code"]), int(raw["from"]), int(raw["to"]), raw["message"]
    )


def _condition(raw: Json) -> Condition:
    return Condition(raw["type"], raw["status"], raw.get("reason", ""), raw.get("message", ""))


def _next(raw: Json | None) -> NextChange | None:
    at = times.parse(raw.get("time")) if raw else None
    return NextChange(at, str((raw or {}).get("message", ""))) if at is not None else None
