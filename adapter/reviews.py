"""Questions to the cluster about who somebody is and what they may: few at a time, answered soon.

Anybody who reaches us can send tokens and paths by the thousand that nobody has asked about yet.
The reviews of them share their connections with the Lease and the reports, so only a few are under
way at once, some wait, and what is too much is refused. Refusals are remembered apart from grants:
else a flood of garbage would push out those who are known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec, TypeVar

from async_lru import alru_cache

from adapter.wire import ApiError
from budaiscaler.domain.errors import KubeError

TIMEOUT_S = 2.0
"""The HPA controller waits for us without an end, and has five workers for the whole cluster."""

REMEMBER_S = 10.0
GRANTS = 4096
REFUSALS = 1024
"""Fewer: a token that somebody made up may be 8 KiB long."""

AT_ONCE = 8
"""At 5 ms a review 1,600 are answered a second; the client has 100 connections for everything."""

WAITING = 256

P = ParamSpec("P")
T = TypeVar("T")


class RefusedError(Exception):
    """The cluster said no."""


class Reviews(Generic[P, T]):
    """One kind of question.

    Equal questions at the same time are one, and what was answered stands for ten seconds. That
    nobody could tell is not remembered.

    Attributes:
        granted: ask. Raises `RefusedError` for a no, and `ApiError` 503 when nobody can tell in
            time, or when too many are waiting already.
    """

    def __init__(self, ask: Callable[P, Awaitable[T | None]], unavailable: str) -> None:
        """Take what asks the cluster; it gives None for a no, and raises `KubeError`.

        Args:
            ask: gets what is asked about, by position.
            unavailable: message for who asked when nobody can tell.
        """
        self._ask = ask
        self._unavailable = unavailable
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._under_way = 0
        self._refused: dict[tuple[object, ...], asyncio.TimerHandle] = {}
        self.granted = alru_cache(maxsize=GRANTS, ttl=REMEMBER_S)(self._review)

    async def _review(self, *args: P.args, **kwargs: P.kwargs) -> T:
        if args in self._refused:
            raise RefusedError
        if self._under_way >= AT_ONCE + WAITING:
            raise ApiError(503, f"{self._unavailable}: too many are waiting")
        self._under_way += 1
        try:
            async with asyncio.timeout(TIMEOUT_S), self._slots:
                answer = await self._ask(*args, **kwargs)
        except (KubeError, TimeoutError) as error:
            raise ApiError(503, self._unavailable) from error
        finally:
            self._under_way -= 1
        if answer is None:
            self._remember_refusal(args)
            raise RefusedError
        return answer

    def _remember_refusal(self, args: tuple[object, ...]) -> None:
        if len(self._refused) >= REFUSALS:
            self._refused.pop(next(iter(self._refused))).cancel()
        forget = asyncio.get_running_loop().call_later
        self._refused[args] = forget(REMEMBER_S, self._refused.pop, args, None)
