"""Which metrics there are, and which item of them a request gets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adapter.wire import ApiError
from tests import samples
from tests.adapter.publishing import Published, at, publishing, source
from tests.fakes.kube import FakeKube


@pytest_asyncio.fixture
async def published(kube: FakeKube) -> AsyncIterator[Published]:
    async with publishing(kube) as made:
        yield made


async def test_shape_of_an_item(published: Published) -> None:
    """An item carries name, labels, an RFC 3339 time with a zone, and a quantity."""
    published.put(desiredLoad="7250m")

    assert await published.ask() == [
        {
            "metricName": "desired-load",
            "metricLabels": {"kind": "BudAIScaler", "scaler": "chat", "strategy": "HPA"},
            "timestamp": "2026-01-05T12:00:00Z",
            "value": "7250m",
        }
    ]


async def test_source_metric(published: Published) -> None:
    """Every source is published under its name, with the labels that choose its scaler."""
    published.put(desiredLoad="3", sources=[source("queue", "12.5")])

    assert await published.ask("queue") == [
        {
            "metricName": "queue",
            "metricLabels": {"kind": "BudAIScaler", "scaler": "chat"},
            "timestamp": "2026-01-05T12:00:00Z",
            "value": "12500m",
        }
    ]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param("Foo_Bar", "foo_bar", id="lower-cased-by-client-go"),
        pytest.param("Foo_Bar", "Foo_Bar", id="asked-as-written"),
        pytest.param("vllm:num_requests_waiting", "vllm:num_requests_waiting", id="colon"),
        pytest.param("a.b-c|d", "a.b-c|d", id="dot-dash-pipe"),
        pytest.param("p90/latency %", "p90_latency__", id="illegal-characters"),
        pytest.param("..", "__", id="dots-only"),
    ],
)
async def test_names(published: Published, name: str, asked: str) -> None:
    """A metric is found by its published name, however its letters are written."""
    spec = samples.raw_spec(samples.total(name=name))
    published.put(spec=spec, desiredLoad="1", sources=[source(name, "4")])

    assert await published.values(asked) == {"chat": "4"}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param("", {"chat", "code"}, id="none"),
        pytest.param("scaler=chat", {"chat"}, id="one"),
        pytest.param("scaler=code", {"code"}, id="the-other-one"),
        pytest.param("kind=BudAIScaler,scaler=chat", {"chat"}, id="as-the-child-asks"),
        pytest.param("scaler!=chat", {"code"}, id="another"),
        pytest.param("scaler in (chat,code)", {"chat", "code"}, id="several"),
        pytest.param("scaler=other", set[str](), id="nobody"),
        pytest.param("scaler=chat,scaler=code", set[str](), id="impossible"),
        pytest.param("scaler=chat,strategy=KPA", set[str](), id="other-label-differs"),
        pytest.param("!scaler", set[str](), id="absent"),
    ],
)
async def test_selection(published: Published, selector: str, expected: set[str]) -> None:
    """Only items that the selector selects are answered; none at all is an empty list."""
    published.put("chat", desiredLoad="1")
    published.put("code", desiredLoad="2")

    assert set(await published.values("desired-load", selector)) == expected


async def test_namespaces(published: Published) -> None:
    """A metric of one namespace is not seen from another, not even by name."""
    published.put("chat", namespace="a", desiredLoad="1", sources=[source("queue", "5")])
    published.put("chat", namespace="b", desiredLoad="2", spec=samples.raw_spec(samples.level()))

    (item,) = await published.ask(namespace="b")
    assert item["value"] == "2"
    with pytest.raises(ApiError, match="namespace b") as raised:
        await published.ask("queue", namespace="b")
    assert raised.value.code == 404


@pytest.mark.parametrize("metric", ["unknown", "", "desired_load", "queue/x", "externalmetrics"])
async def test_unknown_metrics(published: Published, metric: str) -> None:
    """A metric that nobody publishes is not found, and the message says where it was looked for."""
    published.put(desiredLoad="1")

    with pytest.raises(ApiError, match="not published by any scaler in namespace ml") as raised:
        await published.ask(metric)

    assert raised.value.code == 404


async def test_malformed_selector(published: Published) -> None:
    """A selector that does not parse is the client's mistake, also for an unknown metric."""
    with pytest.raises(ApiError, match="unable to parse label selector") as raised:
        await published.ask("unknown", "a in (b")

    assert raised.value.code == 400


async def test_a_scaler_that_goes(published: Published) -> None:
    """With its last scaler a metric is gone, and the metrics of others stay."""
    published.put("chat", desiredLoad="1", sources=[source("queue", "5")])
    published.put("code", desiredLoad="2", spec=samples.raw_spec(samples.level()))
    assert set(await published.values()) == {"chat", "code"}

    published.remove("chat")

    assert await published.values() == {"code": "2"}
    with pytest.raises(ApiError, match="not published"):
        await published.ask("queue")
    published.remove("code")
    with pytest.raises(ApiError, match="not published"):
        await published.ask()


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ("0", "0"),
        ("1m", "1m"),
        ("7250m", "7250m"),
        ("0.0004", "1m"),
        ("1e15", "1000000000000000"),
    ],
)
async def test_decisions(published: Published, reported: str, expected: str) -> None:
    """A decision is published in whole thousandths, rounded up."""
    published.put(desiredLoad=reported)

    assert await published.values() == {"chat": expected}


@pytest.mark.parametrize(
    ("reported", "expected"),
    [("0.0", "0"), ("12.3456789", "12346m"), ("1e-09", "1m"), ("1e+15", "1000000000000000")],
)
async def test_values_of_sources(published: Published, reported: str, expected: str) -> None:
    """So is the value of a source, which a status carries as a float is written."""
    published.put(sources=[source("queue", reported)])

    assert await published.values("queue") == {"chat": expected}


@pytest.mark.parametrize(
    "reported",
    ["NaN", "nan", "inf", "+Inf", "-inf", "-1", "-0.001", "1,5", "", "seven", None, [], {"a": 1}],
    ids=repr,
)
async def test_what_is_no_number(published: Published, reported: object) -> None:
    """Whatever stands in a status, no HPA is ever told NaN, infinity or a negative."""
    published.put(desiredLoad=reported, sources=[source("queue", reported)])

    for metric in ("desired-load", "queue"):
        with pytest.raises(ApiError, match="no data yet"):
            await published.ask(metric)


async def test_reports_of_nobody(published: Published) -> None:
    """A status that reports sources the spec does not have publishes none of them."""
    published.put(desiredLoad="1", sources=[source("ghost", "5"), source("queue", "6")])

    assert await published.values("queue") == {"chat": "6"}
    with pytest.raises(ApiError, match="not published"):
        await published.ask("ghost")


async def test_a_scaler_without_status(published: Published) -> None:
    """A scaler that was never evaluated has no data, whoever has vouched for the others."""
    published.put("new")

    with pytest.raises(ApiError, match="scaler new has no data yet") as raised:
        await published.ask()

    assert raised.value.code == 503
    assert at(0) not in raised.value.message
