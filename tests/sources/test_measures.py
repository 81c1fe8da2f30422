"""Numbers made of series: sums and means over engines, rates, means and quantiles of rises."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources import exposition, measures
from budaiscaler.sources.measures import STARTED, Kind, Measure, Unit
from budaiscaler.sources.pages import Look, Page

GAUGE = Measure(Kind.GAUGE, "a")
SHARE = Measure(Kind.GAUGE, "a", Unit.FRACTION)
RATE = Measure(Kind.RATE, "a_total")
MEAN = Measure(Kind.MEAN, "t_sum", Unit.SECONDS, per="t_count")
P50 = Measure(Kind.QUANTILE, "t_bucket", Unit.SECONDS, quantile=0.5)


def page(text: str, measure: Measure, at_s: float) -> Page:
    found = {name: exposition.Text(text.encode()).series(name) for name in measure.names}
    return Page(at_s, found)


def read(measure: Measure, now: str, before: str | None = None) -> float | NoData | None:
    """Read a page, ten seconds after another."""
    old = page(before, measure, 90.0) if before is not None else None
    return measure.read(Look(page(now, measure, 100.0), old))


@pytest.mark.parametrize(
    ("measure", "text", "value"),
    [
        pytest.param(GAUGE, 'a{engine="0"} 3\na{engine="1"} 4', 7.0, id="engines-add-up"),
        pytest.param(SHARE, 'a{engine="0"} 0.2\na{engine="1"} 0.4', 0.3, id="shares-are-a-mean"),
        pytest.param(GAUGE, 'a{tp_rank="0"} 3\na{tp_rank="1"} 3', 3.0, id="ranks-are-one"),
        pytest.param(
            GAUGE,
            'a{dp_rank="0",tp_rank="0"} 3\na{dp_rank="0",tp_rank="1"} 2\n'
            'a{dp_rank="1",tp_rank="2"} 5\na{dp_rank="1",tp_rank="3",pp_rank="1"} 5',
            8.0,
            id="ranks-of-each-group",
        ),
        pytest.param(
            GAUGE, 'a{priority=""} 5\na{priority="1"} 2\na{priority="2"} 3', 5.0, id="a-total"
        ),
        pytest.param(GAUGE, 'a{priority="1"} 2\na{priority="2"} 3', 5.0, id="no-total"),
        pytest.param(
            Measure(Kind.GAUGE, "a", where=(("of", "x"),)),
            'a{of="x",m="1"} 2\na{of="x",m="2"} 3\na{of="y"} 9',
            5.0,
            id="of-those-with-a-label",
        ),
        pytest.param(
            Measure(Kind.GAUGE, "a", Unit.OTHER), 'a{b="1"} 1\na{b="2"} 3', 2.0, id="other"
        ),
        pytest.param(Measure(Kind.GAUGE, "a", scale=0.001), "a 5", 0.005, id="scaled"),
    ],
)
def test_a_gauge(measure: Measure, text: str, value: float) -> None:
    """What several series of a pod mean together depends on the unit and on their labels."""
    assert read(measure, text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a{tp_rank="0"} 3\na{tp_rank="1"} NaN', id="in-a-rank"),
        pytest.param('a{tp_rank="0"} NaN\na{tp_rank="1"} 3', id="in-the-first-rank"),
        pytest.param('a{engine="0"} 3\na{engine="1"} NaN', id="in-an-engine"),
        pytest.param('a{engine="0"} +Inf\na{engine="1"} -Inf', id="infinities"),
    ],
)
def test_nan_anywhere(text: str) -> None:
    """One bad series makes the pod's number none; left out, the sum would be too low."""
    found = read(GAUGE, text)
    assert isinstance(found, float)
    assert math.isnan(found)


def test_an_absent_series() -> None:
    """It is none, so that another name may be tried."""
    assert [read(one, "other 1", "other 1") for one in (GAUGE, RATE, MEAN, P50)] == [None] * 4


