"""Cron expressions: what the fields stand for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import cron
from budaiscaler.domain.errors import CronError


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        pytest.param("7", {7}, id="number"),
        pytest.param("007", {7}, id="leading-zeros"),
        pytest.param("1,3", {1, 3}, id="list"),
        pytest.param("5-8", {5, 6, 7, 8}, id="range"),
        pytest.param("5-5", {5}, id="range-of-one"),
        pytest.param("*/20", {0, 20, 40}, id="step"),
        pytest.param("?/30", {0, 30}, id="question-mark"),
        pytest.param("10-30/10", {10, 20, 30}, id="range-with-step"),
        pytest.param("50/4", {50, 54, 58}, id="from-a-number-on"),
        pytest.param("*/90", {0}, id="step-beyond-the-field"),
        pytest.param("58-59,0-1", {58, 59, 0, 1}, id="around-the-hour"),
    ],
)
def test_what_a_field_stands_for(text: str, minutes: set[int]) -> None:
    """Numbers, ranges, steps and lists, as the original read them."""
    assert cron.parse(f"{text} * * * *").minutes == minutes


def test_names() -> None:
    """Months and days of the week have English names, in any case."""
    found = cron.parse("0 0 * Jan,dec MON-fri")
    assert found.months == {1, 12}
    assert found.weekdays == {1, 2, 3, 4, 5}
    assert cron.parse("0 0 * * SUN").weekdays == {0}


@pytest.mark.parametrize(
    ("days", "weekdays", "either"),
    [
        pytest.param("1", "1", True, id="both"),
        pytest.param("*", "1", False, id="any-day"),
        pytest.param("1", "?", False, id="any-weekday"),
        pytest.param("*/2", "1", True, id="a-step-restricts"),
        pytest.param("*/1", "1", False, id="a-step-of-1-does-not"),
    ],
)
def test_two_kinds_of_day(days: str, weekdays: str, *, either: bool) -> None:
    """If both are restricted, one is enough."""
    assert cron.parse(f"0 0 {days} * {weekdays}").either_day is either


def test_a_zone_in_front_keeps_its_case() -> None:
    """It is the name of a zone, not part of the five fields."""
    assert cron.parse("CRON_TZ=Europe/Berlin 0 9 * * MON").time_zone == "Europe/Berlin"
    assert cron.parse("0 9 * * MON").time_zone is None


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        pytest.param("0 9 * *", "five fields", id="four-fields"),
        pytest.param("0 9 * * 7", "five fields", id="sunday-is-0"),
        pytest.param("0 18-9 * * *", "'18-9' of the hour goes backwards", id="backwards"),
        pytest.param("0 0 * * sat-sun", "of the day of the week goes backwards", id="weekend"),
        pytest.param("0 0 30 feb *", "never comes", id="30-february"),
        pytest.param("0 0 31 4,6 *", "never comes", id="31st-of-short-months"),
    ],
)
def test_what_is_none(expression: str, told: str) -> None:
    """A typo is told, instead of a time that is never met."""
    with pytest.raises(CronError, match=re.escape(told)):
        cron.parse(expression)


@st.composite
def fields(draw: st.DrawFn, first: int, last: int, names: tuple[str, ...] = ()) -> str:
    """A list of one to three items of a field, backward ranges and large steps included."""
    value = st.integers(first, last).map(str) | st.sampled_from(names or ("*",))
    number = st.integers(first, last).map(str)
    span = value | st.just("?") | st.tuples(number, number).map("-".join)
    step = st.just("") | st.integers(1, 9999).map("/{}".format)
    items = st.lists(st.tuples(span, step).map("".join), min_size=1, max_size=3)
    return ",".join(draw(items))


expressions = st.tuples(
    fields(0, 59),
    fields(0, 23),
    fields(1, 31),
    fields(1, 12, ("jan", "JUN", "Dec")),
    fields(0, 6, ("sun", "WED", "Sat")),
).map(" ".join)


@given(st.sampled_from(["", "TZ=UTC ", "CRON_TZ=Europe/Berlin\t"]), expressions)
def test_whatever_has_the_form_is_read_or_told(zone: str, expression: str) -> None:
    """The form promises enough: what passes it is read, or told; nothing else."""
    assert re.fullmatch(cron.PATTERN, zone + expression, re.ASCII)
    try:
        found = cron.parse(zone + expression)
    except CronError:
        return
    assert found.minutes <= set(range(60))
    assert found.hours <= set(range(24))
    assert found.days <= set(range(1, 32))
    assert found.months <= set(range(1, 13))
    assert found.weekdays <= set(range(7))
    assert all((found.minutes, found.hours, found.days, found.months, found.weekdays))
