"""Reads a status back: what a leader takes over of the one before, and which share is ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from budaiscaler.domain import conditions, times
from budaiscaler.domain.api import quantity
from budaiscaler.domain.decision import State
from budaiscaler.domain.errors import QuantityError
from budaiscaler.domain.memories import Activity
from budaiscaler.domain.readings import Reading

OWNED_CONDITIONS = (
    conditions.READY,
    conditions.SCALING_ACTIVE,
    conditions.SCALING_LIMITED,
    conditions.UNIT_ASSUMED,
    conditions.PARTIAL_DATA,
    conditions.FALLBACK,
    conditions.PAUSED,
    conditions.CONTESTED,
    conditions.FIELDS_WITHOUT_EFFECT,
    conditions.SIGNAL_WARNING,
    conditions.CAPACITY_AVAILABLE,
    conditions.WITHIN_BUDGET,
)

OWNED_FIELDS = (
    "observedGeneration",
    "actualScale",
    "desiredScale",
    "desiredLoad",
    "boundBy",
    "reasons",
    "next",
    "decisionTime",
    "holdingSince",
    "sources",
    "gpuStatus",
    "predictionStatus",
)


DECISION_STATE = "decisionState"
"""What goes along with each write, and asks for none: no reader acts on it."""

SCALINGS = ("lastScaleTime", "scalingHistory")
"""Fields of whoever scales: the evaluator where it acts, else the controller that keeps an HPA."""

OF_WHO_ACTS = (conditions.ABLE_TO_SCALE, conditions.SCALE_TO_ZERO)
"""Conditions of whoever scales, in the same way."""


def state_of(status: Mapping[str, Any], as_of: datetime | None) -> State:
    """Tell what a status says without its decisionState: since when all that it reports holds.

    Args:
        status: the status as it stands.
        as_of: when the leader before last vouched for what it reported.
    """
    held_since = times.parse(status.get("holdingSince"))
    is_published = _has_load(status)
    return State(
        good_at=held_since or (as_of if is_published else None),
        activity=Activity(is_initialized=is_published),
    )


def value_of(entry: Mapping[str, Any]) -> float | None:
    """Read back the value of a source's entry, which somebody else may have edited."""
    try:
        return Reading(float(entry["value"])).value
    except (KeyError, TypeError, ValueError):
        return None


def own_part(status: Mapping[str, Any], *, acts: bool) -> dict[str, Any]:
    """Pick the evaluator's share out of a status that others write to as well.

    Args:
        status: as it stands.
        acts: whether the evaluator scales itself, and so tells of scalings.
    """
    fields = (*OWNED_FIELDS, *SCALINGS) if acts else OWNED_FIELDS
    types = (*OWNED_CONDITIONS, *OF_WHO_ACTS) if acts else OWNED_CONDITIONS
    own = {key: status[key] for key in fields if key in status}
    owned = [c for c in status.get("conditions") or () if c.get("type") in types]
    return {**own, "conditions": sorted(owned, key=lambda c: str(c["type"]))}


def is_of(status: Mapping[str, Any], generation: int) -> bool:
    """Tell whether a status is about the spec of that generation."""
    return status.get("observedGeneration") == generation


def _has_load(status: Mapping[str, Any]) -> bool:
    try:
        quantity.parse(status["desiredLoad"])
    except (KeyError, QuantityError):
        return False
    return True
