"""Durations of flags are read as people write them, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.runtime.durations import parse_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("15s", 15),
        ("1m30s", 90),
        ("2h", 7200),
        ("1h2m3s", 3723),
        ("500ms", 0.5),
        ("1.5m", 90),
        ("1m500ms", 60.5),
        (" 15s ", 15),
        ("20", 20),
        ("0.25", 0.25),
        ("0", 0),
        ("-5", -5),
        (7, 7),
        (2.5, 2.5),
    ],
)
def test_durations(text: str | float, seconds: float) -> None:
    """Units may be combined; a plain number is seconds."""
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "5 s", "5d", "1m-5s", "s", "nan", "inf", "-inf", "1e400", "1_000", "5,5", "٣s٣"],
)
def test_no_durations(text: str) -> None:
    """Anything else is refused, with an example of what can be written."""
    with pytest.raises(ValueError, match="write for example"):
        parse_seconds(text)


@given(
    hours=st.integers(0, 1000),
    minutes=st.integers(0, 59),
    seconds=st.integers(0, 59),
    millis=st.integers(0, 999),
)
def test_adds_up(hours: int, minutes: int, seconds: int, millis: int) -> None:
    """A duration is the sum of its parts."""
    total = hours * 3600 + minutes * 60 + seconds + millis / 1000

    assert parse_seconds(f"{hours}h{minutes}m{seconds}s{millis}ms") == pytest.approx(total)
