"""What many want of one server is asked once, and a server that fails is left in peace."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.coalescing import FORGET_AFTER_S, Coalescer
from budaiscaler.sources.query_threads import FORGET_AFTER_S as SERVERS_FORGOTTEN_AFTER_S
from tests.sources.server import body, hang, prometheus, prometheus_source, request, slow, vector

GOOD = Sample((1.0,), 0.0)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_thousand_at_once() -> None:
    """A thousand scalers that ask the same at the same time cost one query."""
    source = prometheus_source(deadline_s=5)
    with prometheus(slow(vector("7"), 0.05)) as server:
        found = await asyncio.gather(
            *(
                source.fetch(request(server.url, namespace=f"n{number}", max_age_s=7.5))
                for number in range(1000)
            )
        )
        await source.close()

    assert len(server.seen) == 1
    assert source.fetches == 1
    assert {answer.values for answer in found if isinstance(answer, Sample)} == {(7.0,)}
    assert len({id(answer) for answer in found}) == 1


async def test_servers_are_not_mixed() -> None:
    """The same query to two servers, or with two passwords, is two queries with two answers."""
    source = prometheus_source(deadline_s=5)
    with prometheus(vector("1")) as one, prometheus(vector("2")) as two:
        found = await asyncio.gather(
            source.fetch(request(one.url, max_age_s=60)),
            source.fetch(request(two.url, max_age_s=60)),
            source.fetch(request(one.url.replace("://", "://a:b@"), max_age_s=60)),
        )
        await source.close()

    assert [answer.values for answer in found if isinstance(answer, Sample)] == [(1,), (2,), (1,)]
    assert [seen.authorization for seen in one.seen].count(None) == 1


async def test_age() -> None:
    """An answer is shared with who accepts its age, and says how old it is."""
    clock = Clock()
    source = prometheus_source(deadline_s=5, clock=clock)
    with prometheus(vector("1")) as server:
        await source.fetch(request(server.url))
        clock.now_s = 7.5
        shared = await source.fetch(request(server.url, max_age_s=7.5))
        fresh = await source.fetch(request(server.url, max_age_s=7.4))
        await source.close()

    assert isinstance(shared, Sample)
    assert isinstance(fresh, Sample)
    assert (shared.at_s, fresh.at_s) == (0.0, 7.5)
    assert len(server.seen) == 2


async def test_failures_are_shared_too() -> None:
    """A query that does not parse is not asked again by everybody who wrote it."""
    source = prometheus_source(deadline_s=5)
    with prometheus(body(400, '{"error": "parse error"}')) as server:
        for _ in range(20):
            found = await source.fetch(request(server.url, max_age_s=60))
            assert isinstance(found, NoData)
        await source.close()

    assert len(server.seen) == 1


async def test_a_bad_query_blames_no_server() -> None:
    """Any number of bad queries keeps nobody from asking good ones."""
    source = prometheus_source(deadline_s=5)
    with prometheus(
        lambda server, handler, promql: (vector("1") if promql == "good" else body(400, "{}"))(
            server, handler, promql
        )
    ) as server:
        for number in range(10):
            await source.fetch(request(server.url, f"bad{number}"))
        found = await source.fetch(request(server.url, "good"))
        await source.close()

    assert isinstance(found, Sample)


async def test_a_failing_server_is_left_in_peace() -> None:
    """After three failures only one query in a while goes through, until one succeeds."""
    clock, status = Clock(), 500
    source = prometheus_source(deadline_s=5, clock=clock)

    def answer(server: object, handler: object, promql: str) -> None:
        chosen = vector("1") if status == 200 else body(status, "")
        chosen(server, handler, promql)  # type: ignore[arg-type] # passed through as they came

    with prometheus(answer) as server:
        refused = [await source.fetch(request(server.url, f"q{n}")) for n in range(30)]
        assert len(server.seen) == 3
        assert {r.reason for r in refused if isinstance(r, NoData)} == {NoDataReason.HTTP_ERROR}
        clock.now_s = 2.0
        for number in range(30):
            await source.fetch(request(server.url, f"r{number}"))
        assert len(server.seen) == 4
        status, clock.now_s = 200, 100.0
        recovered = [await source.fetch(request(server.url, f"s{n}")) for n in range(5)]
        await source.close()

    assert all(isinstance(found, Sample) for found in recovered)


async def test_one_hung_server_does_not_blame_another() -> None:
    """Each server has a breaker of its own."""
    source = prometheus_source(deadline_s=0.1)
    with prometheus(hang) as hung, prometheus(vector("1")) as healthy:
        await asyncio.gather(*(source.fetch(request(hung.url, f"q{n}")) for n in range(10)))
        found = await source.fetch(request(healthy.url))
        await source.close()

    assert isinstance(found, Sample)


async def test_servers_are_forgotten() -> None:
    """Endpoints that nobody asks any more keep no connection open."""
    clock = Clock()
    source = prometheus_source(deadline_s=5, clock=clock)
    with prometheus(vector("1")) as server:
        for number in range(5):
            await source.fetch(request(f"{server.url}/{number}"))
        clock.now_s = SERVERS_FORGOTTEN_AFTER_S + 1
        found = await source.fetch(request(f"{server.url}/new"))
        await source.close()

    assert isinstance(found, Sample)
    assert source.endpoints == [f"{server.url}/new"]


async def test_cancelled_waiters() -> None:
    """Of several that wait for one flight any may leave, the first one too, and the rest get it."""
    coalescer: Coalescer[str] = Coalescer(Clock())
    landing = asyncio.Event()

    async def fly() -> Sample:
        await landing.wait()
        return GOOD

    waiters = [asyncio.ensure_future(coalescer.get("k", 0, fly)) for _ in range(3)]
    await asyncio.sleep(0)
    for waiter in waiters[:2]:
        waiter.cancel()
    await asyncio.sleep(0)
    landing.set()

    assert await waiters[2] == GOOD
    assert [waiter.cancelled() for waiter in waiters] == [True, True, False]
    assert coalescer.fetches == 1


async def test_all_waiters_cancelled() -> None:
    """A flight that nobody waits for any more ends by itself, and who comes later shares it."""
    coalescer: Coalescer[str] = Coalescer(Clock())
    landing = asyncio.Event()

    async def fly() -> Sample:
        await landing.wait()
        return GOOD

    waiter = asyncio.ensure_future(coalescer.get("k", 0, fly))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.sleep(0)
    late = asyncio.ensure_future(coalescer.get("k", 0, fly))
    landing.set()

    assert await late == GOOD
    assert coalescer.fetches == 1


async def test_a_flight_that_crashes() -> None:
    """A bug in a fetch reaches all who wait for it, and the next one starts a new flight."""
    coalescer: Coalescer[str] = Coalescer(Clock())

    async def crash() -> Sample:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    async def fly() -> Sample:
        return GOOD

    waiters = [asyncio.ensure_future(coalescer.get("k", 60, crash)) for _ in range(2)]
    for waiter in waiters:
        with pytest.raises(ZeroDivisionError):
            await waiter

    assert await coalescer.get("k", 60, fly) == GOOD


async def test_answers_are_forgotten() -> None:
    """Answers that nobody asked for in a while take no memory."""
    clock = Clock()
    coalescer: Coalescer[int] = Coalescer(clock)

    async def fly() -> Sample:
        return GOOD

    for number in range(100):
        await coalescer.get(number, 0, fly)
    clock.now_s = FORGET_AFTER_S + 1
    await coalescer.get(-1, 0, fly)

    assert list(coalescer._answers) == [-1]
    assert not coalescer._flying


async def test_closing_ends_flights() -> None:
    """Closing ends what is under way, and leaves no task behind."""
    coalescer: Coalescer[str] = Coalescer(Clock())

    async def fly() -> Sample:
        await asyncio.Event().wait()
        raise AssertionError

    waiter = asyncio.ensure_future(coalescer.get("k", 0, fly))
    await asyncio.sleep(0)

    await coalescer.close()
    await asyncio.gather(waiter, return_exceptions=True)

    assert waiter.cancelled()
    assert not coalescer._flying
