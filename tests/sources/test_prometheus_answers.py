"""What a Prometheus answers becomes numbers, or a reason with a remedy; never a made-up number."""

from __future__ import annotations

import json
import math
from http.server import BaseHTTPRequestHandler

import pytest

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.base import Sample
from budaiscaler.sources.prometheus import MAX_BODY_BYTES
from tests.sources.server import (
    Answer,
    Prometheus,
    ask,
    body,
    prometheus,
    prometheus_source,
    request,
    result,
    vector,
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(vector("3"), (3.0,), id="one-series"),
        pytest.param(vector("3", "4.5", "0"), (3.0, 4.5, 0.0), id="several-series"),
        pytest.param(result("scalar", [1767614400.1, "7.25"]), (7.25,), id="scalar"),
        pytest.param(result("scalar", [1767614400, "0"]), (0.0,), id="scalar-at-a-whole-second"),
        pytest.param(vector("1e+15"), (1e15,), id="large"),
        pytest.param(vector("-2"), (-2.0,), id="negative"),
        pytest.param(vector("+Inf", "-Inf"), (math.inf, -math.inf), id="infinite"),
    ],
)
async def test_numbers(answer: Answer, expected: tuple[float, ...]) -> None:
    """Vectors and scalars give their numbers as they are; whether they are usable, others judge."""
    sample = await ask(answer)

    assert isinstance(sample, Sample)
    assert sample.values == expected


async def test_not_a_number() -> None:
    """NaN is passed on as NaN, and not as 0: an idle ratio must not read as no load."""
    sample = await ask(vector("NaN", "1"))

    assert isinstance(sample, Sample)
    assert math.isnan(sample.values[0])


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        pytest.param(vector(), NoDataReason.EMPTY_RESULT, "found no series", id="empty"),
        pytest.param(
            result("matrix", [{"metric": {}, "values": [[1, "2"], [2, "3"]]}]),
            NoDataReason.BAD_QUERY,
            "rate()",
            id="range",
        ),
        pytest.param(
            result("vector", [{"metric": {}, "histogram": [1, {"count": "2"}]}]),
            NoDataReason.BAD_QUERY,
            "histogram_quantile()",
            id="native-histogram",
        ),
        pytest.param(
            result("string", [1767614400.1, "hello"]),
            NoDataReason.BAD_ANSWER,
            "as a Prometheus does",
            id="string",
        ),
        pytest.param(body(200, ""), NoDataReason.BAD_ANSWER, "as a Prometheus", id="nothing"),
        pytest.param(body(200, "<html>"), NoDataReason.BAD_ANSWER, "as a Prometheus", id="html"),
        pytest.param(body(200, "[]"), NoDataReason.BAD_ANSWER, "as a Prometheus", id="list"),
        pytest.param(body(200, "null"), NoDataReason.BAD_ANSWER, "as a Prometheus", id="null"),
        pytest.param(body(200, "3"), NoDataReason.BAD_ANSWER, "as a Prometheus", id="number"),
        pytest.param(body(200, "{}"), NoDataReason.BAD_ANSWER, "as a Prometheus", id="other-json"),
        pytest.param(
            body(200, '{"data": null}'), NoDataReason.BAD_ANSWER, "as a Prometheus", id="no-data"
        ),
        pytest.param(
            result("vector", 5), NoDataReason.BAD_ANSWER, "as a Prometheus", id="result-a-number"
        ),
        pytest.param(
            result("vector", {"a": 1}),
            NoDataReason.BAD_ANSWER,
            "as a Prometheus",
            id="result-a-map",
        ),
        pytest.param(
            result("vector", [3]), NoDataReason.BAD_ANSWER, "as a Prometheus", id="no-samples"
        ),
        pytest.param(
            result("vector", [{"metric": {}, "value": [1]}]),
            NoDataReason.BAD_ANSWER,
            "as a Prometheus",
            id="half-a-sample",
        ),
        pytest.param(
            result("vector", [{"metric": {}, "value": [1, None]}]),
            NoDataReason.BAD_ANSWER,
            "as a Prometheus",
            id="sample-of-null",
        ),
        pytest.param(
            body(200, "[" * 100_000), NoDataReason.BAD_ANSWER, "as a Prometheus", id="deep-json"
        ),
        pytest.param(body(200, b"\xff\xfe\x00"), NoDataReason.BAD_ANSWER, "does", id="binary"),
        pytest.param(
            body(200, b"\x1f\x8bjunk", **{"Content-Encoding": "gzip"}),
            NoDataReason.BAD_ANSWER,
            "as a Prometheus",
            id="broken-gzip",
        ),
    ],
)
async def test_no_number(answer: Answer, reason: NoDataReason, words: str) -> None:
    """Whatever else is answered is no data, with a message that says what to do."""
    found = await ask(answer)

    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message


