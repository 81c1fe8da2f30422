"""Merged queries: what is asked at once, what of it each is told, and when each goes alone."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.batching import APART_S, CHUNK, FORGET_AFTER_S, Batches
from budaiscaler.sources.measuring import Flights

pytestmark = pytest.mark.looptime

PLACE = ("http://p:9090", "")


class Server:
    """Answers merged queries: each number of a model is the length of its name.

    Attributes:
        asked: every query.
        failure: answered instead.
        absent: models of which it has nothing.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: NoData | None = None
        self.absent: set[str] = set()
        self.flights = Flights()
        self.batches = Batches(asyncio.get_running_loop().time, self.flights)

    async def fetch(self, query: str, label: str) -> Mapping[str, float] | NoData:
        self.asked.append(query)
        await asyncio.sleep(0.1)
        if self.failure is not None:
            return self.failure
        pattern = re.search(rf'{label}=~"([^"]*)"', query)
        assert pattern is not None
        models = set(pattern[1].split("|")) - self.absent
        return {model: float(len(model)) for model in models}

    async def ask(self, model: str, *, max_age_s: float = 7.5) -> Sample | NoData | None:
        query = f'sum(queue{{model="{model}"}})'
        return await self.batches.ask(PLACE, query, max_age_s, self.fetch)


def values(found: list[Sample | NoData | None]) -> list[float]:
    """The numbers there are."""
    return [one.values[0] for one in found if isinstance(one, Sample)]


async def test_many_at_once() -> None:
    """Those that come together are asked for together, and each is told its own number."""
    server = Server()
    found = await asyncio.gather(*(server.ask("x" * (1 + number)) for number in range(50)))

    assert found[0] is None  # it was alone
    assert values(found) == list(range(2, 51))
    assert len(server.asked) == 1


async def test_many_over_an_interval() -> None:
    """1,000 scalers that ask at their own times in 15 s cost some queries an interval."""
    server = Server()

    async def scaler(number: int) -> None:
        await asyncio.sleep(15 * number / 1000)
        for _ in range(3):
            await server.ask(f"m{number}")
            await asyncio.sleep(15)

    tasks = [asyncio.ensure_future(scaler(number)) for number in range(1000)]
    await asyncio.sleep(15)
    before = len(server.asked)
    await asyncio.sleep(30)
    steady = (len(server.asked) - before) / 2
    await asyncio.gather(*tasks)

    assert steady <= 3 * 1000 / CHUNK


async def test_a_value_that_is_not_there() -> None:
    """A model without a series is told so, as it would be alone; the others have theirs."""
    server = Server()
    server.absent.add("b")
    await server.ask("a")
    found = await server.ask("b")

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.EMPTY_RESULT
    assert values([await server.ask("a")]) == [1]


@pytest.mark.parametrize(
    ("reason", "is_told"),
    [
        (NoDataReason.BAD_QUERY, False),
        (NoDataReason.BAD_ANSWER, False),
        (NoDataReason.TIMEOUT, False),
        (NoDataReason.HTTP_ERROR, False),
        (NoDataReason.UNREACHABLE, True),
        (NoDataReason.UNKNOWN_HOST, True),
    ],
)
async def test_a_merged_query_that_fails(reason: NoDataReason, *, is_told: bool) -> None:
    """What may be the merging's fault makes each go alone for a while; a dead server does not."""
    server = Server()
    await server.ask("a")
    server.failure = NoData(reason, "it failed")
    failed = await server.ask("bb")
    server.failure = None
    await asyncio.sleep(60)
    later = await server.ask("bb")
    await asyncio.sleep(APART_S)
    await server.ask("a")
    after = await server.ask("bb")

    assert (failed == NoData(reason, "it failed")) is is_told
    assert (later is None) is not is_told
    assert values([after]) == [2]


async def test_values_are_forgotten() -> None:
    """A scaler that is gone is not asked for any more."""
    server = Server()
    for model in ("a", "b", "c"):
        await server.ask(model)
    await asyncio.sleep(FORGET_AFTER_S + 1)
    await server.ask("d")
    await server.ask("e")

    assert server.asked[-1] == 'sum by (model) (queue{model=~"d|e"})'


async def test_one_that_comes_while_others_are_asked_for() -> None:
    """It is not told that it has no series: it is asked for next."""
    server = Server()
    await server.ask("a")
    first = asyncio.ensure_future(server.ask("bb"))
    await asyncio.sleep(0.1)
    second = asyncio.ensure_future(server.ask("ccc"))

    assert values([await first, await second]) == [2, 3]
    assert len(server.asked) == 2


async def test_places_are_apart() -> None:
    """What goes with other credentials, or to another server, is never merged."""
    server = Server()
    for place in (PLACE, ("http://p:9090", "other"), ("http://q:9090", "")):
        for model in ("a", "b"):
            query = f'sum(queue{{model="{model}"}})'
            await server.batches.ask(place, query, 60, server.fetch)

    assert len(server.asked) == 3
