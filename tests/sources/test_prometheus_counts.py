"""Partial data: of a total, the number of series that it is made of is asked for beside it."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from budaiscaler.domain.readings import NoData
from budaiscaler.sources.base import Sample
from tests.sources.server import (
    Answer,
    Prometheus,
    body,
    prometheus,
    prometheus_source,
    request,
    vector,
)

COUNT = "count(queue{})"


def answering(total: Answer, count: Answer) -> Answer:
    """Answer the count in one way and everything else in another."""

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        (count if promql.startswith("count") else total)(server, handler, promql)

    return answer


async def ask(answer: Answer, promql: str = "sum(queue)", **fields: Any) -> Sample | NoData:
    """Ask once."""
    source = prometheus_source(deadline_s=2)
    with prometheus(answer) as server:
        try:
            return await source.fetch(request(server.url, promql, **fields))
        finally:
            await source.close()


@pytest.mark.parametrize(
    ("count", "answered"),
    [
        pytest.param(vector("12"), 12, id="some"),
        pytest.param(vector(), 0, id="none"),
        pytest.param(body(500, ""), None, id="not-known"),
        pytest.param(body(422, '{"error": "too many"}'), None, id="refused"),
        pytest.param(vector("NaN"), None, id="no-number"),
    ],
)
async def test_a_total(count: Answer, answered: int | None) -> None:
    """The total is what it is; how many series answered is told where that is known."""
    found = await ask(answering(vector("7"), count))

    assert isinstance(found, Sample)
    assert found.values == (7.0,)
    assert found.answered == answered


async def test_no_total() -> None:
    """Without a total the number of series is of no use."""
    assert isinstance(await ask(answering(vector(), vector("12"))), NoData)


@pytest.mark.parametrize(
    ("promql", "fields"),
    [
        pytest.param("avg(queue)", {}, id="a-level"),
        pytest.param("sum(queue)", {"targetType": "Value"}, id="a-sum-that-is-a-level"),
        pytest.param("count(queue)", {}, id="a-count"),
        pytest.param("queue", {"targetType": "AverageValue"}, id="no-aggregation"),
    ],
)
async def test_what_has_no_count(promql: str, fields: dict[str, Any]) -> None:
    """Where the number would say nothing, nothing more is asked."""
    source = prometheus_source(deadline_s=2)
    with prometheus(vector("7")) as server:
        found = await source.fetch(request(server.url, promql, **fields))
        await source.close()

    assert found == Sample((7.0,), found.at_s if isinstance(found, Sample) else 0)
    assert len(server.seen) == 1


async def test_it_costs_one_query() -> None:
    """However many scalers share a total, the number of its series is asked for once."""
    source = prometheus_source(deadline_s=2)
    with prometheus(vector("7")) as server:
        for _ in range(20):
            await source.fetch(request(server.url, "sum(queue)", max_age_s=60))
        await source.fetch(request(server.url, "sum(queue) * 2", max_age_s=60))
        await source.close()

    asked = sorted(seen.promql for seen in server.seen)
    assert asked == [COUNT, "sum(queue)", "sum(queue) * 2"]
