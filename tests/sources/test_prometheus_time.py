"""Every query ends by its deadline, thread included, whatever the server does."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.query_threads import QUERIES_PER_SERVER
from tests.sources.pool import PATIENCE_S, freed
from tests.sources.server import (
    Answer,
    ask,
    drip,
    hang,
    prometheus,
    prometheus_source,
    request,
    slow,
    vector,
)

DEADLINE_S = 0.2


HANGING = [
    pytest.param(hang, id="no-answer"),
    pytest.param(drip(b""), id="drips-its-status"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nX-Long: "), id="drips-its-headers"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), id="drips-its-body"),
    pytest.param(drip(b"HTTP/1.1 200 OK\r\n\r\n"), id="drips-a-body-without-end"),
    pytest.param(
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"), id="drips-a-chunk"
    ),
    pytest.param(
        drip(b"HTTP/1.1 500 Oops\r\nContent-Length: 100000\r\n\r\n"), id="drips-its-error"
    ),
]


@pytest.mark.parametrize("answer", HANGING)
async def test_hanging_servers(answer: Answer) -> None:
    """The answer comes by the deadline, and the thread is free soon after."""
    source = prometheus_source(deadline_s=DEADLINE_S)
    with prometheus(answer) as server:
        async with asyncio.timeout(PATIENCE_S):
            found = await source.fetch(request(server.url))
        all_free = await freed()
        await source.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert all_free


async def test_slow_but_in_time() -> None:
    """An answer within the deadline counts."""
    assert isinstance(await ask(slow(vector("1"), 0.1), deadline_s=2), Sample)


async def test_never_more_than_its_share() -> None:
    """However many queries there are, one server is asked only a few at the same time."""
    source = prometheus_source(deadline_s=5)
    with prometheus(slow(vector("1"), 0.01)) as server:
        found = await asyncio.gather(
            *(source.fetch(request(server.url, f"q{number}")) for number in range(40))
        )
        await source.close()

    assert all(isinstance(answer, Sample) for answer in found)
    assert len(server.seen) == 40
    assert server.most <= QUERIES_PER_SERVER


async def test_hung_servers_do_not_delay_a_healthy_one() -> None:
    """With several servers hung, and many queries on them, a healthy one answers as ever."""
    source = prometheus_source(deadline_s=1)
    with prometheus(hang) as hung, prometheus(vector("1")) as healthy:
        waiting = [
            asyncio.ensure_future(source.fetch(request(f"{hung.url}/{server}", f"q{number}")))
            for server in range(6)
            for number in range(50)
        ]
        await asyncio.sleep(0.05)
        found = await source.fetch(request(healthy.url))
        is_first = not any(task.done() for task in waiting)
        answers = await asyncio.gather(*waiting)
        await source.close()

    assert isinstance(found, Sample)
    assert is_first
    assert {answer.reason for answer in answers if isinstance(answer, NoData)} == {
        NoDataReason.TIMEOUT
    }
    assert len(answers) == 300
    assert len(hung.seen) < 60


async def test_the_operators_own_server_has_its_threads() -> None:
    """However many hung servers users name, the operator's own Prometheus is asked at once."""
    with prometheus(hang) as hung, prometheus(vector("1")) as own:
        source = prometheus_source(default_endpoint=own.url, deadline_s=1)
        waiting = [
            asyncio.ensure_future(source.fetch(request(f"{hung.url}/{server}", f"q{number}")))
            for server in range(15)
            for number in range(4)
        ]
        await asyncio.sleep(0.05)
        found = await source.fetch(request(None))
        is_first = not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
        await source.close()

    assert isinstance(found, Sample)
    assert is_first


async def test_slots_come_back() -> None:
    """After a server hung and recovered, as many queries as ever go through at once."""
    is_hung = True
    now_s = 0.0

    def answer(server: object, handler: object, promql: str) -> None:
        chosen: Answer = hang if is_hung else vector("1")
        chosen(server, handler, promql)  # type: ignore[arg-type] # passed through as they came

    source = prometheus_source(deadline_s=1.0, clock=lambda: now_s)
    with prometheus(answer) as server:
        await asyncio.gather(
            *(source.fetch(request(server.url, f"q{number}")) for number in range(20))
        )
        is_hung, now_s = False, 1000.0
        first = await source.fetch(request(server.url, "again"))
        rest = await asyncio.gather(
            *(source.fetch(request(server.url, f"r{number}")) for number in range(20))
        )
        await source.close()

    assert isinstance(first, Sample)
    assert all(isinstance(found, Sample) for found in rest)


async def test_cancelled_waiter() -> None:
    """Who stops waiting leaves nothing behind: the query goes on for others, and ends."""
    source = prometheus_source(deadline_s=DEADLINE_S)
    with prometheus(hang) as server:
        for number in range(20):
            task = asyncio.ensure_future(source.fetch(request(server.url, f"q{number}")))
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(2 * DEADLINE_S + 0.1)
        all_free = await freed()
        await source.close()

    assert all_free


async def test_closing() -> None:
    """Closing gives up what is under way at once; no thread keeps the process from ending."""
    source = prometheus_source(deadline_s=30)
    with prometheus(hang) as server:
        waiting = asyncio.ensure_future(source.fetch(request(server.url)))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(PATIENCE_S):
            await source.close()
            await asyncio.gather(waiting, return_exceptions=True)
        all_free = await freed()

    assert all_free