@pytest.mark.parametrize(
    ("measure", "before", "now", "value"),
    [
        pytest.param(RATE, "a_total 100", "a_total 150", 5.0, id="rate"),
        pytest.param(RATE, "a_total 100", "a_total 100", 0.0, id="idle-is-a-rate-of-zero"),
        pytest.param(
            RATE,
            'a_total{engine="0"} 1\na_total{engine="1"} 1',
            'a_total{engine="0"} 11\na_total{engine="1"} 21',
            3.0,
            id="rates-add-up",
        ),
        pytest.param(
            RATE, 'a_total{r="stop"} 1', 'a_total{r="stop"} 1\na_total{r="abort"} 20', 2.0, id="new"
        ),
        pytest.param(RATE, "b 1", "a_total 20", 2.0, id="all-new"),
        pytest.param(MEAN, "t_sum 10\nt_count 5", "t_sum 16\nt_count 8", 2.0, id="mean"),
        pytest.param(
            P50,
            't_bucket{le="1"} 5\nt_bucket{le="2"} 5\nt_bucket{le="+Inf"} 5',
            't_bucket{le="1"} 5\nt_bucket{le="2"} 15\nt_bucket{le="+Inf"} 15',
            1.5,
            id="quantile",
        ),
        pytest.param(
            P50,
            't_bucket{le="1"} 0\nt_bucket{le="+Inf"} 0',
            't_bucket{le="1"} 1\nt_bucket{le="+Inf"} 9',
            1.0,
            id="beyond-the-last-bound",
        ),
    ],
)
def test_what_rose(measure: Measure, before: str, now: str, value: float) -> None:
    """Only what rose between two looks counts, not what was before."""
    assert read(measure, now, before) == pytest.approx(value)
    assert read(measure, f"{now}\n{STARTED} 7", f"{before}\n{STARTED} 7") == pytest.approx(value)


@pytest.mark.parametrize(
    ("measure", "before", "now"),
    [
        pytest.param(RATE, "a_total 100", "a_total 5", id="rate"),
        pytest.param(
            RATE,
            'a_total{e="0"} 9\na_total{e="1"} 0',
            'a_total{e="0"} 1\na_total{e="1"} 99',
            id="one-of-two",
        ),
        pytest.param(RATE, f"a_total 1\n{STARTED} 7", f"a_total 2\n{STARTED} 8", id="told-so"),
        pytest.param(MEAN, "t_sum 10\nt_count 5", "t_sum 16\nt_count 2", id="mean"),
        pytest.param(
            P50,
            't_bucket{le="1"} 5\nt_bucket{le="+Inf"} 5',
            't_bucket{le="1"} 0\nt_bucket{le="+Inf"} 9',
            id="quantile",
        ),
    ],
)
def test_a_restart(measure: Measure, before: str, now: str) -> None:
    """A counter that fell says nothing once, and certainly not a load of zero."""
    found = read(measure, now, before)
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.NOT_YET_READ
    assert "restarted" in found.message


@pytest.mark.parametrize(
    ("measure", "now"),
    [
        pytest.param(RATE, "a_total 5", id="rate"),
        pytest.param(MEAN, "t_sum 5\nt_count 2", id="mean"),
        pytest.param(P50, 't_bucket{le="1"} 5\nt_bucket{le="+Inf"} 5', id="quantile"),
    ],
)
def test_the_first_look(measure: Measure, now: str) -> None:
    """What a counter holds since the start of a process is no rate."""
    found = read(measure, now)
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.NOT_YET_READ


@pytest.mark.parametrize(
    ("measure", "now"),
    [
        pytest.param(MEAN, "t_sum 5\nt_count 2", id="mean"),
        pytest.param(P50, 't_bucket{le="1"} 5\nt_bucket{le="+Inf"} 5', id="quantile"),
        pytest.param(P50, 't_bucket{le="+Inf"} 5', id="a-quantile-of-one-bucket"),
    ],
)
def test_a_latency_of_nobody(measure: Measure, now: str) -> None:
    """An idle pod has no latency, and nobody makes one up."""
    found = read(measure, now, now)
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.EMPTY_RESULT
    assert "finished no request" in found.message


BOUNDS = (0.1, 0.5, 1.0, 5.0, math.inf)


@given(
    st.lists(st.integers(0, 50), min_size=5, max_size=5), st.sampled_from([0.5, 0.9, 0.95, 0.99])
)
def test_a_quantile_lies_where_the_observations_do(counts: list[int], at: float) -> None:
    """The estimate stands in the bucket in which the true quantile is, whatever was counted."""
    cumulated = list(accumulate(counts))
    rises: Mapping[exposition.Labels, float] = {
        (("le", str(bound)),): float(sum_) for bound, sum_ in zip(BOUNDS, cumulated, strict=True)
    }
    value = measures.quantile(rises, at)
    if cumulated[-1] == 0:
        assert value is None
        return
    assert value is not None
    inside = bisect_left(cumulated, at * cumulated[-1])
    low = 0.0 if inside == 0 else BOUNDS[inside - 1]
    high = BOUNDS[inside] if math.isfinite(BOUNDS[inside]) else low
    assert low - 1e-9 <= value <= high + 1e-9
