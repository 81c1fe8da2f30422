"""A leader in trouble stops before anybody else may start, and never stays silent about it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from budaiscaler.domain import times
from budaiscaler.domain.errors import OverloadedError
from budaiscaler.kube.lease import LeaseTiming
from budaiscaler.kube.resources import LEASES
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.kube.election import PATH, Field

pytestmark = pytest.mark.looptime


@pytest.fixture
def field(kube: FakeKube) -> Field:
    return Field(kube)


@pytest.mark.parametrize("trouble", ["is_cut", "is_hanging"])
@pytest.mark.parametrize(
    "timing",
    [
        pytest.param(LeaseTiming(), id="defaults"),
        pytest.param(LeaseTiming(11, 10, 4), id="retry-longer-than-the-margin"),
        pytest.param(LeaseTiming(2, 1, 0.2), id="fast"),
    ],
)
async def test_stops_in_time(field: Field, trouble: str, timing: LeaseTiming) -> None:
    """Whatever happens to its requests, a leader stops by its deadline and before the next."""
    first, second = field.candidate("a", timing), field.candidate("b", timing)
    first.start()
    second.start()
    await field.watch_for(3 * timing.retry_s)
    renewed_at = times.parse(field.lease["spec"]["renewTime"])
    assert renewed_at is not None
    setattr(first.link, trouble, True)

    changes = await field.watch_for(2 * timing.duration_s + 2 * timing.retry_s)

    assert [names for _, names in changes] == [["a"], [], ["b"]]
    stopped_at = NOON + timedelta(seconds=changes[1][0])
    assert stopped_at - renewed_at <= timedelta(seconds=timing.renew_deadline_s + 0.11)
    await field.stop()


async def test_late_answer_to_the_claim(field: Field) -> None:
    """A claim whose answer comes late counts from when it was sent, since others count so too."""
    first, second = field.candidate("a"), field.candidate("b")
    first.link.answer_after_s = {"update": 9.5}
    first.start()
    await asyncio.sleep(1)
    second.start()
    await asyncio.sleep(8.4)
    first.link.is_hanging = True

    changes = await field.watch_for(30)

    assert field.working == ["b"]
    leading = [at for at, names in changes if names == ["a"]]
    assert not leading or changes[-1][0] - leading[0] > 1
    await field.stop()


async def test_answer_after_the_deadline(field: Field) -> None:
    """A claim that is answered when the Lease may already be another's is no claim."""
    first = field.candidate("a")
    first.link.answer_after_s = {"update": 10.5}
    first.start()

    changes = await field.watch_for(10.5)

    assert [names for _, names in changes] == [[]]
    assert not first.election.leading
    await field.stop()


async def test_slow_answers_are_no_loss(field: Field) -> None:
    """A slow API server that answers within the deadline costs nobody the lead."""
    first, second = field.candidate("a"), field.candidate("b")
    for candidate in (first, second):
        candidate.link.answer_after_s = {"get": 1.5, "update": 2.5}
        candidate.start()
    await field.watch_for(10)
    leader = field.working

    changes = await field.watch_for(120)

    assert [names for _, names in changes] == [leader]
    assert len(leader) == 1
    await field.stop()


async def test_server_errors_pass(field: Field, kube: FakeKube) -> None:
    """An API server that is overloaded for less than the deadline changes nothing."""
    first = field.candidate("a")
    first.start()
    await field.watch_for(4)
    kube.fail("update", "/leases/", OverloadedError(503, "ServiceUnavailable", "busy"))
    await field.watch_for(6)
    kube.heal()

    changes = await field.watch_for(20)

    assert [names for _, names in changes] == [["a"]]
    await field.stop()


async def test_lost_to_another(field: Field, kube: FakeKube) -> None:
    """A leader that sees another's name in the Lease stops at its next renewal."""
    first = field.candidate("a")
    first.start()
    await field.watch_for(3)
    spec = {**field.lease["spec"], "holderIdentity": "b", "leaseTransitions": 2}
    kube.put(PATH, {**field.lease, "spec": spec})

    changes = await field.watch_for(2.2)

    assert changes[-1][1] == []
    assert not first.election.leading
    await field.stop()


async def test_deleted_lease_is_made_again(field: Field, kube: FakeKube) -> None:
    """Somebody who deletes the Lease disturbs the leader no longer than one renewal."""
    first = field.candidate("a")
    first.start()
    await field.watch_for(3)
    kube.remove(PATH)

    changes = await field.watch_for(10)

    assert [names for _, names in changes] == [["a"]]
    assert field.lease["spec"]["holderIdentity"] == "a"
    await field.stop()


async def test_work_that_crashes(field: Field) -> None:
    """An error in the leader's work ends the run with it, and the Lease is free for another."""
    first = field.candidate("a")

    async def crash() -> None:
        await asyncio.sleep(5)
        raise ZeroDivisionError("a bug")

    with pytest.RaisesGroup(pytest.RaisesExc(ZeroDivisionError, match="a bug")):
        await first.election.run(crash)

    assert field.lease["spec"]["holderIdentity"] == ""
    assert not first.election.leading


async def test_work_that_ends(field: Field) -> None:
    """Work that just returns is an error too: a leader that does nothing blocks all others."""
    first = field.candidate("a")

    async def end() -> None:
        await asyncio.sleep(5)

    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="work ended")):
        await first.election.run(end)

    assert field.lease["spec"]["holderIdentity"] == ""


async def test_forbidden_lease_is_retried(field: Field, kube: FakeKube) -> None:
    """A candidate that may not read the Lease keeps asking, and leads once it may."""
    kube.fail("get", LEASES.collection(), OverloadedError(500, "InternalError", "etcd"))
    kube.fail("get", "/leases/", OverloadedError(500, "InternalError", "etcd"))
    first = field.candidate("a")
    first.start()
    await field.watch_for(20)
    assert field.working == []
    kube.heal()

    await field.watch_for(2.2)

    assert field.working == ["a"]
    await field.stop()
