"""Windows: Knative's own cases of its buckets, and how our samples are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import windows
from budaiscaler.domain.windows import Window
from tests.conftest import NOON

WEIGHT = windows.smoothing(5)
"""Of the newest bucket of five."""


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def _added(*writes: tuple[float, float], into: Window | None = None) -> Window:
    """Five buckets of a second, as Knative's tests have, and what was added when."""
    window = windows.of(5, 1) if into is None else into
    for seconds, value in writes:
        window = windows.add(window, value, _at(seconds))
    return window


ONE_TO_FIVE = _added((0, 1), (1, 2), (2, 3), (3, 4), (4, 5))
AFTER_SILENCE = _added((6, 91), (20, 1984), into=ONE_TO_FIVE)


@pytest.mark.parametrize(
    ("window", "read_at", "average"),
    [
        pytest.param(_added((0, 1)), 0, 1, id="a-first-write-is-no-fifth-of-one"),
        pytest.param(ONE_TO_FIVE, 4, 3, id="a-full-window"),
        pytest.param(ONE_TO_FIVE, 3.6, 3, id="read-a-little-late"),
        pytest.param(ONE_TO_FIVE, 6, (15 - 1 - 2) / 3, id="an-unwritten-tail-is-no-zero"),
        pytest.param(ONE_TO_FIVE, 10, 0, id="silent-for-a-window"),
        pytest.param(_added((6, 91), into=ONE_TO_FIVE), 6, (15 - 3 + 91) / 5, id="a-gap-is-a-zero"),
        pytest.param(AFTER_SILENCE, 20, 1984, id="silence-begins-anew"),
        pytest.param(
            _added((17, 4), into=AFTER_SILENCE), 20, (4 + 1984) / 4, id="a-late-write-is-added"
        ),
        pytest.param(_added((15, 4), into=AFTER_SILENCE), 20, 1984, id="too-late-is-dropped"),
        pytest.param(_added((0, 1), (0.4, 2)), 0, 3, id="one-bucket-adds"),
        pytest.param(windows.of(5, 1), 0, 0, id="empty"),
        pytest.param(_added((0, 1), (1, 0), (2, 0)), 2, 0.333333, id="six-decimals"),
    ],
)
def test_linear_averages_are_knatives(window: Window, read_at: float, average: float) -> None:
    """Row 20: gaps count as zero, the tail and the time before the first write do not."""
    assert windows.linear_average(window, _at(read_at)) == average


@pytest.mark.parametrize(
    ("window", "read_at", "average"),
    [
        pytest.param(_added((0, 2)), 0, 2 * WEIGHT, id="a-first-write"),
        pytest.param(_added((0, 2)), 1, 2 * WEIGHT * (1 - WEIGHT), id="a-second-of-silence"),
        pytest.param(
            _added((0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
            4,
            sum((6 - age) * WEIGHT * (1 - WEIGHT) ** age for age in range(5)),
            id="a-full-window",
        ),
        pytest.param(_added((0, 2), (1, 3)), 5, 3 * WEIGHT * (1 - WEIGHT) ** 4, id="one-expired"),
        pytest.param(_added((0, 2)), 5, 0, id="silent-for-a-window"),
        pytest.param(windows.of(5, 1), 0, 0, id="empty"),
    ],
)
def test_weighted_averages_are_knatives(window: Window, read_at: float, average: float) -> None:
    """Row 21: weights fall from bucket to bucket and are not made to sum to 1."""
    assert windows.weighted_average(window, _at(read_at)) == pytest.approx(average, abs=1e-12)


@pytest.mark.parametrize(
    ("length", "weight"), [(100, 0.2), (60, 0.2), (40, 0.20567), (6, 0.78456)], ids=str
)
def test_the_weight_of_the_newest_bucket_is_knatives(length: int, weight: float) -> None:
    """Row 21: all buckets together have 0.9999 of the weight, and the newest at least a fifth."""
    assert windows.smoothing(length) == pytest.approx(weight, abs=1e-5)


@pytest.mark.parametrize(
    ("writes", "largest"),
    [
        pytest.param([(0, 5)], 5, id="one"),
        pytest.param([(0, 6), (0.5, 5)], 6, id="in-one-second-the-larger"),
        pytest.param([(0, 5), (1, 8)], 8, id="a-larger-one-later"),
        pytest.param([(0, 8), (1, 5)], 8, id="a-smaller-one-later"),
        pytest.param([(0, 5), (6, 4)], 4, id="after-silence"),
        pytest.param([(0, 8), (4, 5)], 8, id="just-inside"),
        pytest.param([(0, 8), (5, 5)], 5, id="just-outside"),
    ],
)
def test_peaks_are_knatives(writes: Sequence[tuple[float, float]], largest: float) -> None:
    """Row 22: the largest of the window as of the last write."""
    window = windows.of(5, 1)
    for seconds, value in writes:
        window = windows.keep_peak(window, value, _at(seconds))
    assert windows.largest(window) == largest


def test_an_empty_window_has_no_largest() -> None:
    """Nothing was written, so nothing is the largest, and nothing leaves."""
    assert windows.largest(windows.of(5, 1)) is None
    assert windows.oldest_leaves_at(windows.of(5, 1)) is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 20)), min_size=1, max_size=60))
