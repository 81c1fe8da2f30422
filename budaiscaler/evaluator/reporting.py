"""Turns a decision, or the failure to make one, into a status, and says if it is worth a write.

A pure module: what the API server and the other copies get to see is decided here. Writes are the
scarce thing: a thousand steady scalers must not keep an API server busy, so a change that no reader
acts on waits for up to a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from budaiscaler.domain import conditions, times
from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.conditions import Condition, Transition
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import InvalidSpecError, KubeError, NotFoundError, QuantityError
from budaiscaler.domain.readings import NoData, Reading

MINOR_WRITE_EVERY_S = 60.0
JITTER_WAITS_S = 240.0
"""A load that only jitters is rewritten every five minutes: the writes of a large steady fleet took
a tenth of the adapter's time."""
VALUE_MOVED = 0.05

OWNED_CONDITIONS = (
    conditions.READY,
    conditions.SCALING_ACTIVE,
    conditions.SCALING_LIMITED,
    conditions.UNIT_ASSUMED,
)

Status = dict[str, Any]
EventType = Literal["Normal", "Warning"]


OWNED_FIELDS = (
    "observedGeneration",
    "actualScale",
    "desiredScale",
    "desiredLoad",
    "boundBy",
    "reasons",
    "decisionTime",
    "holdingSince",
    "sources",
)


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
    active = any(
        c.type == conditions.SCALING_ACTIVE and c.status == "True" for c in decision.conditions
    )
    if active or state.good_at is not None:
        # Without any data ever there is nothing to publish, and readers freeze. Nor while scaling
        # is disabled: the 0 of a workload that was switched off would shrink it when it is back.
        status["desiredLoad"] = quantity.format_milli(decision.desired_load)
    if not active and state.good_at is not None:
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
    if passing and state.good_at is not None and _is_of(previous, generation):
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


def state_of(status: Mapping[str, Any], generation: int, as_of: datetime | None) -> State:
    """Read back the state of the leader before, as far as what it reported tells.

    Args:
        status: the status as it stands.
        generation: of the spec now; a load that another spec asked for, perhaps of another
            workload, must hold nothing up.
        as_of: when that leader last vouched for what it reported.
    """
    load = _load_of(status)
    held_since = times.parse(status.get("holdingSince"))
    return State(
        recommended_load=load if _is_of(status, generation) else None,
        good_at=held_since or (as_of if load is not None else None),
    )


def value_of(entry: Mapping[str, Any]) -> float | None:
    """Read back the value of a source's entry, which somebody else may have edited."""
    try:
        return Reading(float(entry["value"])).value
    except (KeyError, TypeError, ValueError):
        return None


def own_part(status: Mapping[str, Any]) -> Status:
    """Pick the evaluator's share out of a status that others write to as well."""
    own = {key: status[key] for key in OWNED_FIELDS if key in status}
    owned = [c for c in status.get("conditions") or () if c.get("type") in OWNED_CONDITIONS]
    return {**own, "conditions": sorted(owned, key=lambda c: str(c["type"]))}


def is_significant(
    old: Mapping[str, Any], new: Mapping[str, Any], is_read: Callable[[str], bool]
) -> bool:
    """Tell whether a reader acts on the difference, so that it cannot wait.

    Args:
        old: the status as last written.
        new: the status as it would be written.
        is_read: whether some HPA selects a source metric of that name.
    """
    if any(old.get(key) != new.get(key) for key in _ACTED_ON) or _verdicts(old) != _verdicts(new):
        return True
    if ("desiredLoad" in old) != ("desiredLoad" in new):
        return True
    before = {entry["name"]: entry for entry in old.get("sources") or ()}
    after = {entry["name"]: entry for entry in new.get("sources") or ()}
    return before.keys() != after.keys() or any(
        _source_changed(before[name], after[name], is_read) for name in after
    )


def is_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether anything but the time of the decision differs."""
    return {**old, "decisionTime": None} != {**new, "decisionTime": None}


def is_jitter(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether the two differ in nothing but figures that moved a little, and their wording."""
    before = {entry["name"]: value_of(entry) for entry in old.get("sources") or ()}
    after = {entry["name"]: value_of(entry) for entry in new.get("sources") or ()}
    return (
        is_changed(old, new)
        and _course(old) == _course(new)
        and before.keys() == after.keys()
        and not any(_moved(before[name], after[name]) for name in after)
    )


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


_ACTED_ON = ("observedGeneration", "actualScale", "desiredScale", "holdingSince")


def _verdicts(status: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    return {(c["type"], c["status"], c["reason"]) for c in status.get("conditions") or ()}


def _source_changed(
    old: Mapping[str, Any], new: Mapping[str, Any], is_read: Callable[[str], bool]
) -> bool:
    if (old.get("noDataSince") is None) != (new.get("noDataSince") is None):
        return True
    if old.get("value") == new.get("value") or not is_read(str(new["metric"])):
        return False
    return _moved(value_of(old), value_of(new))


def _moved(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > VALUE_MOVED * abs(before)


def _course(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """How a decision came about, without its figures."""
    steps = [(rung["stage"], rung["code"]) for rung in status.get("reasons") or ()]
    return status.get("boundBy"), steps, _verdicts(status)


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
            if observed.samples is not None:
                entry["samples"] = observed.samples
        elif isinstance(observed, NoData):
            if _is_of(previous, generation):  # an edited query has no old value
                entry |= {key: old[key] for key in ("value", "samples") if key in old}
            entry["noDataSince"] = old.get("noDataSince") or times.rfc3339(now)
            entry["reason"] = str(observed.reason)
        yield entry


def _load_of(status: Mapping[str, Any]) -> float | None:
    try:
        return quantity.parse(status["desiredLoad"])
    except (KeyError, QuantityError):
        return None


def _is_of(status: Mapping[str, Any], generation: int) -> bool:
    return status.get("observedGeneration") == generation


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
