"""Plans in short, for tables."""

from __future__ import annotations

from budaiscaler.domain.api import naming
from controller.planning import Plan

ADOPTING = {naming.ADOPT_ANNOTATION: "theirs"}
OWN = "scaler-chat"


def verdict(plan: Plan) -> tuple[str | None, str | None, tuple[str, ...], list[tuple[str, ...]]]:
    """What is wanted, replaced and removed, by name, and the conditions without their messages."""
    return (
        plan.wanted["metadata"]["name"] if plan.wanted else None,
        plan.replaces.name if plan.replaces else None,
        tuple(one.name for one in plan.removes),
        [(told.type, told.status, told.reason) for told in plan.conditions],
    )


OWNED = ("AbleToScale", "True", "HPAOwned")
FOREIGN = ("AbleToScale", "False", "ForeignAutoscaler")
PUBLISH = ("AbleToScale", "True", "PublishOnly")
RECOMMEND = ("AbleToScale", "True", "RecommendOnly")
