"""Exactly one leads: who takes the Lease, when, and how it is handed on."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from budaiscaler.kube.lease import LeaseTiming
from budaiscaler.kube.resources import LEASES
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.kube.election import NAME, NAMESPACE, PATH, Field

pytestmark = pytest.mark.looptime


@pytest.fixture
def field(kube: FakeKube) -> Field:
    return Field(kube)


async def test_one_of_two_leads(field: Field) -> None:
    """Of two candidates the first leads, for as long as it renews, and the other never does."""
    first, second = field.candidate("a"), field.candidate("b")
    first.start()
    second.start()

    changes = await field.watch_for(120)

    assert [names for _, names in changes] == [[], ["a"]]
    assert (first.election.leading, second.election.leading) == (True, False)
    assert field.lease["spec"]["holderIdentity"] == "a"
    assert field.lease["spec"]["leaseTransitions"] == 1
    await field.stop()


async def test_two_at_the_same_moment(field: Field) -> None:
    """When both find the Lease free at once the versions decide, and one alone works."""
    for name in ("a", "b"):
        candidate = field.candidate(name)
        candidate.link.answer_after_s = {"get": 0.5}
        candidate.start()

    await field.watch_for(60)

    assert len(field.working) == 1
    await field.stop()


async def test_takeover_waits_for_silence(field: Field) -> None:
    """Another takes over only after it saw the record unchanged for the whole duration."""
    first, second = field.candidate("a"), field.candidate("b")
    first.start()
    second.start()
    await field.watch_for(30)
    first.link.is_cut = True

    changes = await field.watch_for(30)

    (_, _), (stopped_at, nobody), (taken_at, taker) = changes
    assert (nobody, taker) == ([], ["b"])
    assert 38 <= stopped_at <= 40.2  # its last renewal was between 28 and 30
    assert 43 <= taken_at <= 47.2  # the other saw it up to a retry later, and looks each retry
    await field.stop()


async def test_newcomer_observes_first(field: Field, kube: FakeKube) -> None:
    """A Lease of a holder that died long ago is taken only after watching it for the duration."""
    kube.put(PATH, {"spec": {"holderIdentity": "dead", "renewTime": "2020-01-01T00:00:00.000000Z"}})
    field.candidate("a").start()

    changes = await field.watch_for(20)

    (_, nobody), (taken_at, taker) = changes
    assert (nobody, taker) == ([], ["a"])
    assert 15 < taken_at <= 17.2
    await field.stop()


async def test_holders_longer_duration(field: Field, kube: FakeKube) -> None:
    """During an upgrade that shortens the duration, the old leader's longer one is respected."""
    patient = field.candidate("old", LeaseTiming(60, 40, 10))
    hasty = field.candidate("new", LeaseTiming(15, 10, 2))
    patient.start()
    hasty.start()
    await field.watch_for(5)
    patient.link.is_hanging = True

    changes = await field.watch_for(90)

    assert [names for _, names in changes] == [["old"], [], ["new"]]
    assert field.lease["spec"]["leaseDurationSeconds"] == 15
    await field.stop()


async def test_restart_recognises_itself(field: Field) -> None:
    """A copy that lost touch and comes back before anybody else goes on leading at once."""
    only = field.candidate("a")
    only.start()
    await field.watch_for(5)
    only.link.is_cut = True
    await field.watch_for(12)
    assert field.working == []
    only.link.is_cut = False

    changes = await field.watch_for(3)

    assert changes[-1][1] == ["a"]
    assert field.lease["spec"]["leaseTransitions"] == 1
    await field.stop()


async def test_released_on_cancel(field: Field) -> None:
    """A leader that is told to stop gives the Lease back, and the other leads within a retry."""
    first, second = field.candidate("a"), field.candidate("b")
    first.start()
    second.start()
    await field.watch_for(10)

    await first.stop()
    assert field.lease["spec"]["holderIdentity"] == ""
    changes = await field.watch_for(2.2)

    assert changes[-1][1] == ["b"]
    await field.stop()


async def test_released_after_the_work(field: Field) -> None:
    """The Lease is given back only once the work has stopped, or two would work for a while."""
    first, second = field.candidate("a"), field.candidate("b")
    first.stops_in_s = 3.0
    first.start()
    second.start()
    await field.watch_for(10)

    stopping = asyncio.ensure_future(first.stop())
    changes = await field.watch_for(10)

    assert [names for _, names in changes] == [["a"], [], ["b"]]
    await stopping
    await field.stop()


async def test_cancelled_while_the_server_hangs(field: Field) -> None:
    """A leader told to stop does not wait for an API server that does not answer."""
    first = field.candidate("a")
    first.start()
    await field.watch_for(10)
    first.link.is_hanging = True
    before = asyncio.get_running_loop().time()

    await first.stop()

    assert asyncio.get_running_loop().time() - before <= 2.0
    assert field.working == []


async def test_anothers_lease_is_not_emptied(field: Field) -> None:
    """Giving back touches nothing when another holds the Lease by then."""
    first = field.candidate("a")
    first.start()
    await field.watch_for(3)
    taken = {**field.lease["spec"], "holderIdentity": "b"}
    field.server.put(PATH, {**field.lease, "spec": taken})

    await first.stop()

    assert field.lease["spec"]["holderIdentity"] == "b"


async def test_what_is_written(field: Field, kube: FakeKube) -> None:
    """The record is what client-go reads: whole seconds, and times with six digits at any time."""
    field.candidate("a").start()
    await field.watch_for(0.1)

    spec = field.lease["spec"]

    assert spec["acquireTime"] == spec["renewTime"] == "2026-01-05T12:00:00.000000Z"
    assert spec["leaseDurationSeconds"] == 15
    assert kube.made("create", LEASES.collection(NAMESPACE))[0].body["metadata"]["name"] == NAME
    await field.stop()


async def test_clocks_do_not_matter(field: Field) -> None:
    """A wall clock that jumps by hours, at either side, changes nothing about who leads."""
    first, second = field.candidate("a"), field.candidate("b")
    second.wall_clock.error = timedelta(days=2)
    first.start()
    second.start()
    await field.watch_for(10)
    first.wall_clock.error = timedelta(hours=-7)
    second.wall_clock.error = timedelta(hours=3)

    changes = await field.watch_for(60)

    assert [names for _, names in changes] == [["a"]]
    assert field.lease["spec"]["renewTime"].startswith((NOON - timedelta(hours=7)).isoformat()[:13])
    await field.stop()
