"""The pretended workload: replicas that start, are lost, and find no node."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import shortfalls
from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.decision import Replicas


@dataclass(frozen=True, slots=True)
class Workload:
    """Replicas, oldest first.

    Attributes:
        startup: from a node to readiness.
        ready_at: of each replica when it is ready; None without a node.
        has_room: whether a replica that is asked for now finds a node.
        full_since: when a replica came to lack one; None while none does.
        starts: how many became ready so far, those of the beginning included.
    """

    startup: timedelta
    ready_at: tuple[datetime | None, ...]
    has_room: bool = True
    full_since: datetime | None = None
    starts: int = 0

    def replicas(self, now: datetime) -> Replicas:
        """Count as an observer does."""
        ready = sum(at is not None and at <= now for at in self.ready_at)
        return Replicas(len(self.ready_at), ready, self.ready_at.count(None))

    def startup_p95_s(self, now: datetime) -> float | None:
        """Measured start-up in seconds; None before enough starts were seen."""
        seen = self.starts + sum(at is not None and at <= now for at in self.ready_at)
        return self.startup.total_seconds() if seen >= shortfalls.STARTS_NEEDED else None

    @property
    def shortage(self) -> Shortage | None:
        """Why replicas have no node; None where all have."""
        if None not in self.ready_at:
            return None
        return Shortage(Obstacle.UNSCHEDULABLE, self.full_since, "the story leaves no room")

    @property
    def placed(self) -> int:
        """Replicas that have a node, and so a price."""
        return len(self.ready_at) - self.ready_at.count(None)

    def scaled(self, to: int, now: datetime) -> Workload:
        """Ask for so many: who has no node goes first, then who starts, then the newest."""
        more = to - len(self.ready_at)
        if more >= 0:
            new = now + self.startup if self.has_room else None
            return self._with((*self.ready_at, *([new] * more)), now)
        keeps = self._least_missed_first(now)[-more:]
        return self._with(tuple(self.ready_at[index] for index in sorted(keeps)), now)

    def lost(self, count: int, now: datetime) -> Workload:
        """Lose ready replicas; they start again, where they were."""
        again = now + self.startup
        ready_at, left = list(self.ready_at), count
        for index, at in enumerate(ready_at):
            if left and at is not None and at <= now:
                ready_at[index], left = again, left - 1
        return replace(self._with(tuple(ready_at), now), starts=self.starts + count - left)

    def without_node(self, count: int, now: datetime) -> Workload:
        """Leave so many without a node, those first that start, then the newest; 0 ends it.

        While there are any, nobody who comes finds one either.
        """
        chosen = set(self._least_missed_first(now)[:count])
        back = now + self.startup
        ready_at = tuple(
            None if index in chosen else at or back for index, at in enumerate(self.ready_at)
        )
        return replace(self._with(ready_at, now), has_room=count == 0)

    def _with(self, ready_at: tuple[datetime | None, ...], now: datetime) -> Workload:
        since = (self.full_since or now) if None in ready_at else None
        return replace(self, ready_at=ready_at, full_since=since)

    def _least_missed_first(self, now: datetime) -> list[int]:
        def worth(index: int) -> tuple[int, int]:
            at = self.ready_at[index]
            return (0 if at is None else 1 if at > now else 2), -index

        return sorted(range(len(self.ready_at)), key=worth)


def of(current: int, startup_s: float, now: datetime) -> Workload:
    """Begin with replicas that are all ready."""
    return Workload(timedelta(seconds=startup_s), (now,) * current)
