"""Time zones as users write them."""

from __future__ import annotations

import pytest

from budaiscaler.domain.api import zones
from budaiscaler.domain.errors import TimeZoneError


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
