"""After an edit a figure stands as long as it is about what the scaler is about now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from adapter.wire import ApiError
from budaiscaler.domain.errors import ExpiredError
from budaiscaler.kube.port import Json
from tests import samples
from tests.adapter.copies import until
from tests.adapter.publishing import Published, publishing, source
from tests.fakes.kube import FakeKube

OTHER = samples.raw_spec(scaleTargetRef={"name": "summarise"})


@pytest_asyncio.fixture
async def published(kube: FakeKube) -> AsyncIterator[Published]:
    async with publishing(kube) as made:
        yield made


async def is_withheld(published: Published, *metrics: str) -> bool:
    """Whether each of the metrics is refused for lack of data."""
    for metric in metrics or ("desired-load", "queue"):
        with pytest.raises(ApiError, match="no data yet") as raised:
            await published.ask(metric)
        assert raised.value.code == 503
    return True


async def test_a_source_that_is_renamed(published: Published) -> None:
    """After a rename the old name is gone at once, and the new one waits for its first value."""
    published.put(desiredLoad="1", sources=[source("queue", "5")])
    assert await published.values("queue") == {"chat": "5"}

    renamed = samples.raw_spec(samples.total(name="waiting"))
    published.put(spec=renamed, generation=2, desiredLoad="1", sources=[source("queue", "5")])

    with pytest.raises(ApiError) as gone:
        await published.ask("queue")
    with pytest.raises(ApiError) as waiting:
        await published.ask("waiting")
    assert (gone.value.code, waiting.value.code) == (404, 503)


async def test_a_spec_that_becomes_invalid(published: Published) -> None:
    """An invalid edit takes the sources away, and mending it brings them back."""
    published.put(desiredLoad="1", sources=[source("queue", "5")])
    published.put(spec=samples.raw_spec(minReplicas=9, maxReplicas=1), generation=2)

    with pytest.raises(ApiError, match="not published"):
        await published.ask("queue")
    with pytest.raises(ApiError, match="no data yet") as raised:
        await published.ask()
    assert raised.value.code == 503

    published.put(generation=3, desiredLoad="1", sources=[source("queue", "5")])
    assert await published.values("queue") == {"chat": "5"}


async def test_left_behind_by_another_strategy(published: Published) -> None:
    """What the HPA strategy reported is not published for the KPA strategy that was switched to."""
    published.put(desiredLoad="7", sources=[source("queue", "5")])
    kpa = samples.raw_spec(scalingStrategy="KPA")
    published.put(
        spec=kpa,
        generation=2,
        observedGeneration=1,
        desiredLoad="7",
        sources=[source("queue", "5")],
    )

    for metric in ("desired-load", "queue"):
        with pytest.raises(ApiError, match="no data yet"):
            await published.ask(metric)

    published.put(spec=kpa, generation=2, desiredLoad="4", observedGeneration=2)
    (item,) = await published.ask()
    assert item["value"] == "4"
    assert item["metricLabels"]["strategy"] == "KPA"


async def test_an_edit_keeps_the_value(published: Published) -> None:
    """While an edit waits for its evaluation the HPA is not frozen: the last decision stands."""
    published.put(desiredLoad="7")
    published.put(
        spec=samples.raw_spec(maxReplicas=50), generation=2, observedGeneration=1, desiredLoad="7"
    )

    assert await published.values() == {"chat": "7"}


async def test_edits_that_follow_each_other(published: Published) -> None:
    """Also while several edits wait, and when the first of them is evaluated before the last."""
    published.put(desiredLoad="7")
    wide, wider = samples.raw_spec(maxReplicas=50), samples.raw_spec(maxReplicas=60)
    published.put(spec=wide, generation=2, observedGeneration=1, desiredLoad="7")
    assert await published.values() == {"chat": "7"}
    published.put(spec=wider, generation=3, observedGeneration=1, desiredLoad="7")
    assert await published.values() == {"chat": "7"}

    published.put(spec=wider, generation=3, observedGeneration=2, desiredLoad="8")

    assert await published.values() == {"chat": "8"}


@pytest.mark.parametrize(
    "target",
    [
        pytest.param({"name": "summarise"}, id="name"),
        pytest.param({"name": "chat", "kind": "StatefulSet"}, id="kind"),
        pytest.param({"name": "chat", "apiVersion": "apps/v2"}, id="version"),
    ],
)
async def test_a_retarget(published: Published, target: Json) -> None:
    """What one workload needs is not published for another: its HPA would remove 18 of 20."""
    published.put(desiredLoad="2", sources=[source("queue", "5")])
    assert await published.values() == {"chat": "2"}
    spec = samples.raw_spec(scaleTargetRef=target)
    old: dict[str, Any] = {"desiredLoad": "2", "sources": [source("queue", "5")]}

    published.put(spec=spec, generation=2, observedGeneration=1, **old)

    assert await is_withheld(published)
    published.put(spec=spec, generation=2, desiredLoad="20", sources=[source("queue", "60")])
    assert await published.values() == {"chat": "20"}
    assert await published.values("queue") == {"chat": "60"}


async def test_an_edit_after_a_retarget(published: Published) -> None:
    """Further edits do not bring back what was withheld, but the first evaluation of them does."""
    published.put(desiredLoad="2")
    published.put(spec=OTHER, generation=2, observedGeneration=1, desiredLoad="2")
    wider = {**OTHER, "maxReplicas": 200}

    published.put(spec=wider, generation=3, observedGeneration=1, desiredLoad="2")
    assert await is_withheld(published, "desired-load")

    published.put(spec=wider, generation=3, observedGeneration=2, desiredLoad="20")
    assert await published.values() == {"chat": "20"}


async def test_a_retarget_that_is_taken_back(published: Published) -> None:
    """A report on the other workload, that comes when the first is back, is not published."""
    published.put(desiredLoad="7")
    published.put(spec=OTHER, generation=2, observedGeneration=1, desiredLoad="7")
    published.put(generation=3, observedGeneration=1, desiredLoad="7")
    assert await is_withheld(published, "desired-load")

    published.put(generation=3, observedGeneration=2, desiredLoad="20")
    assert await is_withheld(published, "desired-load")

    published.put(generation=3, desiredLoad="8")
    assert await published.values() == {"chat": "8"}


async def test_edits_that_nobody_saw(published: Published) -> None:
    """Between a break of the watch and the next list a target may have come and gone."""
    published.put(desiredLoad="7")
    assert await published.values() == {"chat": "7"}
    lists = len(published.kube.made("get"))
    published.kube.end_watches(ExpiredError(410, "Expired", "too old"))
    published.put(spec=OTHER, generation=2, observedGeneration=1, desiredLoad="7")
    published.put(generation=3, observedGeneration=2, desiredLoad="20")
    published.kube.compact()

    await until(lambda: len(published.kube.made("get")) > lists)

    assert await is_withheld(published, "desired-load")
    published.put(generation=3, desiredLoad="7")
    assert await published.values() == {"chat": "7"}


async def test_a_copy_that_starts_after_an_edit(kube: FakeKube) -> None:
    """Whoever has not seen what was edited waits for the evaluation, whatever the edit was."""
    before = Published(kube)
    before.put(spec=OTHER, generation=2, observedGeneration=1, desiredLoad="2")

    async with publishing(kube) as published:
        assert await is_withheld(published, "desired-load")

        published.put(spec=OTHER, generation=2, desiredLoad="20")
        assert await published.values() == {"chat": "20"}


async def test_another_of_the_same_name(published: Published) -> None:
    """A scaler that was deleted and made anew begins without figures."""
    published.put(desiredLoad="7")
    assert await published.values() == {"chat": "7"}

    published.put(uid="another", generation=1, observedGeneration=0, desiredLoad="7")

    assert await is_withheld(published, "desired-load")


async def test_left_behind_for_the_hpa(published: Published) -> None:
    """What another strategy reported is not published for the HPA strategy that was switched to."""
    kpa = samples.raw_spec(scalingStrategy="KPA")
    published.put(spec=kpa, desiredLoad="4")
    assert await published.values() == {"chat": "4"}

    published.put(generation=2, observedGeneration=1, desiredLoad="4")

    assert await is_withheld(published, "desired-load")


@pytest.mark.parametrize("observed", [None, "1", 0], ids=repr)
async def test_reports_on_nothing(published: Published, observed: object) -> None:
    """A status that does not say what it is about is about nothing."""
    published.put(observedGeneration=observed, desiredLoad="7")

    assert await is_withheld(published, "desired-load")
