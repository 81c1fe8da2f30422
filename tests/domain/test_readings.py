"""Readings: missing is a value of its own, never a number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from budaiscaler.domain import readings
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from tests import strategies


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(math.nan, NoDataReason.NOT_A_NUMBER, id="nan"),
        pytest.param(math.inf, NoDataReason.NOT_A_NUMBER, id="infinity"),
        pytest.param(-math.inf, NoDataReason.NOT_A_NUMBER, id="minus-infinity"),
        pytest.param(-1e-9, NoDataReason.NEGATIVE, id="barely-negative"),
    ],
)
def test_what_is_no_load_is_no_data(value: float, reason: NoDataReason) -> None:
    """An idle counter's 0/0 and an overflow have a reason of their own."""
    answer = readings.reading(value)
    assert isinstance(answer, NoData)
    assert answer.reason is reason


def test_zero_is_a_number() -> None:
    """An empty queue is data; with it a workload may shrink."""
    assert readings.reading(0.0, age_s=3.0, answered=2) == Reading(0.0, 3.0, 2)


@given(strategies.anything)
def test_a_reading_is_always_a_finite_number_that_is_not_negative(value: float) -> None:
    """Whatever comes in, a `Reading` can be computed with; made by hand it refuses the rest."""
    answer = readings.reading(value)
    if isinstance(answer, Reading):
        assert 0 <= answer.value < math.inf
    else:
        with pytest.raises(ValueError, match="finite and not negative"):
            Reading(value)


def test_what_only_an_edit_mends_is_told_from_what_passes() -> None:
    """A wrong query makes a scaler not ready; a server that is down does not."""
    of_the_user = {reason for reason in NoDataReason if reason.is_users_to_mend}
    assert of_the_user == {
        NoDataReason.UNKNOWN_HOST,
        NoDataReason.BAD_QUERY,
        NoDataReason.BAD_ENDPOINT,
        NoDataReason.DENIED_ADDRESS,
        NoDataReason.UNSUPPORTED_SOURCE,
    }
