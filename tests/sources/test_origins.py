"""Turns at servers: how many at once, what opens the breaker, and whom that concerns."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.origins import REQUESTS, REQUESTS_PER_ORIGIN, Origins

pytestmark = pytest.mark.looptime

A, B = "http://a:80", "http://b:80"
DOWN = NoData(NoDataReason.UNREACHABLE, "it is down")


class Server:
    """Answers after a while, and counts.

    Attributes:
        asked: how often it was.
        most: at once.
    """

    def __init__(self, answer: str | NoData, takes_s: float = 0) -> None:
        self.answer = answer
        self.takes_s = takes_s
        self.asked = 0
        self.most = 0
        self._now = 0

    async def __call__(self) -> str | NoData:
        self.asked += 1
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self._now -= 1
        return self.answer


def origins(deadline_s: float = 10.0) -> Origins:
    return Origins(deadline_s, asyncio.get_running_loop().time)


async def test_few_at_once_of_one() -> None:
    """However many ask one origin, only some are on it at a time, and all get their answer."""
    every, server = origins(), Server("1", takes_s=1)
    found = await asyncio.gather(*(every.ask(A, server) for _ in range(3 * REQUESTS_PER_ORIGIN)))
    assert set(found) == {"1"}
    assert server.most == REQUESTS_PER_ORIGIN


async def test_few_at_once_of_all() -> None:
    """However many origins there are, only so many requests are under way."""
    every, server = origins(), Server("1", takes_s=1)
    await asyncio.gather(*(every.ask(f"http://{n}:80", server) for n in range(2 * REQUESTS)))
    assert server.most == REQUESTS


async def test_waiting_is_limited() -> None:
    """Who does not get its turn in time is told that, and the origin is not blamed for it."""
    every, slow, server = origins(), Server("1", takes_s=9.9), Server("2", takes_s=9.9)
    for turn in range(4):
        crowd = [
            asyncio.ensure_future(every.ask(f"http://{n}:{port}", slow))
            for port in (turn, turn + 1000)
            for n in range(REQUESTS)
        ]
        await asyncio.sleep(1)
        late = await every.ask(B, server)
        assert isinstance(late, NoData)
        assert late.reason is NoDataReason.TIMEOUT
        assert "was not asked in time: too many slow endpoints" in late.message
        assert {await asked for asked in crowd} == {"1"}
    assert await every.ask(B, server) == "2"


async def test_a_silent_origin_is_left_alone() -> None:
    """After three failures it is asked ever less often; another port is another origin."""
    every, down, well = origins(), Server(DOWN), Server("1")
    for _ in range(60):
        assert await every.ask(A, down) == DOWN
        assert await every.ask(B, well) == "1"
        await asyncio.sleep(1)
    assert down.asked < 10
    assert well.asked == 60


async def test_an_origin_that_hangs_is_left_alone() -> None:
    """A time-out counts as silence."""
    every, hung = origins(1.0), Server("never", takes_s=99)
    found = [await every.ask(A, hung) for _ in range(9)]
    assert {answer.reason for answer in found if isinstance(answer, NoData)} == {"Timeout"}
    assert hung.asked == 3


@pytest.mark.parametrize(
    "reason", [NoDataReason.HTTP_ERROR, NoDataReason.BAD_ANSWER, NoDataReason.BAD_ENDPOINT]
)
async def test_an_error_that_is_answered_stops_nobody(reason: NoDataReason) -> None:
    """One user's wrong password or path does not take the origin from the others."""
    every, wrong = origins(), Server(NoData(reason, "no"))
    for _ in range(9):
        await every.ask(A, wrong)
    assert wrong.asked == 9


async def test_it_is_asked_again_when_it_is_back() -> None:
    """The first answer closes the breaker."""
    every, server = origins(), Server(DOWN)
    for _ in range(4):
        await every.ask(A, server)
    server.answer = "1"
    await asyncio.sleep(40)
    assert [await every.ask(A, server) for _ in range(3)] == ["1", "1", "1"]
