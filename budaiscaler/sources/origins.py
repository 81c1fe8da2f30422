"""Takes turns at servers: so many requests at once, a deadline, and none to one that is silent.

An origin is a scheme, a host and a port. What is told of one that does not answer is told to every
scaler that asks it, so it names the origin and nothing of anybody's path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.breaker import Breaker

REQUESTS = 64
"""At once, over all origins."""
REQUESTS_PER_ORIGIN = 4
LONGEST_PAUSE_S = 30.0
FORGET_AFTER_S = 3600.0
"""An origin that nobody asked for so long is forgotten."""

_NO_ANSWER = frozenset({NoDataReason.UNREACHABLE, NoDataReason.TIMEOUT, NoDataReason.UNKNOWN_HOST})
"""What opens the breaker. An error that is answered is not among it: it is cheap, and may concern
one path or one user's credentials, while the breaker stops everybody on that origin."""

T = TypeVar("T")


@dataclass(slots=True)
class _Origin:
    """What is kept of one."""

    breaker: Breaker
    slots: asyncio.Semaphore
    asked_at_s: float = 0.0


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
        self, name: str, ask: Callable[[], Awaitable[T | NoData]], deadline_s: float | None = None
    ) -> T | NoData:
        """Ask when it is our turn, or give the last failure of an origin that does not answer.

        Args:
            name: of the origin.
            ask: asks it.
            deadline_s: of this request, where it is to be shorter than that of all.
        """
        shorter = deadline_s is not None and deadline_s < self.deadline_s
        limit_s = deadline_s if shorter and deadline_s is not None else self.deadline_s
        origin = self._origin(name)
        asked = False
        answer: T | NoData
        try:
            async with asyncio.timeout(self.deadline_s) as limit, origin.slots, self._slots:
                if (refusal := origin.breaker.refusal(self.clock())) is not None:
                    return refusal
                asked = True
                # A late turn is a whole one, or a crowd would make healthy servers look slow.
                limit.reschedule(asyncio.get_running_loop().time() + limit_s)
                answer = await ask()
        except TimeoutError:
            if not asked:
                message = (
                    f"{name} was not asked in time: too many slow endpoints are being asked; make "
                    "them answer faster"
                )
                return NoData(NoDataReason.TIMEOUT, message)
            how = "raise scrapeTimeout" if shorter else "have the operator raise --source-timeout"
            message = (
                f"{name} did not answer in full within {limit_s:g} s: make it answer faster, or "
                f"{how}"
            )
            answer = NoData(NoDataReason.TIMEOUT, message)
        if isinstance(answer, NoData) and answer.reason in _NO_ANSWER:
            origin.breaker.failed(answer, self.clock())
        else:
            origin.breaker.succeeded()
        return answer

    def _origin(self, name: str) -> _Origin:
        now_s = self.clock()
        origin = self._known.get(name)
        if origin is None:
            for known, other in list(self._known.items()):
                if now_s - other.asked_at_s > FORGET_AFTER_S:
                    del self._known[known]
            breaker = Breaker(cap_s=self.longest_pause_s, trial_s=self.deadline_s)
            origin = self._known[name] = _Origin(breaker, asyncio.Semaphore(REQUESTS_PER_ORIGIN))
        origin.asked_at_s = now_s
        return origin
