"""Replicas that were asked for and never placed, and what follows from them.

A quota, or whoever else admits pods, refuses to have them made; or no node has room for them. They
serve nothing, so they are no loss of pods, nobody waits for them, and they may go at once. After
five minutes no more are asked for beyond them. They themselves stay asked for as long as they are
needed: that is how it is noticed that there is room again, by the scheduler, by whatever adds
nodes, and by us.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from budaiscaler.domain import conditions, times
from budaiscaler.domain.conditions import Condition

PATIENCE = timedelta(minutes=5)
"""For capacity to come, before the ask stops growing."""

SHOWN = 300
"""Characters of what a scheduler or a quota says."""


class Obstacle(StrEnum):
    """What keeps a replica from being placed. Codes are stable: conditions carry them."""

    QUOTA_EXCEEDED = "QuotaExceeded"
    FAILED_CREATE = "FailedCreate"
    UNSCHEDULABLE = "Unschedulable"


_WORDS = {
    Obstacle.QUOTA_EXCEEDED: "a quota refuses",
    Obstacle.FAILED_CREATE: "the API server refuses",
    Obstacle.UNSCHEDULABLE: "no node takes",
}


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why replicas are not placed.

    Attributes:
        obstacle: of the one that waits longest.
        since: when it began to; None where that is not told.
        message: what the cluster says of it.
    """

    obstacle: Obstacle
    since: datetime | None
    message: str = ""


def is_out(shortage: Shortage | None, unplaced: int, now: datetime) -> bool:
    """Whether there is no more to be had: something has waited for as long as we are patient."""
    if shortage is None or shortage.since is None or not unplaced:
        return False
    return now - shortage.since >= PATIENCE


def longest(shortages: Iterable[Shortage]) -> Shortage | None:
    """Choose the one that has lasted longest."""
    return min(
        shortages,
        key=lambda one: (one.since is None, one.since.timestamp() if one.since else 0.0),
        default=None,
    )


def condition(shortage: Shortage | None, unplaced: int, current: int, now: datetime) -> Condition:
    """Tell whether there is room for what is asked for.

    Args:
        shortage: None where nobody knows why.
        unplaced: replicas that were never placed.
        current: replicas that are asked for.
        now: time of the decision.
    """
    if not unplaced:
        message = "every replica that was asked for has a place, or is on its way to one"
        return Condition(conditions.CAPACITY_AVAILABLE, "True", "ReplicasPlaced", message)
    obstacle = shortage.obstacle if shortage is not None else Obstacle.UNSCHEDULABLE
    message = f"{_WORDS[obstacle]} {unplaced} of {current} replicas"
    if shortage is not None and shortage.since is not None:
        message = f"{message} since {times.rfc3339(shortage.since)}"
    if is_out(shortage, unplaced, now):
        message = f"{message}, so no more are asked for"
    if shortage is not None and shortage.message:
        message = f"{message}: {shortage.message[:SHOWN]}"
    return Condition(conditions.CAPACITY_AVAILABLE, "False", str(obstacle), message)
