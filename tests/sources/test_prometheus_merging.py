"""Merged queries on the wire: what Prometheus is asked, and what it may answer."""

from __future__ import annotations

import asyncio
import json
import re
from http.server import BaseHTTPRequestHandler

import pytest

from budaiscaler.domain.readings import NoData
from budaiscaler.sources.base import Sample
from budaiscaler.sources.operator_credentials import OperatorAccess
from tests.sources.server import (
    Prometheus,
    body,
    prometheus,
    prometheus_source,
    request,
    result,
    vector,
)


async def test_a_source_merges() -> None:
    """From the source's side: few queries on the wire, numbers and counts of series by model."""

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        pattern = re.search(r'model=~"([^"]*)"', promql)
        if pattern is None:
            vector("1")(server, handler, promql)
            return
        number = "3" if promql.startswith("count") else "7"
        series = [
            {"metric": {"model": model}, "value": [1.0, number]}
            for model in pattern[1].split("|")
            if model != "m5"
        ]
        result("vector", series)(server, handler, promql)

    source = prometheus_source()
    with prometheus(answer) as server:
        asked = [
            request(server.url, f'sum(queue{{model="m{number}"}})', max_age_s=60)
            for number in range(40)
        ]
        await source.fetch(asked[0])
        found = await asyncio.gather(*map(source.fetch, asked[1:]))
        await source.close()

    assert len(server.seen) == 4 == source.fetches
    assert isinstance(found[4], NoData)
    others = [one for number, one in enumerate(found) if number != 4]
    assert {(one.values, one.answered) for one in others if isinstance(one, Sample)} == {
        ((7.0,), 3)
    }
    assert len(others) == 38


@pytest.mark.parametrize(
    "series",
    [
        pytest.param([{"metric": {}, "value": [1.0, "7"]}], id="no-label"),
        pytest.param([{"metric": {"model": "m0", "b": ""}, "value": [1.0, "7"]}], id="two-labels"),
        pytest.param([{"metric": {"model": "m0"}, "value": [1.0, "7"]}] * 2, id="twice"),
        pytest.param([{"metric": {"model": "m0"}, "histogram": [1.0, {}]}], id="histogram"),
    ],
)
async def test_an_answer_that_cannot_be_taken_apart(series: list[object]) -> None:
    """Each is asked by itself then."""

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        single = vector("1")
        (result("vector", series) if "=~" in promql else single)(server, handler, promql)

    source = prometheus_source()
    with prometheus(answer) as server:
        asked = [
            request(server.url, f'sum(queue{{model="m{number}"}})', targetType="Value")
            for number in range(3)
        ]
        found = [await source.fetch(one) for one in asked]
        await source.close()

    assert [one.values for one in found if isinstance(one, Sample)] == [(1.0,)] * 3


async def test_namespaces_are_not_merged() -> None:
    """Where a label is enforced, no query reads the series of two namespaces."""
    with prometheus(body(200, json.dumps({"data": {"result": []}}))) as server:
        source = prometheus_source(
            operator=OperatorAccess(enforced_label="namespace"), default_endpoint=server.url
        )
        for namespace in ("a", "b", "c"):
            await source.fetch(request(None, "sum(q)", namespace=namespace, targetType="Value"))
        await source.close()

    assert [seen.promql for seen in server.seen] == [
        f'sum(q{{namespace="{namespace}"}})' for namespace in "abc"
    ]
