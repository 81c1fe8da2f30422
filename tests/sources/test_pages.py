"""Pages of pods: fetched once for all, kept for a while, and never in each other's way."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import pages
from budaiscaler.sources.base import Sample
from budaiscaler.sources.exposition import Series
from budaiscaler.sources.pages import Address, Look
from tests.sources.pods import LATE, REFUSED, Lab, loop_s, pod, url, workload

pytestmark = pytest.mark.looptime

HERE = Address("uid-1", url(1))


def names(*given: str) -> frozenset[str]:
    return frozenset(given)


async def test_one_page_for_two_sources() -> None:
    """Two sources that want something of one page at one time cost one request."""
    lab = Lab()
    target = lab.say("a 1\nb 2\n", "a 3\nb 4\n")
    lab.fleet.takes_s |= {url(1): 1, url(2): 1}
    one, two = await asyncio.gather(
        lab.ask(target, targetMetric="a"),
        lab.ask(
            target,
            targetMetric="b",
            metricSourceType="inferenceEngine",
            inferenceEngineConfig={"engineType": "vllm"},
        ),
    )
    assert isinstance(one, Sample)
    assert isinstance(two, Sample)
    assert (one.values, two.values) == ((1.0, 3.0), (2.0, 4.0))
    assert len(lab.fleet.asked) == 2


async def test_who_comes_later_shares_what_is_recent() -> None:
    """From the second time on both names are read at once, whoever asks first."""
    lab = Lab()
    target = lab.say("a 1\nb 2\n")
    for _ in range(4):
        await lab.ask(target, targetMetric="a")
        await asyncio.sleep(1)
        await lab.ask(target, targetMetric="b")
        await asyncio.sleep(14)
    assert len(lab.fleet.asked) == 5  # the second look wanted what the first had not looked for
    assert lab.pages.fetches == 5


async def test_how_old_a_page_may_be() -> None:
    """A page is shared as long as who asks accepts its age, which is told."""
    lab = Lab()
    target = lab.say("load 1")
    await lab.ask(target)
    await asyncio.sleep(7.5)
    assert await lab.ask(target) == Sample((1.0,), 0.0, 1, 1)
    await asyncio.sleep(0.1)
    assert await lab.ask(target) == Sample((1.0,), loop_s(), 1, 1)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"headers": {"X-Key": "yours"}}, id="other-headers"),
        pytest.param({"path": "/other"}, id="another-path"),
        pytest.param({"port": "metrics"}, id="another-port"),
        pytest.param({"protocolType": "https"}, id="another-scheme"),
    ],
)
async def test_what_is_not_shared(fields: dict[str, object]) -> None:
    """Nobody gets what was fetched with another's headers, or from elsewhere."""
    lab = Lab()
    target = lab.say("load 1")
    await lab.ask(target, headers={"X-Key": "mine"})
    await lab.ask(target, **{"headers": {"X-Key": "mine"}, **fields})
    assert len(lab.fleet.asked) == 2


async def test_failures_are_shared_too() -> None:
    """A pod that is down is asked once an interval, and at the next it counts again."""
    lab = Lab()
    target = lab.say(REFUSED)
    for _ in range(3):
        assert isinstance(await lab.ask(target), NoData)
    assert len(lab.fleet.asked) == 1
    lab.say("load 1")
    await asyncio.sleep(15)
    assert await lab.ask(target) == Sample((1.0,), loop_s(), 1, 1)


async def test_a_broken_series_of_another_source() -> None:
    """What one source wants and is broken is no harm to what another wants."""
    lab = Lab()
    target = lab.say("a x\nb 2\n")
    one, two = await asyncio.gather(
        lab.ask(target, targetMetric="a"), lab.ask(target, targetMetric="b")
    )
    assert isinstance(one, NoData)
    assert isinstance(two, Sample)


async def test_another_pod_at_the_same_address() -> None:
    """What rose since another pod had the address is not what this one did."""
    lab = Lab()
    lab.fleet.answers[url(1)] = "load 1"
    await lab.pages.look(Address("old", url(1)), names("load"), 0)
    await asyncio.sleep(15)
    look = await lab.pages.look(Address("new", url(1)), names("load"), 0)
    assert isinstance(look, Look)
    assert look.before is None


async def _looks(lab: Lab, *pauses_s: float) -> list[float | None]:
    """How long before each look the one is that rises are told from."""
    ages: list[float | None] = []
    for pause_s in (0.0, *pauses_s):
        await asyncio.sleep(pause_s)
        look = await lab.pages.look(HERE, names("load"), 0)
        assert isinstance(look, Look)
        assert look.now.found == {"load": (Series((), 1.0),)}
        ages.append(None if look.before is None else loop_s() - look.before.at_s)
    return ages