def test_peaks_remember_as_much_as_all_values(steps: list[tuple[int, int]]) -> None:
    """Forgetting what a later one exceeds never changes the largest."""
    window, passed_ms = windows.of(10, 2), 0
    written: list[tuple[int, int]] = []
    for pause_ms, value in steps:
        passed_ms += pause_ms
        window = windows.keep_peak(window, value, _at(passed_ms / 1000))
        written.append((passed_ms // 2000, value))
        now = written[-1][0]
        assert windows.largest(window) == max(v for bucket, v in written if bucket > now - 5)


def _sampled(*samples: tuple[float, float], span_s: float = 30) -> Window:
    """Buckets of five seconds, as our sources are asked."""
    window = windows.of(span_s, 5)
    for seconds, value in samples:
        window = windows.keep_last(window, value, _at(seconds), _at(seconds))
    return window


@pytest.mark.parametrize(
    ("samples", "span_s", "read_at", "mean"),
    [
        pytest.param([(0, 4)], 30, 0, 4, id="one"),
        pytest.param([(0, 4), (5, 8)], 30, 5, 6, id="two"),
        pytest.param([(0, 4), (20, 8)], 30, 20, 6, id="a-gap-carries-no-weight"),
        pytest.param([(0, 4), (5, 8)], 30, 29, 6, id="nor-does-a-tail"),
        pytest.param([(0, 4), (1, 9), (4, 8)], 30, 5, 8, id="the-last-of-a-bucket-counts"),
        pytest.param([(0, 4), (5, 8), (10, 9)], 10, 10, 8.5, id="a-shorter-span"),
        pytest.param([(0, 4), (5, 8)], 30, 30, 8, id="the-first-has-expired"),
        pytest.param([(0, 4)], 30, 30, None, id="all-have"),
        pytest.param([(0, 4)], 10, 12, None, id="none-in-a-shorter-span"),
        pytest.param([(0, 4), (60, 8)], 30, 60, 8, id="after-silence"),
        pytest.param([], 30, 0, None, id="empty"),
    ],
)
def test_samples_are_averaged_without_their_gaps(
    samples: Sequence[tuple[float, float]], span_s: float, read_at: float, mean: float | None
) -> None:
    """What was not seen is not zero: only buckets with a sample count."""
    assert windows.mean(_sampled(*samples), span_s, _at(read_at)) == mean


def test_a_clock_that_was_set_back_does_not_deafen_a_window() -> None:
    """What stands in the future is gone, and new samples and peaks count."""
    ahead = _sampled((3600, 100))
    sampled = windows.keep_last(ahead, 4, _at(0), _at(0))
    assert windows.mean(sampled, 30, _at(0)) == 4
    peaked = windows.keep_peak(windows.keep_peak(windows.of(10, 2), 9, _at(3600)), 4, _at(0))
    assert windows.largest(peaked) == 4


def test_a_sample_of_the_future_is_of_now() -> None:
    """The clock of whoever took it is wrong; the number may be right."""
    window = windows.keep_last(windows.of(30, 5), 4, _at(300), _at(0))
    assert windows.mean(window, 30, _at(0)) == 4


def test_a_late_sample_finds_its_place() -> None:
    """One that comes after a younger one is counted, and does not take its place."""
    window = windows.keep_last(_sampled((0, 4), (10, 8)), 6, _at(5), _at(10))
    assert windows.mean(window, 30, _at(10)) == 6
    assert windows.mean(window, 5, _at(10)) == 8


def test_only_the_newest_can_be_kept() -> None:
    """And what comes after it is added to it."""
    window = windows.only_newest(_sampled((0, 4), (5, 8)))
    assert windows.mean(window, 30, _at(5)) == 8
    later = windows.keep_last(window, 10, _at(10), _at(10))
    assert windows.mean(later, 30, _at(10)) == 9
    assert windows.only_newest(windows.of(30, 5)) == windows.of(30, 5)


@pytest.mark.parametrize(
    ("span_s", "bucket_s", "mean"),
    [
        pytest.param(30, 5, 6, id="the-same"),
        pytest.param(60, 5, 6, id="longer"),
        pytest.param(5, 5, 9, id="shorter"),
        pytest.param(30, 10, 7, id="coarser-keeps-the-larger-of-two"),
        pytest.param(30, 1, 6, id="finer"),
    ],
)
def test_another_size_keeps_what_fits(span_s: float, bucket_s: float, mean: float) -> None:
    """An edit of the window or of the interval does not begin anew."""
    window = windows.resized(_sampled((0, 5), (5, 4), (10, 9)), span_s, bucket_s)
    assert windows.mean(window, span_s, _at(10)) == mean


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 1000), st.floats(0, 1e6), st.sampled_from(["last", "peak", "add"])
        ),
        max_size=40,
    )
)
def test_a_window_never_outgrows_its_length(writes: list[tuple[float, float, str]]) -> None:
    """Whatever is written, late, early or after silence: ascending buckets, at most so many."""
    window = windows.of(30, 5)
    for pause_s, value, how in writes:
        at = _at(pause_s)
        if how == "last":
            window = windows.keep_last(window, value, at, _at(500))
        elif how == "peak":
            window = windows.keep_peak(window, value, at)
        else:
            window = windows.add(window, value, at)
        numbers = [bucket for bucket, _ in window.buckets]
        assert numbers == sorted(set(numbers))
        assert not numbers or numbers[-1] - numbers[0] < window.length
