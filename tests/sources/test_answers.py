"""The number in a body: every form that the original reads, and everything that is none."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.answers import read_number


@pytest.mark.parametrize(
    ("body", "number"),
    [
        pytest.param("42", 42, id="bare"),
        pytest.param(" \r\n4.25\t\n", 4.25, id="with-white-space"),
        pytest.param("\ufeff7", 7, id="with-a-byte-order-mark"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("+.5", 0.5, id="as-go-writes-it"),
        pytest.param("-3", -3, id="negative"),
        pytest.param("0", 0, id="zero"),
        pytest.param('"8"', 8, id="in-quotes"),
        pytest.param('{"value": 5}', 5, id="value"),
        pytest.param('{"value": "5.5"}', 5.5, id="a-text-that-is-a-number"),
        pytest.param('{"value": 0, "queue": 9}', 0, id="zero-is-a-value"),
        pytest.param('{"value": 1, "data": {"queue": 2}, "queue": 3}', 1, id="value-first"),
        pytest.param('{"data": {"queue": 2}, "queue": 3}', 2, id="then-in-data"),
        pytest.param('{"queue": 3, "metric": 4}', 3, id="then-the-name"),
        pytest.param('{"a": {"b": {"queue": 3}}, "result": 4}', 3, id="then-nested"),
        pytest.param('{"a": {"b": {"queue": 1}}, "c": {"queue": 2}}', 2, id="the-nearest-nested"),
        pytest.param('{"metric": 4, "result": 5}', 4, id="then-metric"),
        pytest.param('{"metric": "queue", "result": 5, "data": 6}', 5, id="then-result"),
        pytest.param('{"data": "6"}', 6, id="then-data"),
        pytest.param('{"error": "", "value": 5}', 5, id="an-empty-error"),
        pytest.param('{"error": null, "value": 5}', 5, id="no-error"),
        pytest.param('{"value": null, "queue": 9}', 9, id="null-is-no-value"),
        pytest.param('{"value": true, "queue": 9}', 9, id="a-truth-is-no-number"),
        pytest.param('{"value": {"queue": 9}}', 9, id="value-of-names"),
        pytest.param("9" * 500, math.inf, id="beyond-all-floats"),
        pytest.param('{"value": ' + "9" * 500 + "}", math.inf, id="an-integer-beyond-all-floats"),
        pytest.param('{"value": Infinity}', math.inf, id="infinity"),
        pytest.param("-inf", -math.inf, id="minus-infinity"),
    ],
)
def test_numbers(body: str, number: float) -> None:
    """A number is found where the original looks for it, in its order."""
    assert read_number(body.encode(), "queue") == number


@pytest.mark.parametrize("body", ["NaN", "nan", '{"value": NaN}', '{"queue": "nan"}'])
def test_nan_is_left_for_the_evaluator_to_judge(body: str) -> None:
    """It is no syntax error: the one rule on odd numbers is that of readings."""
    number = read_number(body.encode(), "queue")
    assert isinstance(number, float)
    assert math.isnan(number)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"", "neither a number nor JSON", id="empty"),
        pytest.param(b"<html>hunter2</html>", "neither a number nor JSON", id="html"),
        pytest.param(b"hunter2", "neither a number nor JSON", id="text"),
        pytest.param(b"4 2", "neither a number nor JSON", id="two-numbers"),
        pytest.param(b"1_000", "neither a number nor JSON", id="as-python-writes-it"),
        pytest.param("٤٢".encode(), "neither a number nor JSON", id="digits-of-another-script"),
        pytest.param(b"0x10", "neither a number nor JSON", id="hexadecimal"),
        pytest.param(b"5 requests", "neither a number nor JSON", id="with-a-unit"),
        pytest.param(b'{"value": 5', "neither a number nor JSON", id="half-of-a-document"),
        pytest.param(b"\xff\xfe4\x002\x00", "neither a number nor JSON", id="another-encoding"),
        pytest.param(b"[" * 10**5, "neither a number nor JSON", id="very-deep"),
        pytest.param(b'{"a":' * 10**4, "neither a number nor JSON", id="very-deep-objects"),
        pytest.param(b'{"value": 5' + b" " * 2**18 + b"}", "answer less", id="very-long"),
        pytest.param(b"null", "JSON without a number", id="null"),
        pytest.param(b"true", "JSON without a number", id="a-truth"),
        pytest.param(b"[5]", "JSON without a number", id="a-list"),
        pytest.param(b"{}", "the key queue", id="an-empty-object"),
        pytest.param(b'{"value": "hunter2"}', 'answer {"value": 5}', id="no-number"),
        pytest.param(b'{"value": "5 s"}', "JSON without a number", id="value-with-a-unit"),
        pytest.param(b'{"other": 5}', "the key queue", id="another-name"),
        pytest.param(b'{"error": "hunter2", "value": 5}', 'with an "error"', id="error"),
        pytest.param(b'{"error": {"code": 1}, "value": 5}', 'with an "error"', id="error-object"),
    ],
)
def test_no_number(body: bytes, words: str) -> None:
    """Anything else says what to answer, and never what was answered."""
    found = read_number(body, "queue")
    assert isinstance(found, NoData)
    assert found.reason is NoDataReason.BAD_ANSWER
    assert words in found.message
    assert "hunter2" not in found.message


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "queue", "data", "error", "x"]), inner)
    ),
    max_leaves=9,
)


@given(st.binary(max_size=60) | _json.map(lambda value: json.dumps(value).encode()))
def test_nothing_stops_the_reader(body: bytes) -> None:
    """Whatever is answered, it is a number or there is none."""
    assert isinstance(read_number(body, "queue"), float | NoData)
