"""What a Prometheus remembers of a total: only times that can be trusted."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import PastTotal, Sample
from budaiscaler.sources.operator_credentials import OperatorAccess
from tests.sources.server import (
    Answer,
    Prometheus,
    body,
    hang,
    prometheus,
    prometheus_source,
    request,
    result,
    vector,
)

NOW_S = 1767614403.0
END_S = 1767614400.0
"""The last whole step."""
LENGTH_S, STEP_S = 15.0, 5.0
Series = Mapping[int, str]
"""Values by how many steps ago they were."""


def matrix(*series: Series) -> Answer:
    """Answer a range of such series."""
    return result(
        "matrix",
        [
            {
                "metric": {"pod": f"p{number}"},
                "values": [[END_S - STEP_S * ago, one[ago]] for ago in sorted(one, reverse=True)],
            }
            for number, one in enumerate(series)
        ],
    )


def answering(total: Answer, count: Answer) -> Answer:
    """Answer the count in one way and everything else in another."""

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        (count if promql.startswith("count") else total)(server, handler, promql)

    return answer


async def remembered(
    answer: Answer, promql: str = "sum(queue)", **fields: Any
) -> tuple[list[Prometheus], dict[int, float] | NoData]:
    """Ask once; gives the server, and the totals by how many steps ago they were."""
    source = prometheus_source(deadline_s=2, wall_clock=lambda: NOW_S)
    with prometheus(answer) as server:
        try:
            asked = request(server.url, promql, **fields)
            found = await source.past(asked.namespace, asked.source, LENGTH_S, STEP_S)
        finally:
            await source.close()
    if isinstance(found, NoData):
        return [server], found
    return [server], {round((END_S - one.at_s) / STEP_S): one.total for one in found}


@pytest.mark.parametrize(
    ("total", "count", "expected"),
    [
        pytest.param(
            {2: "7", 1: "8", 0: "9"}, {2: "3", 1: "3", 0: "3"}, {2: 7, 1: 8, 0: 9}, id="whole"
        ),
        pytest.param({2: "7", 1: "4", 0: "9"}, {2: "3", 1: "2", 0: "3"}, {2: 7, 0: 9}, id="a-part"),
        pytest.param({2: "0", 1: "8", 0: "9"}, {1: "3", 0: "3"}, {1: 8, 0: 9}, id="or-vector-0"),
        pytest.param({2: "4", 0: "9"}, {2: "2", 0: "3"}, {0: 9}, id="before-a-scale-up"),
        pytest.param({2: "9", 0: "4"}, {2: "3", 0: "2"}, {2: 9}, id="after-a-scale-down"),
        pytest.param({2: "NaN", 1: "-1", 0: "+Inf"}, {2: "3", 1: "3", 0: "3"}, {}, id="no-numbers"),
        pytest.param({1: "8", 0: "9"}, {1: "NaN", 0: "3"}, {0: 9}, id="a-count-that-is-none"),
        pytest.param({1: "8", 0: "9"}, {}, {}, id="never-counted"),
        pytest.param({}, {}, {}, id="nothing"),
    ],
)
async def test_a_sum(total: Series, count: Series, expected: dict[int, float]) -> None:
    """A time counts if it has a number and as many series contributed as ever did."""
    answer = answering(matrix(total) if total else matrix(), matrix(count) if count else matrix())
    _, found = await remembered(answer)
    assert found == expected


async def test_series_without_a_sum() -> None:
    """Where the expression is of many series, those of each time are counted."""
    answer = matrix({2: "1", 1: "2", 0: "3"}, {2: "10", 0: "30"})
    _, found = await remembered(answer, "queue", targetType="AverageValue")
    assert found == {2: 11, 0: 33}


async def test_what_nobody_can_count() -> None:
    """Of a count nobody knows what was missing then, so nobody is asked."""
    (server,), found = await remembered(matrix({0: "9"}), "count(queue)")
    assert (found, server.seen) == ({}, [])


async def test_what_is_asked() -> None:
    """Whole steps up to now, in the body of a POST, of the expression and of its count."""
    (server,), _ = await remembered(matrix({0: "9"}))

    assert {(query.method, query.path) for query in server.seen} == {
        ("POST", "/api/v1/query_range")
    }
    assert sorted(query.promql for query in server.seen) == ["count(queue{})", "sum(queue)"]
    for query in server.seen:
        span = [float(query.parameters[name][0]) for name in ("start", "end", "step")]
        assert span == [END_S - LENGTH_S, END_S, STEP_S]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(body(422, '{"error": "too long"}'), NoDataReason.BAD_QUERY, id="refused"),
        pytest.param(body(503, ""), NoDataReason.HTTP_ERROR, id="out-of-order"),
        pytest.param(vector("7"), NoDataReason.BAD_ANSWER, id="no-range"),
        pytest.param(body(200, "<html>"), NoDataReason.BAD_ANSWER, id="a-page"),
        pytest.param(
            answering(matrix({0: "9"}), body(503, "")), NoDataReason.HTTP_ERROR, id="count-refused"
        ),
    ],
)
async def test_a_past_that_is_not_told(answer: Answer, reason: NoDataReason) -> None:
    """Whatever the server answers instead is no data, with its reason."""
    _, found = await remembered(answer)
    assert isinstance(found, NoData)
    assert found.reason is reason


async def test_a_past_that_is_refused_says_nothing_of_the_present() -> None:
    """A server that answers no range is asked for what is now, and at once."""
    now_s = itertools.count(NOW_S, STEP_S)
    source = prometheus_source(deadline_s=2, wall_clock=lambda: next(now_s))

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        is_range = server.seen[-1].path.endswith("query_range")
        (body(503, "") if is_range else vector("7"))(server, handler, promql)

    with prometheus(answer) as server:
        try:
            asked = request(server.url, "queue", targetType="AverageValue")
            for _ in range(5):
                told = await source.past(asked.namespace, asked.source, LENGTH_S, STEP_S)
                assert isinstance(told, NoData)
            assert len(server.seen) == 5
            assert isinstance(await source.fetch(asked), Sample)
        finally:
            await source.close()


async def test_a_past_that_hangs_leaves_turns_for_the_present() -> None:
    """However many ask for the past of a server that is slow at that, two do at a time."""
    source = prometheus_source(deadline_s=2)

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        is_range = server.seen[-1].path.endswith("query_range")
        (hang if is_range else vector("7"))(server, handler, promql)

    with prometheus(answer) as server:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(source.past(asked.namespace, asked.source, LENGTH_S, STEP_S))
                    for number in range(8)
                    for asked in [request(server.url, f"queue{number}", targetType="AverageValue")]
                ]
                while server.now < 2:  # noqa: ASYNC110 - threads tell nobody
                    await asyncio.sleep(0.01)
                found = await source.fetch(request(server.url, "up"))
                assert isinstance(found, Sample)
                assert server.most <= 3
                for task in tasks:
                    task.cancel()
        finally:
            await source.close()


async def test_those_who_ask_the_same_share_the_answer() -> None:
    """A range is asked for once by many scalers that ask the same."""
    source = prometheus_source(deadline_s=2, wall_clock=lambda: NOW_S)
    with prometheus(matrix({0: "9"})) as server:
        try:
            asked = request(server.url, "queue", targetType="AverageValue")
            told = await asyncio.gather(
                *(source.past(asked.namespace, asked.source, LENGTH_S, STEP_S) for _ in range(9))
            )
            assert told == [(PastTotal(END_S, 9.0),)] * 9
            assert (len(server.seen), source.fetches) == (1, 1)
        finally:
            await source.close()


async def test_a_tenant_is_told_of_its_own_past_only() -> None:
    """The label that the operator enforces stands in a range as well, and in its count."""
    with prometheus(matrix({0: "9"})) as server:
        operator = OperatorAccess(url=server.url, enforced_label="namespace")
        source = prometheus_source(operator=operator, deadline_s=2)
        try:
            asked = request(None, "sum(queue)")
            await source.past(asked.namespace, asked.source, LENGTH_S, STEP_S)
        finally:
            await source.close()
        assert len(server.seen) == 2
        assert all('namespace="ml"' in query.promql for query in server.seen)
