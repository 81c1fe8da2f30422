"""Files of users: what is written can be read again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.cli import files

texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=6)
values = st.recursive(
    texts | st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=6,
)


@given(values)
def test_what_is_written_is_read_again(value: Any) -> None:
    """Whatever it is, a text that looks like a number included."""
    (document,) = files.load("any", files.dump([value]))
    assert document.raw == [value]


@pytest.mark.parametrize("text", ["1e3", "+1E3", ".5e-2", "1.0e+3", "3", "true"])
def test_a_text_stays_one(text: str) -> None:
    """A target such as "1e3" is a text of the API, and has quotes where it is written down."""
    (document,) = files.load("any", files.dump({"targetValue": text}))
    assert document.raw == {"targetValue": text}


@pytest.mark.parametrize(
    ("written", "number"),
    [
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param("-2.5E-1", -0.25, id="fraction"),
        pytest.param("4.0", 4, id="whole"),
        pytest.param("1e25", 1e25, id="too-large-to-be-whole"),
        pytest.param("1e3x4", "1e3x4", id="series"),
        pytest.param("e3", "e3", id="no-number"),
    ],
)
def test_numbers(written: str, number: object) -> None:
    """As kubectl reads them: a whole one is whole, however it is written."""
    (document,) = files.load("any", written)
    assert (type(document.raw), document.raw) == (type(number), number)
