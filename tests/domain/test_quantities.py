"""Quantities as Kubernetes writes them, and as HPA will read what we publish."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import quantity
from budaiscaler.domain.errors import QuantityError

HPA_MAX_MILLI = 2**63 - 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("5", 5.0, id="integer"),
        pytest.param("0", 0.0, id="zero"),
        pytest.param("+5", 5.0, id="plus"),
        pytest.param("-5", -5.0, id="minus"),
        pytest.param("0.8", 0.8, id="decimal"),
        pytest.param("5.", 5.0, id="trailing-point"),
        pytest.param(".5", 0.5, id="leading-point"),
        pytest.param("500m", 0.5, id="milli"),
        pytest.param("3u", 3e-6, id="micro"),
        pytest.param("7n", 7e-9, id="nano"),
        pytest.param("1.5k", 1500.0, id="kilo"),
        pytest.param("2M", 2e6, id="mega"),
        pytest.param("2G", 2e9, id="giga"),
        pytest.param("2T", 2e12, id="tera"),
        pytest.param("2P", 2e15, id="peta"),
        pytest.param("1E", 1e18, id="exa"),
        pytest.param("1E3", 1e3, id="capital-exponent"),
        pytest.param("1e3", 1e3, id="exponent"),
        pytest.param("12e-1", 1.2, id="negative-exponent"),
        pytest.param("1Ki", 1024.0, id="kibi"),
        pytest.param("1.5Mi", 1.5 * 2**20, id="mebi"),
        pytest.param("2Gi", 2.0 * 2**30, id="gibi"),
        pytest.param("1Ti", 2.0**40, id="tebi"),
        pytest.param("1Pi", 2.0**50, id="pebi"),
        pytest.param("1Ei", 2.0**60, id="exbi"),
        pytest.param("1e-99", 1e-99, id="smallest-exponent"),
        pytest.param("1e99", 1e99, id="largest-exponent"),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, value: float) -> None:
    """Every suffix and exponent of apimachinery gives its number, exactly."""
    assert quantity.parse(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "m", "five", "5 m", "5mm", "5K", "5ki", "1e", "1e3m", "0x10", "1_000", "NaN",
        "inf", "1,5", "5\n6", "--5", "1e3.5", "\N{ARABIC-INDIC DIGIT FIVE}",
    ],
)  # fmt: skip
def test_junk_is_refused_with_an_example_of_what_to_write(text: str) -> None:
    """A text that is no quantity is an error that quotes it and shows one that is."""
    with pytest.raises(QuantityError, match="write for example") as caught:
        quantity.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1e100", id="more-than-two-digits"),
        pytest.param("1e9999999", id="more-than-a-decimal-can-hold"),
        pytest.param("-1e99999999999999999999", id="more-than-an-integer-can-hold"),
        pytest.param("9" * 400, id="many-digits"),
        pytest.param("9" * 400 + "Ei", id="many-digits-and-a-suffix"),
        pytest.param("9" * 1_100_000, id="more-digits-than-a-decimal-can-hold"),
    ],
)
def test_a_number_beyond_all_reason_is_refused_and_stops_nobody(text: str) -> None:
    """What a user made up is an invalid spec, never another error or an infinity."""
    with pytest.raises(QuantityError):
        quantity.parse(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.0, "0", id="zero"),
        pytest.param(-0.0, "0", id="minus-zero"),
        pytest.param(7.0, "7", id="whole"),
        pytest.param(7.25, "7250m", id="milli"),
        pytest.param(7.0004, "7001m", id="finer-is-rounded-up"),
        pytest.param(0.1 + 0.2, "300m", id="float-noise-is-none"),
        pytest.param(1e-12, "0", id="noise-around-zero"),
        pytest.param(2.0**31 - 1, "2147483647", id="most-replicas-there-can-be"),
    ],
)
def test_published_numbers_are_whole_milli_units(value: float, text: str) -> None:
    """What is finer than a milli-unit is rounded up, float noise is not."""
    assert quantity.format_milli(value) == text


@pytest.mark.parametrize("value", [1e16, 1e300, 1.7976931348623157e308])
def test_a_number_too_large_for_hpa_is_published_as_the_largest_that_is_not(value: float) -> None:
    """A huge reading saturates: past int64 HPA would read a negative number."""
    milli = quantity.parse(quantity.format_milli(value)) * 1000
    assert HPA_MAX_MILLI * 0.999 < milli <= HPA_MAX_MILLI


@given(st.floats(min_value=0, max_value=1e9))
def test_publishing_loses_nothing_downwards(value: float) -> None:
    """What HPA reads back is never below the value, and less than a milli-unit above it."""
    read = quantity.parse(quantity.format_milli(value))
    assert -1e-8 <= read - value <= 0.001 + 1e-6


@given(st.floats(min_value=0, max_value=2**31))
def test_the_published_load_asks_for_the_replicas_that_were_decided(load: float) -> None:
    """HPA's ceiling of the published quantity is the ceiling that we decided."""
    decided = math.ceil(quantity.ceil_to_milli(load))
    assert math.ceil(quantity.parse(quantity.format_milli(load))) == decided


@given(st.floats(min_value=0, allow_infinity=False))
def test_any_finite_number_is_published_as_a_canonical_quantity(value: float) -> None:
    """No value, however large, gives an error or a text that the API would refuse."""
    text = quantity.format_milli(value)
    assert re.fullmatch(r"[0-9]+m?", text)
    assert re.match(quantity.PATTERN, text)


@given(st.floats(min_value=0, max_value=1e6))
def test_a_published_quantity_stays_what_it_is(value: float) -> None:
    """Read and published once more, it is the same text: it does not creep upwards."""
    text = quantity.format_milli(value)
    assert quantity.format_milli(quantity.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", "5"),
        ("0.5", "500m"),
        ("1500m", "1500m"),
        ("1000m", "1"),
        ("2000", "2k"),
        ("1e6", "1M"),
        ("1.5k", "1500"),
        ("2Gi", "2Gi"),
        ("2048Mi", "2Gi"),
        ("1.5Gi", "1536Mi"),
        ("1.5Ki", "1536"),
        ("0.5Ki", "512"),
        ("2147483648", "2147483648"),
        ("100u", None),
        ("1.0005", None),
        ("0", None),
        ("16E", None),
        ("16Ei", None),
    ],
)
def test_targets_as_the_server_gives_them_back(text: str, expected: str | None) -> None:
    """Written otherwise each comparison would find an edit; what an HPA rounds is not written."""
    assert quantity.canonical(text) == expected
