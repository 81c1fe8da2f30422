"""Threads are few, and neither a server nor its name can keep those of the others."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.dialling import Addresses
from budaiscaler.sources.query_threads import QUERIES_PER_SERVER, THREADS
from tests.sources.pool import PATIENCE_S, busy_threads, freed
from tests.sources.server import (
    Prometheus,
    drip,
    hang,
    prometheus,
    prometheus_source,
    request,
    vector,
)

DEADLINE_S = 0.2


def address_of(url: str) -> Addresses:
    parts = urlsplit(url)
    return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (parts.hostname, parts.port))]


@dataclass(slots=True)
class Resolver:
    """Looks up every host as the same addresses, some only when they are let go.

    Attributes:
        addresses: the answer.
        slow: hosts that end so are held up.
        asked: every host, in order.
        began: set when one is held up.
    """

    addresses: Addresses
    slow: str = "slow.example"
    asked: list[str] = field(default_factory=list)
    began: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, host: str, _: int) -> Addresses:
        self.asked.append(host)
        if host.endswith(self.slow):
            self.began.set()
            self.let_go.wait(PATIENCE_S)
        return self.addresses


@pytest.mark.parametrize("prefix", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["head", "body"])
async def test_cut_before_there_is_a_connection(prefix: bytes) -> None:
    """A thread that is still looking up the host at its deadline ends once it has found it."""
    with prometheus(drip(prefix)) as server:
        resolver = Resolver(address_of(server.url))
        source = prometheus_source(deadline_s=DEADLINE_S, resolve=resolver)
        found = await source.fetch(request("http://slow.example"))
        assert busy_threads() == 1
        resolver.let_go.set()
        all_free = await freed()
        await source.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert all_free
    assert server.seen == []


async def test_closed_before_there_is_a_connection() -> None:
    """So does one whose source is closed meanwhile, long before its deadline."""
    with prometheus(drip(b"")) as server:
        resolver = Resolver(address_of(server.url))
        source = prometheus_source(deadline_s=60, resolve=resolver)
        waiting = asyncio.ensure_future(source.fetch(request("http://slow.example")))
        await asyncio.to_thread(resolver.began.wait, PATIENCE_S)
        await source.close()
        await asyncio.gather(waiting, return_exceptions=True)
        resolver.let_go.set()
        all_free = await freed()

    assert all_free
    assert server.seen == []


async def test_look_ups_without_an_end() -> None:
    """While a host is being looked up beyond the deadline it gets no further threads."""
    now_s = 0.0
    with prometheus(vector("1")) as server:
        resolver = Resolver(address_of(server.url))
        source = prometheus_source(deadline_s=DEADLINE_S, clock=lambda: now_s, resolve=resolver)
        for turn in range(10):
            now_s = 1000.0 * turn
            found = await asyncio.gather(
                *(source.fetch(request("http://slow.example", f"q{n}")) for n in range(10))
            )
            assert {a.reason for a in found if isinstance(a, NoData)} == {NoDataReason.TIMEOUT}
            assert busy_threads() <= 2 * QUERIES_PER_SERVER
        resolver.let_go.set()
        assert await freed()
        now_s += 1000

        again = await source.fetch(request("http://slow.example", "again"))
        await source.close()

    assert isinstance(again, Sample)


@contextmanager
def swallowing() -> Iterator[str]:
    """Give an address that takes no connection and refuses none, as behind a dropping firewall."""
    with socket.socket() as full, socket.socket() as one, socket.socket() as two:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (one, two):
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        yield f"http://127.0.0.1:{full.getsockname()[1]}"


async def test_many_addresses_that_swallow() -> None:
    """A host with any number of addresses is tried for as long as one with one."""
    with swallowing() as url:
        resolver = Resolver([*address_of(url)] * 50)
        source = prometheus_source(deadline_s=DEADLINE_S, resolve=resolver)
        found = await source.fetch(request("http://many.example"))
        all_free = await freed()
        await source.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.TIMEOUT
    assert all_free


async def test_one_address_of_several() -> None:
    """When one address of a host refuses, the next one is asked."""
    with socket.socket() as unused, prometheus(vector("1")) as server:
        unused.bind(("127.0.0.1", 0))
        refusing = f"http://127.0.0.1:{unused.getsockname()[1]}"
        resolver = Resolver([*address_of(refusing), *address_of(server.url)])
        source = prometheus_source(deadline_s=5, resolve=resolver)
        found = await source.fetch(request("http://two.example"))
        await source.close()

    assert isinstance(found, Sample)


async def test_what_is_looked_up() -> None:
    """A host is looked up as it is written, an address without its brackets."""
    with prometheus(vector("1")) as server:
        resolver = Resolver(address_of(server.url))
        source = prometheus_source(deadline_s=5, resolve=resolver)
        for endpoint in ("http://a.example:9090", "http://[::1]:9090", "http://10.0.0.1"):
            assert isinstance(await source.fetch(request(endpoint)), Sample)
        await source.close()

    assert resolver.asked == ["a.example", "::1", "10.0.0.1"]


async def test_a_server_that_answers_does_not_wait_for_those_that_hang() -> None:
    """However many endpoints hang, one that has answered before is asked at once."""
    source = prometheus_source(deadline_s=1)
    with prometheus(hang) as hung, prometheus(vector("1")) as healthy:
        await source.fetch(request(healthy.url, "before"))
        waiting = [
            asyncio.ensure_future(source.fetch(request(f"{hung.url}/{number}")))
            for number in range(2 * THREADS)
        ]
        await asyncio.sleep(0.05)
        found = await asyncio.gather(
            *(source.fetch(request(healthy.url, f"q{number}")) for number in range(20))
        )
        is_first = not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
        await source.close()

    assert all(isinstance(answer, Sample) for answer in found)
    assert is_first


async def test_a_server_that_stops_answering() -> None:
    """One that hangs after it has answered takes the threads of those that answer only once."""
    is_hung = False

    def turn(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        (hang if is_hung else vector("1"))(server, handler, promql)

    with prometheus(turn) as turning, prometheus(vector("1")) as healthy:
        source = prometheus_source(deadline_s=0.5)
        endpoints = [f"{turning.url}/{number}" for number in range(THREADS)]
        await asyncio.gather(*(source.fetch(request(url, "before")) for url in endpoints))
        await source.fetch(request(healthy.url, "before"))
        is_hung = True
        await asyncio.gather(*(source.fetch(request(url, "turned")) for url in endpoints))

        waiting = [asyncio.ensure_future(source.fetch(request(url, "x"))) for url in endpoints]
        await asyncio.sleep(0.05)
        found = await source.fetch(request(healthy.url))
        is_first = not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
        await source.close()

    assert isinstance(found, Sample)
    assert is_first


async def test_no_turn_is_nobodys_fault() -> None:
    """A new server that finds no thread in time is not taken for one that does not answer."""
    with prometheus(vector("1")) as server:
        resolver = Resolver(address_of(server.url))
        source = prometheus_source(deadline_s=DEADLINE_S, resolve=resolver)
        crowd = [
            asyncio.ensure_future(source.fetch(request(f"http://{number}.slow.example")))
            for number in range(THREADS)
        ]
        await asyncio.sleep(0.05)
        for number in range(10):
            found = await source.fetch(request("http://new.example", f"q{number}"))
            assert isinstance(found, NoData)
            assert "the query had no turn" in found.message
        assert "new.example" not in resolver.asked
        resolver.let_go.set()
        assert await freed()

        asked = await source.fetch(request("http://new.example"))
        await asyncio.gather(*crowd)
        await source.close()

    assert isinstance(asked, Sample)
