"""The summary, as people read it."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.playground.demo import accounts

ONE: dict[str, Any] = {
    "name": "chat-hpa",
    "strategy": "HPA",
    "replicas": {"min": 3, "max": 16, "last": 12},
    "decisions": 4,
    "errors": 0,
    "replicaHours": 0.775,
    "cost": 9.3,
    "overTarget": 2.34,
}


@pytest.mark.parametrize(
    ("events", "errors", "last"),
    [
        pytest.param(0, 0, "0 events, 0 errors", id="none"),
        pytest.param(1, 1, "1 event, 1 error", id="one"),
        pytest.param(27, 2, "27 events, 2 errors", id="some"),
    ],
)
def test_a_table_has_a_line_for_each_and_one_for_all(events: int, errors: int, last: str) -> None:
    """Figures under their headings, and counts as one says them."""
    twin = {**ONE, "name": "plain-hpa"}
    summary = {"scalers": [ONE], "twin": twin, "events": events, "errors": errors}
    heading, scaler, plain, told = accounts.table(summary).splitlines()

    assert heading.split() == ["replicas", "replica-hours", "cost", "minutes", "over", "target"]
    assert scaler == "chat-hpa (HPA)   3 to 16, now 12  0.78           $9.30  2.3"
    assert plain.startswith("plain-hpa (HPA)  3 to 16")
    assert told == last
