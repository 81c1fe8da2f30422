"""What one fetcher may be allowed, other than what all are: time, pauses, sizes, connections."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.credentials import RequestOptions
from budaiscaler.sources.http import HttpFetcher, Limits
from budaiscaler.sources.origins import Origins
from tests.sources.server import body, drip, hang, prometheus

OPEN = AddressGuard((ip_network("127.0.0.0/8"),))
ORIGIN = "http://a:80"


@pytest.mark.looptime
async def test_a_shorter_time_for_one_request() -> None:
    """It ends that request, says what to raise, and leaves the others their own."""
    loop = asyncio.get_running_loop()
    origins = Origins(10.0, loop.time)

    async def ask() -> str | NoData:
        await asyncio.sleep(3)
        return "1"

    found = await origins.ask(ORIGIN, ask, deadline_s=2.0)
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert "within 2 s: make it answer faster, or raise scrapeTimeout" in found.message
    assert loop.time() == pytest.approx(2)
    assert await origins.ask(ORIGIN, ask, deadline_s=60.0) == "1"


@pytest.mark.looptime
async def test_a_shorter_pause() -> None:
    """A server that is back after hours is asked again as soon as the fetcher is allowed to."""
    loop = asyncio.get_running_loop()
    origins = Origins(1.0, loop.time, longest_pause_s=5.0)
    down = True

    async def ask() -> str | NoData:
        return NoData(NoDataReason.UNREACHABLE, "down") if down else "1"

    for _ in range(1000):
        await origins.ask(ORIGIN, ask)
        await asyncio.sleep(1)
    down = False
    await asyncio.sleep(5)
    assert await origins.ask(ORIGIN, ask) == "1"


async def test_a_smaller_body() -> None:
    """One byte more is refused, however much would still come."""
    fetcher = HttpFetcher(guard=OPEN, deadline_s=2, limits=Limits(body_bytes=2**20))
    with (
        prometheus(body(200, "x" * 2**20)) as fits,
        prometheus(body(200, "x" * (2**20 + 1))) as too_large,
        prometheus(drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2**20 + 1))) as endless,
    ):
        assert await fetcher.get(fits.url, {}, {}) == b"x" * 2**20
        for server in (too_large, endless):
            found = await fetcher.get(server.url, {}, {})
            assert isinstance(found, NoData)
            assert "more than 1 MiB" in found.message
    await fetcher.close()


async def test_connections_that_are_not_kept() -> None:
    """Each request then has one of its own, and says so to the server."""
    for keeps in (True, False):
        fetcher = HttpFetcher(guard=OPEN, limits=Limits(keeps_connections=keeps))
        with prometheus(body(200, "1")) as server:
            for _ in range(2):
                assert await fetcher.get(server.url, {}, {}) == b"1"
        assert [seen.headers.get("connection") == "close" for seen in server.seen] == [
            not keeps
        ] * 2
        await fetcher.close()


async def test_a_hanging_server_within_a_shorter_time() -> None:
    """The limit of a request holds on a real connection, too."""
    fetcher = HttpFetcher(guard=OPEN, deadline_s=20)
    with prometheus(hang) as server:
        found = await fetcher.get(server.url, {}, {}, options=RequestOptions(deadline_s=0.2))
    assert isinstance(found, NoData)
    assert "within 0.2 s" in found.message
    await fetcher.close()
