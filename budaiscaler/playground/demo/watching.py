"""A demo on a screen: draws it a few times a second, and does what keys ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rich.live import Live

from budaiscaler.kube.cache import Cache
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import BUDAISCALERS
from budaiscaler.playground.demo import accounts, board, keys, screen, stage
from budaiscaler.playground.demo.news import News
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.demo.screen import View
from budaiscaler.playground.demo.stage import Stage
from budaiscaler.playground.manifests import NAMESPACE
from budaiscaler.playground.scenarios import Incident

DRAW_EVERY_S = 0.25
SECONDS_SHOWN = 40

_INCIDENTS = {
    "k": Incident.KILL_POD,
    "s": Incident.LOSE_PODS,
    "r": Incident.ROLL_OUT,
}


@dataclass(slots=True)
class Watch:
    """What is shown of a stage.

    Attributes:
        on: the stage.
        news: events.
        sent: requests of the last looks.
        wishes: keys that were pressed and not yet obeyed.
    """

    on: Stage
    news: News
    sent: deque[int] = field(default_factory=lambda: deque(maxlen=SECONDS_SHOWN))
    wishes: asyncio.Queue[str] = field(default_factory=lambda: asyncio.Queue(8))
    _scalers: Cache[Json] = field(init=False)
    _drawn_second: int = -1

    def __post_init__(self) -> None:
        self._scalers = Cache(self.on.kube, BUDAISCALERS.collection(), lambda raw, _: raw)

    async def listen(self) -> None:
        """Keep up to date until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._scalers.run())
            group.create_task(self.news.run())

    def press(self, key: str) -> None:
        """Take note of a key; more than a few that wait are forgotten."""
        if not self.wishes.full():
            self.wishes.put_nowait(key)

    async def obey(self) -> None:
        """Do what keys ask for, until one asks to quit."""
        while (key := await self.wishes.get()) not in ("q", "\x03"):
            if key == "m":
                is_broken = self.on.play.servers.is_broken
                await self.on.play.happen(
                    Incident.MEND_METRICS if is_broken else Incident.BREAK_METRICS
                )
            elif key in _INCIDENTS:
                await self.on.play.happen(_INCIDENTS[key])

    def view(self) -> View:
        """Everything as it is now."""
        on, play = self.on, self.on.play
        if play.second != self._drawn_second:
            self._drawn_second = play.second
            self.sent.append(play.sent)
        options = on.options
        statuses: dict[str, Any] = {
            key[1]: raw.get("status") or {} for key, raw in self._scalers if key[0] == NAMESPACE
        }
        return View(
            title=title(options),
            about=options.scenario.about,
            second=play.second,
            began_at=on.began_at,
            sent=list(self.sent),
            is_broken=play.servers.is_broken,
            rows=board.rows(play, statuses),
            lines=list(self.news.lines),
            kubeconfig=str(on.kubeconfig),
        )


def title(options: Options) -> str:
    """What is shown, and how to have it again."""
    traffic = "a trace" if options.trace is not None else options.scenario.name
    return f"budaiscaler demo: {traffic}, speed {options.speed:g}, seed {options.seed}"


async def run(options: Options, live: Live) -> str:
    """Show it until it ends, or somebody quits.

    Returns:
        What it came to, for people.

    Raises:
        ExceptionGroup: of a PlaygroundError: it could not go on.
    """
    async with stage.opened(options) as on:
        watch = Watch(on, News(on.kube))
        await _show(watch, live)
    return accounts.table(accounts.summary(on.play, on.log, events=watch.news.count))


async def _show(watch: Watch, live: Live) -> None:
    """Draw until the story has ended, or a key ended it."""
    with keys.pressed(watch.press):
        story = asyncio.create_task(watch.on.run())
        obeying = asyncio.create_task(watch.obey())
        listening = asyncio.create_task(watch.listen())
        tasks = (story, obeying, listening)
        try:
            while not any(task.done() for task in tasks):
                live.update(screen.draw(watch.view(), *live.console.size), refresh=True)
                await asyncio.wait(tasks, timeout=DRAW_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
