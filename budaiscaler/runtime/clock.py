"""Which time it is for decisions, sources and statuses.

It is the real time, but in the playground: there one clock runs at another speed in all processes
of a demo. Only what is decided and reported follows it. Leases, certificates and time-outs are
about processes and networks, which are as fast as ever, and keep to the real time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

MOST_SPEED = 600.0
"""Beyond it an evaluation takes longer than the interval that it is made in."""

SHORTEST_REAL_INTERVAL_S = 0.05
"""However fast a story runs, a scaler is evaluated no more often: two cores do no more."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """The two faces of one time.

    Attributes:
        monotonic: seconds that only grow.
        wall: the time of day, aware.
        speed: how many of its seconds pass in a real one.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], datetime] = _now
    speed: float = 1.0

    def __str__(self) -> str:
        return "the real one" if self.speed == 1 else f"{self.speed:g} times as fast"

    def real_s(self, for_s: float) -> float:
        """How long one has to wait for so many seconds of this clock to pass."""
        return for_s / self.speed

    @property
    def least_interval_s(self) -> float:
        """Shortest interval that can be kept at this speed, in seconds of this clock."""
        return 0.0 if self.speed == 1 else self.speed * SHORTEST_REAL_INTERVAL_S

    def as_old_as(self, real: datetime | None) -> datetime | None:
        """A moment of this clock that is as many seconds ago as `real` is by the real one.

        A leader renews its word each two real seconds. Taken as seconds of a story that runs 600
        times as fast, its word would be twenty minutes old each time before it is renewed.
        """
        return real if real is None or self.speed == 1 else self.wall() - (_now() - real)


REAL = Clock()


@dataclass(frozen=True, slots=True)
class Story:
    """A time that began at some moment, and runs at its own speed from there; before it, too.

    Attributes:
        speed: how many seconds of it pass in a real one.
        began_s: that moment on the machine's monotonic clock, which all processes share.
        began_at_s: the time of day then, in seconds since the epoch.
    """

    speed: float
    began_s: float
    began_at_s: float

    def __str__(self) -> str:
        return f"{self.speed!r}@{self.began_s!r}@{self.began_at_s!r}"

    @property
    def clock(self) -> Clock:
        """It as a clock."""
        return Clock(self.monotonic_s, self.now, self.speed)

    def monotonic_s(self) -> float:
        """Seconds that only grow."""
        return self.began_s + (time.monotonic() - self.began_s) * self.speed

    def now(self) -> datetime:
        """The time of day."""
        return datetime.fromtimestamp(self.began_at_s + self.monotonic_s() - self.began_s, UTC)


def begin(speed: float) -> Story:
    """A story that begins now."""
    return Story(speed, time.monotonic(), time.time())


def parse(text: object) -> Clock:
    """Read what `Story` writes; nothing is the real time.

    Raises:
        ValueError: when it is none.
    """
    if text is None or isinstance(text, Clock):
        return text or REAL
    parts = str(text).split("@")
    try:
        speed, began_s, began_at_s = map(float, parts)
    except ValueError as error:
        raise ValueError(f"{text!r} is no clock: the playground writes SPEED@SECONDS@EPOCH") from (
            error
        )
    if not 1 <= speed <= MOST_SPEED:
        raise ValueError(f"a clock runs at a speed from 1 to {MOST_SPEED:g}, not {speed:g}")
    return Story(speed, began_s, began_at_s).clock
