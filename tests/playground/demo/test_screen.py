"""The screen of a demo, drawn to text."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from budaiscaler.playground.demo import board, screen
from budaiscaler.playground.demo.board import Row
from budaiscaler.playground.demo.news import Line, since
from budaiscaler.playground.demo.screen import View

BEGAN = datetime(2026, 11, 26, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(hours=1, minutes=2, seconds=3)
ROW = Row(
    name="chat-hpa",
    strategy="HPA",
    load=5.25,
    in_flight=311.4,
    first_token_s=0.21,
    is_over=False,
    ready=4,
    asked=5,
    wanted=6,
    cost=12.5,
    over_minutes=1.25,
    bound_by="combine",
    why="the largest need wins: requests_running",
)
VIEW = View(
    title="budaiscaler demo: burst, speed 10, seed 1",
    about="crowds come at once",
    second=3723,
    began_at=BEGAN,
    sent=[1, 8],
    is_broken=False,
    rows=[ROW],
    lines=[Line(NOW, "chat-hpa", "NoData", "no source has data", is_warning=True)],
    kubeconfig="/tmp/demo/kubeconfig",
)


def drawn(view: View, width: int = 200, height: int = 30) -> str:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(screen.draw(view, width, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_scaler_has_its_figures_and_its_reason() -> None:
    """Load, replicas now and wanted, cost, and why, on one line."""
    line = next(line for line in drawn(VIEW).splitlines() if "chat-hpa" in line)

    for cell in (
        "HPA",
        " 5.25 ",
        "311",
        "0.2 s",
        "4/5",
        " 6 ",
        "$12.50",
        "1.2\u00a0min",
        "combine: the",
    ):
        assert cell in line


def test_events_and_the_line_to_copy_are_there() -> None:
    """With the time of the story, and the keys that do something."""
    text = drawn(VIEW)

    assert "1:02:03  ! chat-hpa     NoData: no source has data" in text
    assert "export KUBECONFIG=/tmp/demo/kubeconfig; kubectl get bas -w" in text
    for key, what in screen.KEYS:
        assert f" {key}  {what}" in text


def test_what_is_broken_is_said() -> None:
    """In words, not by a colour only."""
    assert "METRICS BROKEN" not in drawn(VIEW)
    assert "METRICS BROKEN" in drawn(replace(VIEW, is_broken=True))


def test_before_the_story_begins_there_is_a_screen_already() -> None:
    """It says what it waits for."""
    row = replace(ROW, wanted=None, load=None, first_token_s=math.inf, bound_by="", why="")
    text = drawn(replace(VIEW, began_at=None, rows=[row], lines=[], sent=[]))

    assert "adapter and controller are starting" in text
    assert "never" in text


@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(80, 24, id="usual"),
        pytest.param(screen.ROOMY, 24, id="roomy"),
        pytest.param(132, 30, id="wider"),
        pytest.param(250, 60, id="large"),
    ],
)
def test_it_fits(width: int, height: int) -> None:
    """Figures, reasons, events and keys are there, in any terminal from the smallest usual one."""
    rows = [replace(ROW, name=name) for name in ("chat-hpa", "chat-kpa", "chat-bud", "plain-hpa")]
    text = drawn(replace(VIEW, rows=rows), width, height)

    assert len(text.splitlines()) <= height
    for words in ("chat-bud", "5.25", "4/5", "combine: the largest need", "NoData", "q  quit"):
        assert words in text


@pytest.mark.parametrize("width", [screen.ROOMY, screen.WIDE - 1])
def test_a_reason_is_read_to_its_end(width: int) -> None:
    """It has a line of its own where there is no room for it beside the figures."""
    why = "5 of 16 replicas are lost or starting, so the recommendation does not fall below 16"

    assert why in drawn(replace(VIEW, rows=[replace(ROW, why=why)]), width)


def test_bars_are_as_high_as_the_largest() -> None:
    """Of nothing at all they are low, and not broken."""
    assert screen.spark([0, 4, 8]) == "▁▅█"
    assert screen.spark([0, 0]) == "▁▁"
    assert screen.spark([]) == ""


def test_times_are_those_of_the_story() -> None:
    """What happened before it began, happened at its beginning."""
    assert since(NOW, BEGAN) == " 1:02:03"
    assert since(BEGAN - timedelta(minutes=5), BEGAN) == " 0:00:00"
    assert since(NOW, None) == " 0:00:00"


def test_the_reason_is_that_of_the_stage_that_bound() -> None:
    """The last sentence of it; where data is missing, the condition's."""
    status = {
        "boundBy": "bounds",
        "reasons": [
            {"stage": "combine", "message": "the largest need wins"},
            {"stage": "bounds", "message": "at most 20"},
        ],
    }
    assert board.reason(status) == ("bounds", "at most 20")
    held = {"type": "ScalingActive", "status": "False", "message": "no source has data"}
    assert board.reason({**status, "conditions": [held]}) == ("bounds", "no source has data")
    assert board.reason({}) == ("", "")


@pytest.mark.parametrize("width", [80, screen.ROOMY])
def test_large_figures_fit(width: int) -> None:
    """No figure and no heading is cut where queues are long, in the smallest terminal of a kind."""
    large = replace(
        ROW, strategy="BudScaler", load=20.0, in_flight=6926.0, first_token_s=503.1,
        ready=20, asked=20, cost=131.25, over_minutes=112.3,
    )  # fmt: skip
    table = drawn(replace(VIEW, rows=(large,)), width).split("largest")[0]
    assert "20/20" in table
    assert "…" not in table
