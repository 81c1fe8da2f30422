"""Reading only the wanted lines of a page gives what a full parser gives."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from budaiscaler.sources import exposition
from budaiscaler.sources.exposition import Series

PAGE = b"""# HELP load How much is going on.
# TYPE load gauge
load{engine="0",model_name="a"} 10
load{model_name="a",engine="1"} 30.5 1700000000000
load_total 7
loads 8
other{text="load 9"} 1
"""


def test_series_of_one_name() -> None:
    """All series of exactly that name come back, and none whose name only begins so."""
    found = exposition.extract(PAGE, ["load", "load_total", "no"])
    assert found == {
        "load": (
            Series((("engine", "0"), ("model_name", "a")), 10.0),
            Series((("engine", "1"), ("model_name", "a")), 30.5),
        ),
        "load_total": (Series((), 7.0),),
    }


@pytest.mark.parametrize(
    ("line", "series"),
    [
        pytest.param(b"a 1", Series((), 1.0), id="bare"),
        pytest.param(b"a{} 1", Series((), 1.0), id="empty-braces"),
        pytest.param(b'a{x="1",} 1', Series((("x", "1"),), 1.0), id="trailing-comma"),
        pytest.param(
            b'\t a { x = "1" , y="2" }\t1 ', Series((("x", "1"), ("y", "2")), 1.0), id="spaces"
        ),
        pytest.param(b'a{x="}{, #"} 1', Series((("x", "}{, #"),), 1.0), id="braces-in-a-label"),
        pytest.param(rb'a{x="\"\\\n"} 1', Series((("x", '"\\\n'),), 1.0), id="escapes"),
        pytest.param(
            rb'a{x="C:\\new"} 1', Series((("x", r"C:\new"),), 1.0), id="escaped-backslash"
        ),
        pytest.param('a{x="größe"} 1'.encode(), Series((("x", "größe"),), 1.0), id="utf-8"),
        pytest.param(b"a 1\r", Series((), 1.0), id="carriage-return"),
        pytest.param(b"a 1e-3 -5", Series((), 0.001), id="timestamp"),
        pytest.param(b"a 1 1.5e9", Series((), 1.0), id="timestamp-of-openmetrics"),
        pytest.param(b"a +Inf", Series((), math.inf), id="infinity"),
        pytest.param(b"a -inf", Series((), -math.inf), id="negative-infinity"),
        pytest.param(
            b'a{le="1"} 4 # {trace="x y"} 0.7 1.5', Series((("le", "1"),), 4.0), id="exemplar"
        ),
        pytest.param(b"a 4 12 # {} 0.7", Series((), 4.0), id="timestamp-and-exemplar"),
    ],
)
def test_a_line(line: bytes, series: Series) -> None:
    """However it is written, at whatever end of a page it stands."""
    for page in (line, b"# EOF\n" + line + b"\nb 2\n", b"b 2\r\n" + line + b"\n# EOF\n"):
        assert exposition.extract(page, ["a"]) == {"a": (series,)}


def test_nan() -> None:
    """It is a value to be judged by who asked, not an absence."""
    ((series,),) = exposition.extract(b"a NaN\n", ["a"]).values()
    assert math.isnan(series.value)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"a", id="no-value"),
        pytest.param(b"a{}", id="no-value-behind-braces"),
        pytest.param(b'a{x="1} 2', id="open-quote"),
        pytest.param(b'a{x="1"', id="cut-off"),
        pytest.param(b"a{x=1} 2", id="no-quotes"),
        pytest.param(b'a{x="1" y="2"} 2', id="no-comma"),
        pytest.param(b'a{1x="1"} 2', id="no-label-name"),
        pytest.param(b"a one", id="a-word"),
        pytest.param(b"a 1_000", id="as-only-python-writes"),
        pytest.param(b"a 1 then", id="more-words"),
        pytest.param(b'a{x="\xff"} 1', id="no-utf-8"),
    ],
)
def test_a_broken_line(line: bytes) -> None:
    """A page that broke off is not read as less load: who wants that series is told.

    Where each line stands for a thing of its own, the others are read.
    """
    with pytest.raises(ValueError, match="a line of a is broken"):
        exposition.extract(b"a 1\n" + line + b"\n", ["a"])
    assert exposition.extract(b"b 1\n" + line + b"\n", ["b"]) == {"b": (Series((), 1.0),)}
    assert exposition.Text(b"a 1\n" + line + b"\na 2\n").readable("a") == (
        Series((), 1.0),
        Series((), 2.0),
    )


def test_a_page_without_end() -> None:
    """A page that repeats itself does not stop everything else."""
    page = b"a 1\n" * (exposition.MOST_LINES + 1)
    with pytest.raises(ValueError, match="more than 10000 lines of a"):
        exposition.extract(page, ["a"])
    with pytest.raises(ValueError, match="more than 10000 lines of a"):
        exposition.extract(page.replace(b"a", b"ab"), ["a"])
    assert len(exposition.Text(page).readable("a")) == exposition.MOST_LINES


def test_a_page_of_long_lines() -> None:
    """What is read of one page is bounded, over all names that are wanted of it."""
    line = b'{x="' + b"y" * 1000 + b'"} 1\n'
    lines = exposition.MOST_BYTES // len(line)
    page = exposition.Text((b"a" + line) * (lines - 1) + (b"b" + line) * 9 + (b"no" + line) * lines)
    assert len(page.series("a")) == lines - 1
    with pytest.raises(ValueError, match="b and what else is wanted is too much"):
        page.series("b")
    assert exposition.Text((b"a" + line) * 2 * lines).readable("a") != ()


def test_exemplars_as_openmetrics_reads_them() -> None:
    """Buckets with exemplars have the values that the parser of OpenMetrics finds."""
    text = (
        "# TYPE ttft histogram\n"
        'ttft_bucket{le="0.1"} 3 # {trace_id="a # b"} 0.07 1700000000.5\n'
        'ttft_bucket{le="+Inf"} 4 # {} 2\n'
        "ttft_count 4\nttft_sum 2.5\n# EOF\n"
    )
    (family,) = openmetrics(text)  # type: ignore[no-untyped-call] # the library has none
    names = ["ttft_bucket", "ttft_count", "ttft_sum"]
    found = exposition.extract(text.encode(), names)
    read = [(name, dict(one.labels), one.value) for name in names for one in found[name]]
    assert read == [(one.name, one.labels, one.value) for one in family.samples]


_NAMES = st.from_regex(r"[a-z_:][a-z0-9_:]{0,3}", fullmatch=True)
_LABEL_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,3}", fullmatch=True)
_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Zl", "Zp", "Cc"]), max_size=8) | st.text(
    'a"\\\n{},=# ', max_size=8
)
_VALUES = st.floats(allow_nan=False).map(repr) | st.sampled_from(
    ["+Inf", "-Inf", "NaN", "7", "1e9"]
)
_SPACES = st.sampled_from(["", " ", "\t", "  "])


@st.composite
def _lines(draw: st.DrawFn) -> str:
    labels = draw(st.dictionaries(_LABEL_NAMES, _TEXTS, max_size=3))
    escaped = {
        name: text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
        for name, text in labels.items()
    }
    space = draw(_SPACES)
    pairs = f"{space},{space}".join(
        f'{name}{space}={space}"{text}"' for name, text in escaped.items()
    )
    braces = f"{{{space}{pairs}{space}}}" if pairs or draw(st.booleans()) else ""
    time = draw(st.sampled_from(["", " 1700000000000", " 12"]))
    return f"{space}{draw(_NAMES)}{braces} {draw(_VALUES)}{time}{space}"


@given(st.lists(_lines(), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_what_a_full_parser_reads(lines: list[str], end: str) -> None:
    """For every page and every name on it the series are those of prometheus_client."""
    text = "".join(line + end for line in lines)
    wanted: dict[str, list[tuple[dict[str, str], str]]] = defaultdict(list)
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            wanted[one.name].append((one.labels, repr(float(one.value))))
    found = exposition.extract(text.encode(), {*wanted, "absent"})
    read = {
        name: [(dict(one.labels), repr(one.value)) for one in series]
        for name, series in found.items()
    }
    assert read == wanted
