"""Lengths of time and time zones as users write them."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api import durations, zones
from budaiscaler.domain.errors import DurationError, TimeZoneError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5m", 30),
        ("2d12h", 216_000),
        ("1d", 86_400),
        ("250ms", 0.25),
        ("3us", 3e-6),
        ("3µs", 3e-6),
        ("+2h", 7200),
        ("0", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """As in Go, and a day is 24 hours."""
    assert durations.parse_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1h 30m", "-1h", "1H", "1w", "1h30", "1..5h", "1h\n"]
)
def test_what_is_no_duration(text: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(DurationError, match="1h30m"):
        durations.parse_s(text)


def test_a_duration_beyond_all_calendars_is_ten_years() -> None:
    """Nothing that a user writes makes a date overflow."""
    assert durations.parse_s("9" * 60 + "h") == durations.LONGEST_S


def test_a_zone_is_found_by_its_name() -> None:
    """The tables come with the program."""
    assert zones.find("Europe/Berlin").key == "Europe/Berlin"


@pytest.mark.parametrize(
    "name", ["", "Europe", "europe/berlin", "../etc/passwd", "/etc/passwd", "a\0b", "x" * 253]
)
def test_what_is_no_zone(name: str) -> None:
    """Neither a misspelt name nor a path to something else; the message shows an example."""
    with pytest.raises(TimeZoneError, match="Europe/Berlin"):
        zones.find(name)
