"""Series in promtool's notation, and bounds of numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.stories import notation
from budaiscaler.domain.stories.bounds import Bound


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        pytest.param("38", (38,), id="one"),
        pytest.param("38x2", (38, 38, 38), id="axn-is-n-more"),
        pytest.param("12+2x3", (12, 14, 16, 18), id="rising"),
        pytest.param("12-2x2", (12, 10, 8), id="falling"),
        pytest.param("-2+4x3", (-2, 2, 6, 10), id="from-below-zero"),
        pytest.param("_", (None,), id="a-gap"),
        pytest.param("_x3", (None, None, None), id="n-gaps"),
        pytest.param("1x1 _x2 5", (1, 1, None, None, 5), id="one-after-the-other"),
        pytest.param("0.1+0.1x2", (0.1, 0.2, 0.1 + 0.1 * 2), id="fractions"),
        pytest.param("1e3", (1000,), id="exponent"),
        pytest.param("3x0", (3,), id="none-more"),
    ],
)
def test_expansion(text: str, samples: notation.Series) -> None:
    """As promtool expands it: a count is of the samples after the first, but of gaps it is all."""
    assert notation.expand(text) == pytest.approx(samples)


def test_no_number_is_a_sample() -> None:
    """A story may tell of NaN, which is a query that divides by nothing."""
    (sample,) = notation.expand("NaN")
    assert sample is not None
    assert math.isnan(sample)


@pytest.mark.parametrize("text", ["", "a", "1y3", "1 x3", "1+x3", "x3", "__", "1x-3", "1x9999999"])
def test_what_is_no_series(text: str) -> None:
    """The error says what one looks like, or that it is too long."""
    with pytest.raises(InvalidSpecError, match=r"write for example|shorter"):
        notation.expand(text)


@given(start=st.integers(-999, 999), step=st.integers(0, 99), more=st.integers(0, 200))
def test_length_and_ends(start: int, step: int, more: int) -> None:
    """There is one sample more than the count, and the last one is exact."""
    samples = notation.expand(f"{start}+{step}x{more}")
    assert len(samples) == more + 1
    assert (samples[0], samples[-1]) == (start, start + step * more)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        pytest.param("6", [6], [5, 7, 6.1], id="exact"),
        pytest.param("4..6", [4, 5, 6], [3, 7], id="range"),
        pytest.param("<=3", [0, 3], [4], id="at-most"),
        pytest.param("< 3", [0, 2.9], [3], id="below"),
        pytest.param(">=3", [3, 99], [2], id="at-least"),
        pytest.param(">3", [4], [3], id="above"),
        pytest.param("==3", [3], [2, 4], id="equal"),
    ],
)
def test_bounds(text: str, inside: list[float], outside: list[float]) -> None:
    """Ends are included but where the sign says otherwise."""
    bound = Bound.parse(text)
    assert all(map(bound.holds, inside))
    assert not any(map(bound.holds, outside))


@pytest.mark.parametrize("text", ["", "six", "4..", "..6", "=<3", "-1"])
def test_what_is_no_bound(text: str) -> None:
    """The error says what one looks like."""
    with pytest.raises(InvalidSpecError, match="write for example"):
        Bound.parse(text)
