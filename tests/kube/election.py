"""Candidates for one Lease, each with a line and clocks of its own, and a log of who did work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import LEASES
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.fakes.link import Link

NAMESPACE, NAME = "budaiscaler-system", "budaiscaler-adapter"
PATH = LEASES.item(NAMESPACE, NAME)


@dataclass(slots=True)
class WallClock:
    """A clock that shows the loop's time since noon, wrong by `error`."""

    error: timedelta = timedelta()

    def __call__(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time()) + self.error


@dataclass(slots=True)
class Candidate:
    """A copy that takes part, and what can go wrong with it.

    Attributes:
        is_working: whether its work runs now.
        stops_in_s: how long its work takes to stop after it was cancelled.
    """

    name: str
    link: Link
    wall_clock: WallClock
    election: Election
    is_working: bool = False
    stops_in_s: float = 0.0
    _task: asyncio.Task[None] | None = None

    async def work(self) -> None:
        self.is_working = True
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(self.stops_in_s)
            self.is_working = False

    def start(self) -> asyncio.Task[None]:
        self._task = asyncio.ensure_future(self.election.run(self.work))
        return self._task

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@dataclass(slots=True)
class Field:
    """All candidates, watched at each tenth of a second for two that work at once."""

    server: FakeKube
    candidates: list[Candidate] = field(default_factory=list)

    def candidate(
        self,
        name: str,
        timing: LeaseTiming | None = None,
        vouches: Callable[[], bool] = lambda: True,
    ) -> Candidate:
        link, wall_clock = Link(self.server), WallClock()
        election = Election(
            link,
            NAMESPACE,
            NAME,
            name,
            timing=timing or LeaseTiming(),
            vouches=vouches,
            wall_clock=wall_clock,
            clock=asyncio.get_running_loop().time,
        )
        made = Candidate(name, link, wall_clock, election)
        self.candidates.append(made)
        return made

    @property
    def working(self) -> list[str]:
        return [candidate.name for candidate in self.candidates if candidate.is_working]

    @property
    def lease(self) -> Json:
        return self.server.objects[PATH]

    async def watch_for(self, seconds: float) -> list[tuple[float, list[str]]]:
        """Let time pass; gives each change of who works, and fails when two do."""
        loop = asyncio.get_running_loop()
        end, seen = loop.time() + seconds, [(loop.time(), self.working)]
        while loop.time() < end:
            await asyncio.sleep(0.1)
            assert len(self.working) <= 1, f"{self.working} work at once"
            if self.working != seen[-1][1]:
                seen.append((loop.time(), self.working))
        return seen

    async def stop(self) -> None:
        for candidate in self.candidates:
            await candidate.stop()
