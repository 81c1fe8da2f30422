"""Conditions as Kubernetes means them: the transition time moves only when the status does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from budaiscaler.domain import times

Truth = Literal["True", "False", "Unknown"]

READY = "Ready"
SCALING_ACTIVE = "ScalingActive"
SCALING_LIMITED = "ScalingLimited"
UNIT_ASSUMED = "UnitAssumed"
PARTIAL_DATA = "PartialData"
FALLBACK = "Fallback"
PAUSED = "Paused"
CONTESTED = "Contested"
FIELDS_WITHOUT_EFFECT = "FieldsWithoutEffect"
SIGNAL_WARNING = "SignalWarning"
"""True where all that a scaler looks at is known to tell too little."""
CAPACITY_AVAILABLE = "CapacityAvailable"
"""False where replicas that were asked for get no place."""
WITHIN_BUDGET = "WithinBudget"
ABLE_TO_SCALE = "AbleToScale"
SCALE_TO_ZERO = "ScaleToZero"
EXACT_SCALING = "ExactScaling"
"""False where the API server drops an HPA's `tolerance`, so that steps below 10 % do not act."""

TYPES = (
    READY,
    ABLE_TO_SCALE,
    SCALING_ACTIVE,
    SCALING_LIMITED,
    UNIT_ASSUMED,
    PARTIAL_DATA,
    FALLBACK,
    PAUSED,
    CONTESTED,
    FIELDS_WITHOUT_EFFECT,
    SIGNAL_WARNING,
    CAPACITY_AVAILABLE,
    WITHIN_BUDGET,
    SCALE_TO_ZERO,
    EXACT_SCALING,
)
"""All that a scaler can have."""

WITHOUT_CHILD = ("ForeignAutoscaler", "ConflictDetected", "PublishOnly", "RecommendOnly")
"""Reasons of `AbleToScale` for which a scaler has no HPA of ours."""

MAX_MESSAGE = 1024
"""Characters; long enough for a sentence a source, short enough for a status."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What somebody wants to say, before it is known when it became so."""

    type: str
    status: Truth
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Transition:
    """A condition whose status changed, or which appeared."""

    before: Truth | None
    now: Condition


def merge(
    previous: Iterable[Mapping[str, Any]],
    wanted: Iterable[Condition],
    *,
    generation: int,
    now: datetime,
) -> tuple[list[dict[str, Any]], list[Transition]]:
    """Render `wanted` for the wire, keeping transition times of `previous` where a status stays.

    Args:
        previous: the conditions as they stand in the object, of whatever owner.
        wanted: all conditions the caller owns; those it leaves out disappear.
        generation: of the spec they are about.
        now: time of a transition.

    Returns:
        The conditions sorted by type, and the transitions in the order of `wanted`.
    """
    before = {condition.get("type"): condition for condition in previous}
    rendered: list[dict[str, Any]] = []
    transitions: list[Transition] = []
    for condition in wanted:
        old = before.get(condition.type)
        same = old is not None and old.get("status") == condition.status
        if not same:
            transitions.append(Transition(old.get("status") if old else None, condition))
        rendered.append(
            {
                "type": condition.type,
                "status": condition.status,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"]
                if same and old
                else times.rfc3339(now),
                "reason": condition.reason,
                "message": shorten(condition.message),
            }
        )
    return sorted(rendered, key=lambda condition: str(condition["type"])), transitions


def shorten(message: str) -> str:
    """Cut a message to what a status should carry."""
    return message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 1] + "…"
