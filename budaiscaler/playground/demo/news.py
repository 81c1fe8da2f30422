"""What happens, as lines: the events of the API server, and what the servers log about trouble."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from budaiscaler.domain import times
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import EVENTS

KEPT = 200


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of news.

    Attributes:
        at: when, in the story.
        about: the name of what it is about.
        reason: in one word, as events have it.
        text: in a sentence.
        is_warning: whether it is bad news.
    """

    at: datetime
    about: str
    reason: str
    text: str
    is_warning: bool = False

    def render(self, began_at: datetime | None) -> str:
        """Write it, with the time since the story began."""
        at = since(self.at, began_at)
        return f"{at}  {'!' if self.is_warning else ' '} {self.about:12} {self.reason}: {self.text}"


@dataclass(slots=True)
class News:
    """Hears of events.

    Attributes:
        kube: the API server.
        lines: the last ones, oldest first.
        count: of all so far.
        listener: hears of each.
    """

    kube: Kube
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT))
    count: int = 0
    listener: Callable[[Line], None] = lambda _: None
    _cache: Cache[Json] = field(init=False)

    def __post_init__(self) -> None:
        self._cache = Cache(self.kube, EVENTS.collection(), lambda raw, _: raw)
        self._cache.subscribe(self._on_event)

    async def run(self) -> None:
        """Listen until cancelled."""
        await self._cache.run()

    def _on_event(self, _: Key, old: Json | None, new: Json | None) -> None:
        if new is None or old is not None:
            return
        self.count += 1
        line = _line(new)
        self.lines.append(line)
        self.listener(line)


def _line(event: Json) -> Line:
    at = times.parse(event.get("eventTime") or event["metadata"].get("creationTimestamp"))
    return Line(
        at or datetime.fromtimestamp(0, UTC),
        str((event.get("regarding") or {}).get("name", "")),
        str(event.get("reason", "")),
        str(event.get("note", "")).split("\n")[0],
        event.get("type") == "Warning",
    )


def since(at: datetime, began_at: datetime | None) -> str:
    """A time of the story, as hours, minutes and seconds since it began."""
    if began_at is None or at < began_at:
        return clock(0)
    return clock((at - began_at) // timedelta(seconds=1))


def clock(seconds: int) -> str:
    """So many seconds, as hours, minutes and seconds."""
    return f"{seconds // 3600:2}:{seconds // 60 % 60:02}:{seconds % 60:02}"