@pytest.mark.parametrize(
    ("status", "text", "reason", "words"),
    [
        pytest.param(
            400,
            json.dumps({"status": "error", "error": "1:5: parse error: unexpected <by>"}),
            NoDataReason.BAD_QUERY,
            "Prometheus refuses promQL: 1:5: parse error: unexpected <by>",
            id="does-not-parse",
        ),
        pytest.param(
            422,
            json.dumps({"status": "error", "error": "many-to-many matching not allowed"}),
            NoDataReason.BAD_QUERY,
            "many-to-many matching not allowed",
            id="cannot-be-executed",
        ),
        pytest.param(400, "<html>", NoDataReason.BAD_QUERY, "does not parse", id="without-words"),
        pytest.param(
            401, "who?", NoDataReason.HTTP_ERROR, "refuses our credentials (HTTP 401)", id="401"
        ),
        pytest.param(403, "no", NoDataReason.HTTP_ERROR, "(HTTP 403)", id="403"),
        pytest.param(
            404, "", NoDataReason.BAD_ENDPOINT, "check the path of endpoint", id="wrong-path"
        ),
        pytest.param(429, "", NoDataReason.HTTP_ERROR, "answered HTTP 429", id="429"),
        pytest.param(500, "stack", NoDataReason.HTTP_ERROR, "answered HTTP 500", id="500"),
        pytest.param(503, "", NoDataReason.HTTP_ERROR, "answered HTTP 503", id="503"),
        pytest.param(204, "", NoDataReason.HTTP_ERROR, "answered HTTP 204", id="no-content"),
    ],
)
async def test_statuses(status: int, text: str, reason: NoDataReason, words: str) -> None:
    """A refusal says whose turn it is; of a bad query it repeats Prometheus's own words."""
    found = await ask(body(status, text))

    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message


async def test_redirects_are_not_followed() -> None:
    """A redirect is told, not followed: credentials and query stay where they were meant to go."""
    source = prometheus_source(deadline_s=2)
    with (
        prometheus(vector("1")) as elsewhere,
        prometheus(body(307, "", Location=f"{elsewhere.url}/api/v1/query")) as server,
    ):
        found = await source.fetch(request(server.url))
        await source.close()

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ENDPOINT
    assert "redirects elsewhere" in found.message
    assert elsewhere.seen == []


async def test_too_large() -> None:
    """A body over the limit is given up, and the message says how large it may be."""
    found = await ask(body(200, b"x" * (MAX_BODY_BYTES + 1)))

    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ANSWER
    assert "more than 8 MiB" in found.message


async def test_what_is_sent() -> None:
    """The query goes to the API of the endpoint, whatever characters stand in it."""
    promql = 'sum(rate(vllm:x{a="ä&b=c",d=~"\\\\w+"}[1m])) / 100 % 3'
    source = prometheus_source(deadline_s=2)
    with prometheus(vector("1")) as server:
        await source.fetch(request(f"{server.url}/tenant/", promql))
        await source.close()

    (seen,) = server.seen
    assert seen.path == "/tenant/api/v1/query"
    assert seen.promql == promql


async def test_default_endpoint() -> None:
    """A source without an endpoint asks the operator's Prometheus."""
    with prometheus(vector("1")) as server:
        source = prometheus_source(default_endpoint=server.url, deadline_s=2)
        found = await source.fetch(request(None))
        await source.close()

    assert isinstance(found, Sample)
    assert len(server.seen) == 1


async def test_connection_is_reused() -> None:
    """One query after the other goes over the same connection, also after a refusal."""
    ports = set()

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        ports.add(handler.client_address[1])
        chosen = body(400, "{}") if promql == "bad" else vector("1")
        chosen(server, handler, promql)

    source = prometheus_source(deadline_s=2)
    with prometheus(answer) as server:
        for promql in ("good", "bad", "good", "good"):
            await source.fetch(request(server.url, promql))
        await source.close()

    assert len(server.seen) == 4
    assert len(ports) == 1
