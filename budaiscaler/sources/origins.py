"""Takes turns at servers: so many requests at once, a deadline, and none to one that is silent.

An origin is a scheme, a host and a port. What is told of one that does not answer is told to every
scaler that asks it, so it names the origin and nothing of anybody's path. Whether one answers may
depend on how it is asked (with which authorities, within which time), so whoever asks in a way of
his own is stopped, and stops others, only together with those that ask the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.breaker import Breaker

REQUESTS = 64
"""At once, over all origins."""
REQUESTS_PER_ORIGIN = 4
LONGEST_PAUSE_S = 30.0
MOST_WAYS = 64
"""Of asking one origin that are told apart; the oldest is forgotten first."""
FORGET_AFTER_S = 3600.0
"""An origin that nobody asked for so long is forgotten."""

_NO_ANSWER = frozenset({NoDataReason.UNREACHABLE, NoDataReason.TIMEOUT, NoDataReason.UNKNOWN_HOST})
"""What opens the breaker. An error that is answered is not among it: it is cheap, and may concern
one path or one user's credentials, while the breaker stops everybody on that origin."""

T = TypeVar("T")


@dataclass(slots=True)
class _Origin:
    """What is kept of one."""

    slots: asyncio.Semaphore
    breakers: dict[Hashable, Breaker] = field(default_factory=dict)
    asked_at_s: float = 0.0

    def breaker(self, way: Hashable, trial_s: float, pause_s: float) -> Breaker:
        """Give the one of those that ask in this way."""
        if way not in self.breakers and len(self.breakers) >= MOST_WAYS:
            del self.breakers[next(iter(self.breakers))]
        return self.breakers.setdefault(way, Breaker(cap_s=pause_s, trial_s=trial_s))


@dataclass(slots=True)
class Origins:
    """All that are being asked.

    Attributes:
        deadline_s: of one request, from connecting to the last byte; waiting for one's turn may
            take as long again.
        clock: monotonic seconds.
        requests: at once, over all origins.
        longest_pause_s: between two attempts at an origin that does not answer.
    """

    deadline_s: float
    clock: Callable[[], float]
    requests: int = REQUESTS
    longest_pause_s: float = LONGEST_PAUSE_S
    _slots: asyncio.Semaphore = field(init=False)
    _known: dict[str, _Origin] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._slots = asyncio.Semaphore(self.requests)

    async def ask(
        self,
        name: str,
        ask: Callable[[], Awaitable[T | NoData]],
        *,
        deadline_s: float | None = None,
        way: Hashable = None,
    ) -> T | NoData:
        """Ask when it is our turn, or give the last failure of an origin that does not answer.

        Args:
            name: of the origin.
            ask: does it.
            deadline_s: shorter than the one of all.
            way: how it is asked, if not as usual.
        """
        origin = self._origin(name)
        limit_s = self.deadline_s if deadline_s is None else min(deadline_s, self.deadline_s)
        breaker = origin.breaker((way, limit_s), self.deadline_s, self.longest_pause_s)
        asked = False
        answer: T | NoData
        try:
            async with asyncio.timeout(self.deadline_s) as limit, origin.slots, self._slots:
                if (refusal := breaker.refusal(self.clock())) is not None:
                    return refusal
                asked = True
                # A late turn is a whole one, or a crowd would make healthy servers look slow.
                limit.reschedule(asyncio.get_running_loop().time() + limit_s)
                answer = await ask()
        except TimeoutError:
            answer = self._late(name, limit_s) if asked else _crowded(name)
            if not asked:
                return answer
        if isinstance(answer, NoData) and answer.reason in _NO_ANSWER:
            breaker.failed(answer, self.clock())
        else:
            breaker.succeeded()
        return answer

    def _late(self, name: str, limit_s: float) -> NoData:
        remedy = (
            "have the operator raise --source-timeout"
            if limit_s == self.deadline_s
            else "raise scrapeTimeout"
        )
        message = (
            f"{name} did not answer in full within {limit_s:g} s: make it answer faster, or "
            f"{remedy}"
        )
        return NoData(NoDataReason.TIMEOUT, message)

    def _origin(self, name: str) -> _Origin:
        now_s = self.clock()
        origin = self._known.get(name)
        if origin is None:
            for known, other in list(self._known.items()):
                if now_s - other.asked_at_s > FORGET_AFTER_S:
                    del self._known[known]
            origin = self._known[name] = _Origin(asyncio.Semaphore(REQUESTS_PER_ORIGIN))
        origin.asked_at_s = now_s
        return origin


def _crowded(name: str) -> NoData:
    message = (
        f"{name} was not asked in time: too many slow endpoints are being asked; make them answer "
        "faster"
    )
    return NoData(NoDataReason.TIMEOUT, message)
