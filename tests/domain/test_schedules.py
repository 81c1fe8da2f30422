"""When schedule hints hold: instants, whatever local clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import schedules
from budaiscaler.domain.api import cron, validation, zones
from budaiscaler.domain.api.features import ScheduleHint
from budaiscaler.domain.schedules import Begun, Schedule
from tests import rules, strategies

MONDAY = datetime(2024, 1, 15, tzinfo=UTC)
SAMPLE = Path(__file__).parents[2] / "manifests" / "samples" / "schedule.yaml"


def hint(**fields: object) -> ScheduleHint:
    """Five replicas on workdays from 9:00 UTC on, for two hours."""
    return ScheduleHint.model_validate(rules.hint(**fields))


def at(text: str) -> datetime:
    """A time with its zone, as an instant."""
    return datetime.fromisoformat(text).astimezone(UTC)


def asked(
    now: str,
    *hints: ScheduleHint,
    startup_s: float | None = None,
    begun: Begun = schedules.NOTHING.begun,
) -> Schedule:
    return schedules.effective(hints, begun, startup_s, at(now))


@pytest.mark.parametrize(
    ("now", "floor"),
    [
        pytest.param("2024-01-15T08:59:59.999+00:00", 0, id="before"),
        pytest.param("2024-01-15T09:00:00+00:00", 5, id="T22-on-time"),
        pytest.param("2024-01-15T09:30:00+00:00", 5, id="T21-monday"),
        pytest.param("2024-01-15T10:59:59+00:00", 5, id="T22-last-second"),
        pytest.param("2024-01-15T11:00:00+00:00", 0, id="T22-over-at-its-end"),
        pytest.param("2024-01-15T12:00:00+00:00", 0, id="T21-after"),
        pytest.param("2024-01-13T09:30:00+00:00", 0, id="T21-saturday"),
    ],
)
def test_a_hint_holds_from_its_time_on_for_its_duration(now: str, floor: int) -> None:
    """Cases T21 and T22: weekdays at nine, two hours; the end does not belong to it."""
    assert asked(now, hint()).floor == floor


@pytest.mark.parametrize(
    ("fields", "now", "floor"),
    [
        pytest.param({"duration": "0s"}, "2024-01-15T09:00:00+00:00", 0, id="T22-duration-of-0"),
        pytest.param(
            {"duration": "0s", "prewarm": "1h"}, "2024-01-15T08:30:00+00:00", 0, id="nor-prewarmed"
        ),
        pytest.param({"duration": "1d"}, "2024-01-16T08:59:59+00:00", 5, id="days"),
        pytest.param({"duration": "30s"}, "2024-01-15T09:00:29+00:00", 5, id="seconds"),
        pytest.param({"duration": "30s"}, "2024-01-15T09:00:30+00:00", 0, id="and-no-more"),
        pytest.param(
            {"timeZone": "America/New_York"}, "2024-01-15T14:00:00+00:00", 5, id="time-zone"
        ),
        pytest.param(
            {"cronExpression": "TZ=Asia/Kolkata 0 9 * * *"},
            "2024-01-15T03:30:00+00:00",
            5,
            id="zone-of-half-an-hour-in-front",
        ),
        pytest.param({"targetReplicas": 0}, "2024-01-15T09:30:00+00:00", 0, id="floor-of-0"),
    ],
)
def test_forms_of_a_hint(fields: dict[str, object], now: str, floor: int) -> None:
    """Zones, durations, and those that never hold."""
    assert asked(now, hint(**fields)).floor == floor


NIGHT = {"cronExpression": "30 2 * * *", "timeZone": "Europe/Berlin", "duration": "20m"}
NOON = {"cronExpression": "0 12 * * *", "timeZone": "Europe/Berlin", "duration": "1d"}


@pytest.mark.parametrize(
    ("fields", "now", "floor"),
    [
        pytest.param(NIGHT, "2026-03-29T01:59:59+01:00", 0, id="skipped-not-before"),
        pytest.param(NIGHT, "2026-03-29T03:00:00+02:00", 5, id="skipped-comes-with-the-change"),
        pytest.param(NIGHT, "2026-03-29T03:20:00+02:00", 0, id="skipped-lasts-as-long"),
        pytest.param(NIGHT, "2026-03-30T02:30:00+02:00", 5, id="the-night-after"),
        pytest.param(NIGHT, "2026-10-25T02:30:00+02:00", 5, id="twice-the-first-time"),
        pytest.param(NIGHT, "2026-10-25T02:50:00+02:00", 0, id="twice-between"),
        pytest.param(NIGHT, "2026-10-25T02:30:00+01:00", 5, id="twice-the-second-time"),
        pytest.param(NIGHT, "2026-10-25T02:50:00+01:00", 0, id="twice-after"),
        pytest.param(
            {**NOON, "cronExpression": "0 12 * * 6", "duration": "24h"},
            "2026-03-29T12:59:59+02:00",
            5,
            id="24-hours-pass-over-a-short-night",
        ),
        pytest.param(
            {**NOON, "cronExpression": "0 12 * * 6", "duration": "24h"},
            "2026-03-29T13:00:00+02:00",
            0,
            id="and-are-over-an-hour-later-by-the-clock",
        ),
        pytest.param(
            {**NOON, "cronExpression": "0 12 * * 6"},
            "2026-10-25T11:00:00+01:00",
            0,
            id="an-hour-earlier-after-a-long-night",
        ),
        pytest.param(
            {**NIGHT, "cronExpression": "30 2 29 3 *"},
            "2026-03-29T03:10:00+02:00",
            5,
            id="skipped-on-its-only-day",
        ),
        pytest.param(
            {**NIGHT, "cronExpression": "0 3 * * *"},
            "2026-03-29T03:00:00+02:00",
            5,
            id="at-the-change-itself",
        ),
        pytest.param(
            {**NIGHT, "timeZone": "Australia/Lord_Howe", "cronExpression": "15 2 * * *"},
            "2026-10-04T02:30:00+11:00",
            5,
            id="a-change-of-half-an-hour",
        ),
    ],
)
def test_daylight_saving(fields: dict[str, object], now: str, floor: int) -> None:
    """A time that is skipped comes with the change, one that is shown twice comes twice."""
    assert asked(now, hint(**fields)).floor == floor


def test_of_overlapping_hints_the_largest_counts() -> None:
    """Whatever their order; the floor falls to the smaller one when the larger is over."""
    day, peak = hint(), hint(name="peak", targetReplicas=8, duration="30m")
    during = asked("2024-01-15T09:10:00+00:00", day, peak)
    assert (during.floor, during.hint, during.until) == (8, "peak", at("2024-01-15T09:30:00Z"))
    after = asked("2024-01-15T09:30:00+00:00", day, peak)
    assert (after.floor, after.hint, after.until) == (5, "day", at("2024-01-15T11:00:00Z"))


@pytest.mark.parametrize(
    ("fields", "until"),
    [
        pytest.param({"cronExpression": "*/15 9-16 * * *"}, "2024-01-15T18:45:00Z", id="again"),
        pytest.param(
            {"cronExpression": "0 9,11 * * *"}, "2024-01-15T13:00:00Z", id="end-meets-beginning"
        ),
        pytest.param(
            {"cronExpression": "0 9,12 * * *", "prewarm": "1h"},
            "2024-01-15T14:00:00Z",
            id="prewarmed-before-the-end",
        ),
        pytest.param({"cronExpression": "* * * * *"}, None, id="always"),
    ],
)
def test_a_hint_that_comes_again_goes_on(fields: dict[str, object], until: str | None) -> None:
    """Two hours each; its end is that of the last in a row, or out of sight."""
    found = asked("2024-01-15T09:10:00+00:00", hint(**fields))
    assert found.floor == 5
    assert found.until == (at(until) if until else None)


def test_a_floor_goes_on_with_another_hint_that_is_as_large() -> None:
    """A smaller one in between does not hold it, and its own name is told at its time."""
    first, second = hint(), hint(name="more", cronExpression="30 10 * * *", targetReplicas=6)
    found = asked("2024-01-15T10:00:00+00:00", first, second)
    assert (found.hint, found.until) == ("day", at("2024-01-15T12:30:00Z"))
    assert found.changes_at == at("2024-01-15T10:30:00Z")


def test_floors_that_take_turns_for_ever_have_no_end_in_sight() -> None:
    """Every hour another of two hints, each as large: none is the last."""
    even = hint(name="even", cronExpression="0 */2 * * *", duration="1h")
    odd = hint(name="odd", cronExpression="0 1-23/2 * * *", duration="1h")
    found = asked("2024-01-15T09:30:00+00:00", even, odd)
    assert (found.floor, found.hint, found.until) == (5, "odd", None)


def test_what_is_ahead() -> None:
    """Each hint that does not hold tells when it begins; only a larger one changes the floor."""
    small = hint(name="small", targetReplicas=2, cronExpression="0 10 * * *")
    large = hint(name="large", targetReplicas=9, cronExpression="0 20 * * *")
    found = asked("2024-01-15T09:00:00+00:00", hint(), large, small)
    assert [(start.hint, start.replicas) for start in found.starts] == [("small", 2), ("large", 9)]
    assert found.changes_at == at("2024-01-15T11:00:00Z")
    assert asked("2024-01-15T12:00:00+00:00", large).changes_at == at("2024-01-15T20:00:00Z")
    assert asked("2024-01-15T12:00:00+00:00") == schedules.NOTHING


@pytest.mark.parametrize(
    ("now", "floor", "name"),
    [
        pytest.param("2026-07-06T08:54:59+02:00", 10, "monday-rush", id="the-rush-is-on"),
        pytest.param("2026-07-06T10:00:00+02:00", 6, "office-hours", id="after-the-rush"),
        pytest.param("2026-07-07T08:54:59+02:00", 0, None, id="tuesday-early"),
        pytest.param("2026-07-07T08:55:00+02:00", 6, "office-hours", id="tuesday-prewarmed"),
        pytest.param("2026-07-07T18:00:00+02:00", 0, None, id="closing-time"),
    ],
)
def test_the_sample_does_what_it_says(now: str, floor: int, name: str | None) -> None:
    """Office hours in Berlin, with replicas that take five minutes to start."""
    raw = yaml.safe_load(SAMPLE.read_text())
    hints = validation.parse_spec(raw["spec"]).schedule_hints or ()
    found = asked(now, *hints, startup_s=300)
    assert (found.floor, found.hint) == (floor, name)


@pytest.mark.parametrize(
    ("prewarm", "startup_s", "since"),
    [
        pytest.param(None, 300, "09:00:00", id="off"),
        pytest.param("0s", 300, "09:00:00", id="none"),
        pytest.param("10m", 300, "08:50:00", id="fixed"),
        pytest.param("auto", 300, "08:55:00", id="one-measured-start"),
        pytest.param("auto", 90.5, "08:58:29.5", id="to-the-millisecond"),
        pytest.param("auto", None, "09:00:00", id="not-measured"),
    ],
)
def test_prewarm(prewarm: str | None, startup_s: float | None, since: str) -> None:
    """Replicas are asked for before the time; the end stays."""
    one = hint() if prewarm is None else hint(prewarm=prewarm)
    begins = at(f"2024-01-15T{since}+00:00")
    before, on_time = (
        schedules.effective([one], {}, startup_s, begins - by)
        for by in (timedelta(microseconds=1), timedelta())
    )
    assert (before.floor, on_time.floor) == (0, 5)
    assert before.changes_at == begins
    assert on_time.until == at("2024-01-15T11:00:00Z")


def test_a_prewarm_that_began_is_not_taken_back() -> None:
    """Starts that are measured shorter by now, or by a new leader not at all, let nothing fall."""
    one = hint(prewarm="auto")
    began = asked("2024-01-15T08:55:00+00:00", one, startup_s=300)
    assert began.begun == {"day": at("2024-01-15T09:00:00Z")}
    for measured_s in (60, None):
        later = asked("2024-01-15T08:56:00+00:00", one, startup_s=measured_s, begun=began.begun)
        assert (later.floor, later.begun) == (5, began.begun)
    assert asked("2024-01-15T09:00:00+00:00", one, begun=began.begun).begun == {}


def test_a_prewarm_does_not_hold_for_a_day_because_a_clock_was_set_back() -> None:
    """No start takes longer than an hour, so what is further ahead never began."""
    tomorrow = {"day": at("2024-01-16T09:00:00Z")}
    found = asked("2024-01-15T12:00:00+00:00", hint(prewarm="auto"), startup_s=300, begun=tomorrow)
    assert (found.floor, found.begun) == (0, {})


def test_a_time_that_was_edited_away_holds_nothing() -> None:
    """Also while it was prewarmed for: an edit acts at the next decision."""
    ten = {"day": at("2024-01-15T09:00:00Z")}
    edited = hint(prewarm="auto", cronExpression="0 12 * * *")
    assert asked("2024-01-15T08:56:00+00:00", edited, startup_s=300, begun=ten).floor == 0
    switched_off = hint()
    assert asked("2024-01-15T08:56:00+00:00", switched_off, startup_s=300, begun=ten).floor == 0


def _comes(hint_: ScheduleHint, minute: datetime) -> bool:
    """Whether a hint comes at a minute, by nothing but its fields and the local clock."""
    parsed = cron.parse(hint_.cron_expression)
    zone = zones.find(hint_.time_zone or "UTC")

    def shows(local: datetime) -> bool:
        day = local.day in parsed.days, (local.weekday() + 1) % 7 in parsed.weekdays
        return (
            local.minute in parsed.minutes
            and local.hour in parsed.hours
            and local.month in parsed.months
            and (any(day) if parsed.either_day else all(day))
        )

    here, before = (
        (minute - timedelta(minutes=by)).astimezone(zone).replace(tzinfo=None) for by in (0, 1)
    )
    skipped = range(1, int((here - before) / timedelta(minutes=1)))
    return shows(here) or any(shows(before + timedelta(minutes=by)) for by in skipped)


CHANGES = ("2026-03-28T12:00:00+00:00", "2026-10-24T12:00:00+00:00", "2026-02-28T12:00:00+00:00")


@given(
    strategies.hints(durations=st.just("1m"), prewarms=st.none(), fewest=1),
    st.sampled_from(CHANGES),
    st.integers(0, 36 * 60),
    st.integers(0, 59),
)
def test_any_hint_comes_when_its_clock_shows_its_fields(
    drawn: ScheduleHint, day: str, minutes: int, seconds: int
) -> None:
    """For a minute it holds, if a clock in its zone shows that one or has just skipped it."""
    minute = at(day) + timedelta(minutes=minutes)
    found = schedules.effective([drawn], {}, None, minute + timedelta(seconds=seconds))
    assert (found.hint is not None) == _comes(drawn, minute)


@given(strategies.hints(), st.integers(0, 10**7))
def test_what_is_told_of_a_hint_comes_true(drawn: ScheduleHint, second: int) -> None:
    """Nothing changes before the time that is told, and there it does."""
    now = MONDAY + timedelta(seconds=second)
    found = schedules.effective([drawn], {}, 120.0, now)
    changes_at = found.changes_at
    if changes_at is None:
        assert found.floor > 0 or found == schedules.NOTHING
        return
    just_before = schedules.effective([drawn], {}, 120.0, changes_at - timedelta(microseconds=1))
    assert changes_at > now
    assert just_before.floor == found.floor
    assert schedules.effective([drawn], {}, 120.0, changes_at).floor != found.floor


@given(st.lists(strategies.hints(), max_size=5), st.randoms(), st.integers(0, 10**7))
def test_the_order_of_hints_makes_no_difference(
    drawn: list[ScheduleHint], random: object, second: int
) -> None:
    """However the list is written, floor, name, end and beginnings are the same."""
    now = MONDAY + timedelta(seconds=second)
    named = [one.model_copy(update={"name": f"hint-{i}"}) for i, one in enumerate(drawn)]
    shuffled = sorted(named, key=lambda _: random.random())  # type: ignore[attr-defined] # Random
    assert schedules.effective(named, {}, None, now) == schedules.effective(shuffled, {}, None, now)
