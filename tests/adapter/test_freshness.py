"""A value stands as long as it is known to be right; then it is an error, never an old value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from adapter.wire import ApiError
from tests import samples
from tests.adapter.publishing import GRACE, Published, at, publishing, source
from tests.conftest import NOON
from tests.fakes.kube import FakeKube


@pytest_asyncio.fixture
async def published(kube: FakeKube) -> AsyncIterator[Published]:
    async with publishing(kube) as made:
        yield made


async def refused(published: Published, metric: str = "desired-load", selector: str = "") -> str:
    """Ask, and give the message of the refusal."""
    with pytest.raises(ApiError) as raised:
        await published.ask(metric, selector)
    assert raised.value.code == 503
    return raised.value.message


async def test_as_fresh_as_the_leaders_word(published: Published) -> None:
    """A steady value that is not written again carries the time of the leader's last word."""
    published.put(desiredLoad="7", decisionTime=at(-9999))
    published.word = NOON + timedelta(hours=5)
    published.now = published.word + timedelta(seconds=2)

    (item,) = await published.ask()

    assert item["timestamp"] == at(5 * 3600)


@pytest.mark.parametrize("strategy", ["BudScaler", "KPA"])
async def test_who_decides_vouches(published: Published, strategy: str) -> None:
    """What the controllers decide is as fresh as their word, whatever the adapters' leader says."""
    spec = samples.raw_spec(scalingStrategy=strategy)
    published.put(spec=spec, desiredLoad="7", sources=[source()])
    published.word = None
    assert await published.values() == {"chat": "7"}

    published.word, published.now = NOON + GRACE, NOON + GRACE + timedelta(seconds=1)

    assert "is not known since" in await refused(published)
    assert "is not known since" in await refused(published, "queue")


async def test_nobody_ever_vouched(published: Published) -> None:
    """Without a leader's word nothing that stands in a status is published."""
    published.put(desiredLoad="7", sources=[source()])
    published.word = None

    assert "has no data yet" in await refused(published)
    assert "has no data yet" in await refused(published, "queue")


async def test_no_leader_any_more(published: Published) -> None:
    """Within the grace after the leader's last word the value stands, then it does not."""
    published.put(desiredLoad="7", sources=[source()])
    published.now = NOON + GRACE
    assert await published.values() == {"chat": "7"}
    assert await published.values("queue") == {"chat": "12"}

    published.now += timedelta(seconds=1)

    message = await refused(published)
    assert f"not known since {at(0)}" in message
    assert "that the adapter has a leader" in message
    assert f"not known since {at(0)}" in await refused(published, "queue")


async def test_held(published: Published) -> None:
    """A held value carries the time of its last good data, however fresh the leader's word is."""
    published.put(desiredLoad="7", holdingSince=at(-100))

    (item,) = await published.ask()

    assert (item["value"], item["timestamp"]) == ("7", at(-100))


async def test_held_for_too_long(published: Published) -> None:
    """Past the grace a held value is an error, though the leader vouches for it every second."""
    published.put(desiredLoad="7", holdingSince=at(0))
    published.word = published.now = NOON + GRACE
    assert await published.values() == {"chat": "7"}

    published.word = published.now = NOON + GRACE + timedelta(seconds=1)

    assert f"not known since {at(0)}" in await refused(published)


async def test_held_by_a_clock_that_is_ahead(published: Published) -> None:
    """A time of last good data that lies in the future counts from when it was reported here."""
    ahead = at(1800)
    published.put(desiredLoad="7", holdingSince=ahead, sources=[source(noDataSince=ahead)])
    assert await published.values() == {"chat": "7"}
    published.word = published.now = NOON + GRACE
    # The status is written again meanwhile, and says the same.
    published.put(
        desiredLoad="7", holdingSince=ahead, sources=[source(noDataSince=ahead)], boundBy="source"
    )

    for metric in ("desired-load", "queue"):
        (item,) = await published.ask(metric)
        assert item["timestamp"] == at(0)

    published.word = published.now = NOON + GRACE + timedelta(seconds=1)
    for metric in ("desired-load", "queue"):
        assert f"not known since {at(0)}" in await refused(published, metric)


async def test_held_again_by_a_clock_that_is_ahead(published: Published) -> None:
    """Each time that data is lost counts anew."""
    published.put(desiredLoad="7", holdingSince=at(1800))
    assert await published.values() == {"chat": "7"}
    published.word = published.now = NOON + timedelta(hours=1)
    published.put(desiredLoad="7", holdingSince=at(5400))

    (item,) = await published.ask()

    assert item["timestamp"] == at(3600)


async def test_good_again(published: Published) -> None:
    """When data comes back the value is fresh again at once."""
    published.put(desiredLoad="7", holdingSince=at(-9999))
    await refused(published)

    published.put(desiredLoad="8")

    (item,) = await published.ask()
    assert (item["value"], item["timestamp"]) == ("8", at(0))


async def test_a_source_without_data(published: Published) -> None:
    """A source that fell silent is as old as its silence; the others of the scaler are fresh."""
    silent = source("queue", "12", noDataSince=at(-200), reason="Timeout")
    published.put(desiredLoad="7", sources=[silent])

    (item,) = await published.ask("queue")
    (decision,) = await published.ask()

    assert (item["value"], item["timestamp"]) == ("12", at(-200))
    assert decision["timestamp"] == at(0)
    published.now += timedelta(seconds=101)
    assert f"not known since {at(-200)}" in await refused(published, "queue")
    assert await published.values() == {"chat": "7"}


async def test_a_source_that_never_had_data(published: Published) -> None:
    """A source without any value ever is an error from the start."""
    never = {"name": "queue", "metric": "queue", "noDataSince": at(0), "reason": "EmptyResult"}
    published.put(desiredLoad="7", sources=[never])

    assert "has no data yet" in await refused(published, "queue")


async def test_one_stale_item(published: Published) -> None:
    """HPAs add items up, so one stale item makes the whole answer an error; a selector helps."""
    published.put("fresh", desiredLoad="7")
    published.put("stale", desiredLoad="9", holdingSince=at(-301))

    assert "scaler stale" in await refused(published)
    assert "scaler stale" in await refused(published, selector="kind=BudAIScaler")
    assert await published.values(selector="scaler=fresh") == {"fresh": "7"}
    assert await published.values(selector="scaler!=stale") == {"fresh": "7"}


@pytest.mark.parametrize("holding_since", ["", "soon", None])
async def test_unreadable_times(published: Published, holding_since: str | None) -> None:
    """A time that is none is as if it were absent."""
    published.put(desiredLoad="7", holdingSince=holding_since)

    (item,) = await published.ask()

    assert item["timestamp"] == at(0)


async def test_messages(published: Published) -> None:
    """An error names metric and scaler, and says where to look; no query and no address."""
    published.put(desiredLoad="7", holdingSince=at(-9999))

    message = await refused(published)

    assert message.startswith("desired-load of scaler chat")
    assert "see its conditions" in message
    for secret in ("sum(", "http", "queue"):
        assert secret not in message
