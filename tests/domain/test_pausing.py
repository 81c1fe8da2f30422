"""What is paused: by the spec, by an annotation with an end, and by one that nobody understands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import pausing, times
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import Pause
from budaiscaler.domain.pausing import Pausing
from tests.conftest import NOON

SIX = "2026-01-05T18:00:00Z"
SIX_O_CLOCK = NOON + timedelta(hours=6)


def paused(text: str | None, spec: Pause = Pause.NONE) -> Pausing:
    """What is paused at noon."""
    annotations = {naming.PAUSED_ANNOTATION: text} if text is not None else {}
    return pausing.effective(spec, annotations, NOON)


@pytest.mark.parametrize(
    ("spec", "up", "down"),
    [
        pytest.param(Pause.NONE, False, False, id="none"),
        pytest.param(Pause.BOTH, True, True, id="both"),
        pytest.param(Pause.SCALE_UP, True, False, id="up"),
        pytest.param(Pause.SCALE_DOWN, False, True, id="down"),
    ],
)
def test_the_spec_pauses_without_an_end(spec: Pause, *, up: bool, down: bool) -> None:
    """Only an edit ends it."""
    found = paused(None, spec)
    assert (found.up, found.down, found.until) == (up, down, None)
    assert found.condition.status == str(up or down)


@pytest.mark.parametrize(
    ("text", "up", "down", "ends"),
    [
        pytest.param("Both", True, True, False, id="both"),
        pytest.param(f"Both until {SIX}", True, True, True, id="both-with-an-end"),
        pytest.param(f"ScaleUp until {SIX}", True, False, True, id="up"),
        pytest.param(f"ScaleDown until {SIX}", False, True, True, id="down"),
        pytest.param(f"  scaledown  UNTIL {SIX} ".lower(), False, True, True, id="sloppy"),
        pytest.param("Both until 2026-01-05T23:30:00+05:30", True, True, True, id="another-zone"),
        pytest.param("Both until 2026-01-05 18:00Z", True, True, True, id="a-space-in-the-time"),
        pytest.param("None", False, False, False, id="none"),
    ],
)
def test_the_annotation_pauses(text: str, *, up: bool, down: bool, ends: bool) -> None:
    """One text has the directions and the end, if there is one."""
    found = paused(text)
    assert (found.up, found.down) == (up, down)
    assert found.until == (SIX_O_CLOCK if ends else None)
    assert (found.condition.status, found.condition.reason) == (
        ("True", "PausedByAnnotation") if up or down else ("False", "NotPaused")
    )
    assert (SIX in found.message) == ends


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("true", id="another-tools-word"),
        pytest.param("Down", id="no-direction-of-ours"),
        pytest.param("Both until", id="no-time"),
        pytest.param("Both until tomorrow", id="a-word-for-a-time"),
        pytest.param("Both until 2h", id="a-duration"),
        pytest.param("Both until 2026-01-05T18:00:00", id="no-zone"),
        pytest.param("Both until 2026-01-05", id="a-day"),
        pytest.param("Both until 2026-02-30T18:00:00Z", id="no-such-day"),
        pytest.param("Both until 9999-12-31T23:59:59-14:00", id="after-the-end-of-time"),
        pytest.param("Both 2026-01-05T18:00:00Z", id="no-until"),
        pytest.param("Both, ScaleUp", id="a-list"),
        pytest.param("x" * 100_000, id="a-novel"),
    ],
)
def test_what_is_not_understood_keeps_replicas_from_falling(text: str) -> None:
    """Somebody wanted them to stay: they do not fall, may rise, and the remedy is told."""
    found = paused(text)
    assert (found.up, found.down, found.until) == (False, True, None)
    assert (found.condition.status, found.reason) == ("Unknown", "PauseNotUnderstood")
    assert "ScaleDown until 20" in found.message
    assert len(found.message) < 500


def test_a_mistyped_annotation_takes_nothing_from_the_spec() -> None:
    """What the spec pauses stays paused, and the mistake is told all the same."""
    both, up = paused("bth", Pause.BOTH), paused("bth", Pause.SCALE_UP)
    assert (both.up, both.down, both.condition.status) == (True, True, "True")
    assert (up.up, up.down, up.condition.status) == (True, True, "Unknown")
    assert "'bth' is not understood" in both.message
    assert "spec.paused: ScaleUp" in up.message


@pytest.mark.parametrize("end", [NOON, NOON - timedelta(days=400)], ids=["now", "long-ago"])
def test_an_end_that_has_come_ends_it(end: object) -> None:
    """From its second on, the pause of the annotation is over, and it says so."""
    text = f"Both until {times.rfc3339(NOON)}" if end is NOON else "Both until 2024-12-01T12:00:00Z"
    over, by_spec = paused(text), paused(text, Pause.SCALE_UP)
    assert (over.up, over.down, over.until) == (False, False, None)
    assert (over.condition.status, over.reason) == ("False", "PauseExpired")
    assert (by_spec.up, by_spec.down, by_spec.reason) == (True, False, "PausedBySpec")
    assert "ended at" in by_spec.message


def test_spec_and_annotation_add_up() -> None:
    """Each pauses what it pauses; there is an end where the annotation's end changes something."""
    both = paused(f"ScaleDown until {SIX}", Pause.SCALE_UP)
    assert (both.up, both.down, both.until) == (True, True, SIX_O_CLOCK)
    assert "spec.paused: ScaleUp" in both.message
    same = paused(f"ScaleDown until {SIX}", Pause.BOTH)
    assert (same.up, same.down, same.until, same.reason) == (True, True, None, "PausedBySpec")


@given(st.text() | st.from_regex(r"(Both|ScaleUp|None) until .*", fullmatch=True))
def test_any_text_is_an_answer(text: str) -> None:
    """No annotation is an error, and no end lies in the past."""
    found = paused(text)
    assert found.until is None or found.until > NOON
    times.rfc3339(found.until or NOON)
