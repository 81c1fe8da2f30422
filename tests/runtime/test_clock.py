"""The time of decisions: the real one, or that of a story at another speed."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import clock, settings
from budaiscaler.runtime.clock import REAL, Clock, Story
from budaiscaler.runtime.settings import ServerSettings


def test_a_server_goes_by_the_real_time() -> None:
    """Without a word of the playground nothing is faster, and nothing is paced."""
    found = settings.read(ServerSettings, []).playground_clock

    assert found is REAL
    assert (found.speed, found.least_interval_s, found.real_s(15)) == (1, 0, 15)


def test_the_help_tells_which_clock_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    """In words, and not where its functions lie in memory."""
    with pytest.raises(SystemExit):
        settings.read(ServerSettings, ["--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert "Never set it in a cluster. Default: the real one" in told
    assert str(Clock(speed=10)) == "10 times as fast"


def test_a_story_is_the_same_in_every_process() -> None:
    """What one process writes of its clock gives another the same moments."""
    told = Story(speed=10, began_s=time.monotonic() - 60, began_at_s=1_790_000_000)
    heard = clock.parse(str(told))

    began = datetime.fromtimestamp(1_790_000_000, UTC)
    assert heard.speed == 10
    assert timedelta(minutes=10) <= heard.wall() - began < timedelta(minutes=15)
    assert told.now() <= heard.wall() <= told.now()


def test_a_server_takes_the_clock_of_the_playground(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes by a flag, or by the environment variable of that name."""
    monkeypatch.setenv("BUDAISCALER_PLAYGROUND_CLOCK", "10@5.0@1790000000.0")
    flag = ["--playground-clock", "600@5.0@1790000000.0"]

    assert settings.read(ServerSettings, []).playground_clock.speed == 10
    assert settings.read(ServerSettings, flag).playground_clock.speed == 600


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("10", id="a-speed-only"),
        pytest.param("ten@1@2", id="a-word"),
        pytest.param("601@1@2", id="too-fast"),
        pytest.param("0@1@2", id="standing-still"),
        pytest.param("nan@1@2", id="nan"),
    ],
)
def test_what_is_no_clock_is_refused(text: str) -> None:
    """A server with a wrong clock would decide by wrong times, so it does not start."""
    with pytest.raises(ConfigurationError, match="--playground-clock"):
        settings.read(ServerSettings, ["--playground-clock", text])


def test_intervals_are_those_that_can_be_kept() -> None:
    """At 600 times the speed a scaler is evaluated each half minute of the story, not each 5 s."""
    assert Clock(speed=600).least_interval_s == pytest.approx(30)
    assert Clock(speed=600).real_s(30) == pytest.approx(0.05)


def test_a_word_ages_in_real_seconds() -> None:
    """A leader that vouched two seconds ago did so two seconds ago in the story, too."""
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    story = Clock(wall=lambda: noon, speed=600)
    said = datetime.now(UTC) - timedelta(seconds=2)

    moment = story.as_old_as(said)

    assert moment is not None
    assert timedelta(seconds=2) <= noon - moment < timedelta(seconds=600)
    assert REAL.as_old_as(said) is said
    assert story.as_old_as(None) is None