@pytest.mark.parametrize(
    ("pauses_s", "ages_s"),
    [
        pytest.param([15, 15, 15], [None, 15, 15, 15], id="at-the-usual-interval"),
        pytest.param([2] * 6, [None, None, None, 6, 6, 6, 6], id="often"),
        pytest.param([120, 121], [None, 120, None], id="seldom"),
    ],
)
async def test_the_look_before(pauses_s: list[float], ages_s: list[float | None]) -> None:
    """Rises are told from the newest look that is neither too near nor too long ago."""
    lab = Lab()
    lab.fleet.answers[url(1)] = "load 1"
    assert await _looks(lab, *pauses_s) == pytest.approx(ages_s)


async def test_few_pages_are_kept() -> None:
    """However often a pod is looked at, a handful of pages is kept of it, and in time none."""
    lab = Lab()
    lab.fleet.answers[url(1)] = lab.fleet.answers[url(2)] = "load 1"
    for _ in range(100):
        await lab.pages.look(HERE, names("load"), 0)
        await asyncio.sleep(0.5)
    (known,) = lab.pages._pods.values()
    assert len(known.pages) <= 12
    await asyncio.sleep(2 * pages.FORGET_AFTER_S)
    await lab.pages.look(Address("uid-2", url(2)), names("load"), 0)
    assert [address.uid for address in lab.pages._pods] == ["uid-2"]


async def test_a_name_that_nobody_wants_any_more() -> None:
    """It is not looked for again after a while."""
    lab = Lab()
    lab.fleet.answers[url(1)] = "load 1"
    await lab.pages.look(HERE, names("old"), 0)
    for _ in range(20):
        await asyncio.sleep(15)
        await lab.pages.look(HERE, names("load"), 0)
    look = await lab.pages.look(HERE, names("load"), 0)
    assert isinstance(look, Look)
    assert look.now.found.keys() == {"load"}


async def test_few_requests_at_once() -> None:
    """Of a thousand pods only some are asked at a time, and all get their turn."""
    lab = Lab()
    target = lab.say(*["load 1"] * 1000)
    lab.fleet.takes_s |= {url(number): 0.1 for number in range(1, 1001)}
    for most in (pages.NEW, pages.ANSWERING):
        lab.fleet.most = 0
        found = await lab.ask(target)
        assert isinstance(found, Sample)
        assert (found.answered, lab.fleet.most) == (1000, most)
        await asyncio.sleep(15)
    assert loop_s() < 2 * 15 + 5


async def test_a_workload_that_hangs_holds_up_nobody_else() -> None:
    """However many pods hang, and however new they are, those that answer are asked at once."""
    lab = Lab()
    hanging = lab.say(*[LATE] * 1000)
    lab.fleet.takes_s |= {url(number): 10 for number in range(1, 1001)}
    lab.fleet.answers[url(2000)] = "load 7"
    healthy = workload([pod(2000)])
    await lab.ask(healthy)
    for _ in range(10):
        look = asyncio.ensure_future(lab.ask(hanging))
        await asyncio.sleep(9)
        started_s = loop_s()
        assert await lab.ask(healthy) == Sample((7.0,), started_s, 1, 1)
        assert loop_s() == started_s
        assert isinstance(await look, NoData)
    assert lab.fleet.most == pages.NEW + pages.HANGING + 1
    await lab.pages.close()


async def test_a_turn_that_does_not_come() -> None:
    """Who waits too long is told so, which says nothing bad of the pod."""
    lab = Lab()
    count = 2 * pages.NEW
    target = lab.say(*["load 1"] * count)
    lab.fleet.takes_s |= {url(n): 15 for n in range(1, count + 1)}
    found = await lab.ask(target)
    assert isinstance(found, Sample)
    assert found.answered == pages.NEW
    silent = [pod for pod in lab.pages._pods.values() if pod.failure is not None]
    assert len(silent) == count - pages.NEW
    for one in silent:
        assert one.failure is not None
        assert one.failure[1].reason is NoDataReason.TIMEOUT
        assert "too many pods do not answer" in one.failure[1].message
        assert one.answers is None


async def test_requests_are_counted_by_what_came_of_them() -> None:
    """One that was answered and one that was refused: how long they took, and why one failed."""
    lab = Lab()
    await lab.ask(lab.say("load 1", REFUSED))
    assert sum(lab.pages.flights.counts) == 2
    assert lab.pages.flights.errors == {NoDataReason.UNREACHABLE: 1}
