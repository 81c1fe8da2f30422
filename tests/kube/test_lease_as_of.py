"""The leader's word: every copy knows as of when the reports are true, and no later than that."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from budaiscaler.domain import times
from budaiscaler.kube.leaders_word import AS_OF_ANNOTATION
from tests.conftest import NOON
from tests.fakes.kube import FakeKube
from tests.kube.election import PATH, Field

pytestmark = pytest.mark.looptime


@pytest.fixture
def field(kube: FakeKube) -> Field:
    return Field(kube)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


async def test_moves_with_each_renewal(field: Field) -> None:
    """While the leader vouches, all copies see its word move on, at most two retries old."""
    first, second = field.candidate("a"), field.candidate("b")
    first.start()
    second.start()

    for seconds in (10, 60, 300):
        await field.watch_for(seconds)
        now = first.wall_clock()
        for candidate in (first, second):
            as_of = candidate.election.as_of
            assert as_of is not None
            assert timedelta() <= now - as_of <= timedelta(seconds=4.2)
    await field.stop()


async def test_unknown_before_anybody_vouched(field: Field) -> None:
    """A leader that does not vouch leaves the word unspoken, however long it renews."""
    first = field.candidate("a", vouches=lambda: False)
    second = field.candidate("b")
    first.start()
    second.start()

    await field.watch_for(60)

    assert first.election.as_of is None
    assert second.election.as_of is None
    assert AS_OF_ANNOTATION not in field.lease["metadata"].get("annotations", {})
    await field.stop()


async def test_stands_still_while_not_vouching(field: Field) -> None:
    """When the leader can no longer vouch, its last word stays what it was."""
    healthy = True
    first, second = field.candidate("a", vouches=lambda: healthy), field.candidate("b")
    first.start()
    second.start()
    await field.watch_for(11)
    healthy = False

    await field.watch_for(60)

    assert first.election.as_of == second.election.as_of == at(10)
    await field.stop()


async def test_takeover_does_not_vouch(field: Field) -> None:
    """Taking over renews the Lease, but the word stays the old one until the new leader vouches."""
    is_round_complete = False
    first = field.candidate("a")
    second = field.candidate("b", vouches=lambda: is_round_complete)
    first.start()
    second.start()
    await field.watch_for(10.5)
    await first.stop()
    await field.watch_for(30)

    assert field.working == ["b"]
    assert second.election.as_of == at(10)
    is_round_complete = True
    await field.watch_for(2.2)
    assert second.election.as_of is not None
    assert second.election.as_of > at(40)
    await field.stop()


async def test_claim_itself_does_not_vouch(field: Field) -> None:
    """The very claim carries no word, even of one that would vouch: nothing is evaluated yet."""
    field.candidate("a").start()

    await field.watch_for(0.5)

    assert field.working == ["a"]
    assert AS_OF_ANNOTATION not in field.lease["metadata"].get("annotations", {})
    await field.stop()


async def test_leader_that_vanishes(field: Field) -> None:
    """When nobody leads any more the word stands still at every copy that can still read it."""
    first, second = field.candidate("a"), field.candidate("b", vouches=lambda: False)
    first.start()
    second.start()
    await field.watch_for(10.5)
    first.link.is_cut = True

    await field.watch_for(60)

    assert second.election.as_of == at(10)
    await field.stop()


async def test_strangers_annotations_stay(field: Field, kube: FakeKube) -> None:
    """The word is added to the record without touching what others annotated it with."""
    kube.put(PATH, {"metadata": {"annotations": {"team": "ml"}}, "spec": {}})
    field.candidate("a").start()

    await field.watch_for(5)

    assert field.lease["metadata"]["annotations"] == {
        "team": "ml",
        AS_OF_ANNOTATION: "2026-01-05T12:00:04Z",
    }
    await field.stop()


async def test_leader_with_a_clock_that_is_ahead(field: Field) -> None:
    """A word from the future counts from when it was read: it ages as any other once it stays."""
    first, second = field.candidate("a"), field.candidate("b", vouches=lambda: False)
    first.wall_clock.error = timedelta(minutes=30)
    first.start()
    second.start()
    await field.watch_for(10.5)
    first.link.is_cut = True

    for _ in range(3):
        await field.watch_for(60)
        assert second.election.as_of is not None
        assert at(8) <= second.election.as_of <= at(12.5)
    await field.stop()


async def test_leader_with_a_clock_that_is_behind(field: Field) -> None:
    """A word from the past is believed: readers freeze too early rather than too late."""
    first, second = field.candidate("a"), field.candidate("b")
    first.wall_clock.error = -timedelta(minutes=2)
    first.start()
    second.start()

    await field.watch_for(11)

    assert second.election.as_of is not None
    assert at(8 - 120) <= second.election.as_of <= at(10 - 120)
    await field.stop()


async def test_word_from_the_future_of_nobody(field: Field, kube: FakeKube) -> None:
    """A copy that starts after such a leader died takes its word for one of now, and no more."""
    annotations = {AS_OF_ANNOTATION: times.rfc3339(at(1800))}
    spec = {"holderIdentity": "gone", "renewTime": "2026-01-05T12:30:00Z"}
    kube.put(PATH, {"metadata": {"annotations": annotations}, "spec": spec})
    first = field.candidate("a", vouches=lambda: False)
    first.start()

    await field.watch_for(60)

    assert first.election.as_of == at(0)
    await field.stop()


@pytest.mark.parametrize("is_cut", [False, True], ids=["connected", "cut-off"])
async def test_own_clock_that_is_set_back(field: Field, is_cut: bool) -> None:  # noqa: FBT001 - a row
    """A word grows old by the time that passes here, also when our own clock is set back."""
    first, second = field.candidate("a"), field.candidate("b", vouches=lambda: False)
    first.start()
    second.start()
    await field.watch_for(10.5)
    first.link.is_cut = True
    second.link.is_cut = is_cut
    second.wall_clock.error = -timedelta(hours=1)

    await field.watch_for(60)

    assert second.election.as_of is not None
    assert second.wall_clock() - second.election.as_of >= timedelta(seconds=58)
    await field.stop()


async def test_unreadable_word(field: Field, kube: FakeKube) -> None:
    """An annotation that is no time is no word."""
    kube.put(PATH, {"metadata": {"annotations": {AS_OF_ANNOTATION: "soon"}}, "spec": {}})
    first = field.candidate("a", vouches=lambda: False)
    first.start()

    await field.watch_for(5)

    assert first.election.as_of is None
    await field.stop()
