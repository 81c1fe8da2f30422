"""Durations as Go writes them, and in days."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import durations
from budaiscaler.domain.errors import InvalidSpecError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("0", 0.0, id="nothing"),
        pytest.param("90s", 90.0, id="seconds"),
        pytest.param("1h30m", 5400.0, id="two-parts"),
        pytest.param("1.5h", 5400.0, id="a-fraction"),
        pytest.param(".5s", 0.5, id="no-leading-digit"),
        pytest.param("5.s", 5.0, id="no-digit-behind-the-point"),
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("1d12h", 129600.0, id="days"),
        pytest.param("250us", 0.00025, id="microseconds"),
        pytest.param("250µs", 0.00025, id="micro-sign"),
        pytest.param("250μs", 0.00025, id="letter-mu"),
        pytest.param("30m1h", 5400.0, id="any-order-as-in-go"),
    ],
)
def test_a_duration(text: str, seconds: float) -> None:
    """Each part counts, and the pattern of the CRD takes what is read."""
    assert durations.parse_s(text) == pytest.approx(seconds)
    assert re.fullmatch(durations.PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", "5", "-5s", "+5s", "s", "1w", "5 s", " 5s", "5s ", "5S", "1h30", "1_0s", "٣s", "."]
)
def test_no_duration(text: str) -> None:
    """What Go would not take, and what has a sign, is refused with an example."""
    with pytest.raises(InvalidSpecError, match="write for example"):
        durations.parse_s(text)


def test_an_absurd_duration() -> None:
    """What no float can hold is an error of the spec, not an infinity."""
    with pytest.raises(InvalidSpecError, match="out of range"):
        durations.parse_s("9" * 400 + "h")


@given(st.integers(0, 10**5), st.integers(0, 10**6))
def test_parts_add_up(minutes: int, seconds: int) -> None:
    """A duration of two parts is the sum of them."""
    read = durations.parse_s(f"{minutes}m{seconds}s")
    assert read == pytest.approx(60.0 * minutes + seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.5, "59.5s"), (60, "1m"), (90, "1m30s"), (5400, "1h30m"), (95400, "1d2h30m")],
)
def test_a_duration_is_written_in_its_largest_units(seconds: float, text: str) -> None:
    """As it can be read again."""
    assert durations.text(seconds) == text
    assert durations.parse_s(text) == seconds
