"""Numbers in buckets of time, and what is said of the last seconds of them.

Knative adds what falls into one bucket, and a gap between two writes is no load: its pods report
every second. Our samples come when a source is asked, so the last one in a bucket counts, and a gap
says nothing. Both modes are here, on the same window; the conformance of the first is tested with
Knative's own cases.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

_SMALLEST_SMOOTHING = 0.2
_SHARE_OF_WINDOW = 0.9999
"""Of all weight, that the buckets of a window have together in a weighted average."""


@dataclass(frozen=True, slots=True)
class Window:
    """Values by their bucket.

    Attributes:
        bucket_s: length of a bucket in seconds.
        length: how many buckets the window has.
        buckets: number of the bucket since 1970, and its value; ascending, written ones only.
        first: bucket of the first write since the window was last silent for its whole length.
    """

    bucket_s: float
    length: int
    buckets: tuple[tuple[int, float], ...] = ()
    first: int | None = None


def of(span_s: float, bucket_s: float) -> Window:
    """Make an empty window of that many seconds."""
    return Window(bucket_s, max(1, math.ceil(span_s / bucket_s)))


def add(window: Window, value: float, at: datetime) -> Window:
    """Add to a bucket, as Knative does; what is older than the window is dropped."""
    return _written(window, value, at, operator.add)


def keep_last(window: Window, value: float, at: datetime, now: datetime) -> Window:
    """Let the last value of a bucket stand; what claims to be of the future is of now."""
    return _written(_without_future(window, now), value, min(at, now), _later)


def fill(window: Window, value: float, at: datetime) -> Window:
    """Write a bucket that has none; one that has stays as it is."""
    return _written(window, value, at, _earlier)


def keep_peak(window: Window, value: float, now: datetime) -> Window:
    """Let the largest value of a bucket stand, and forget what a later one exceeds.

    Only the largest is ever asked for, so the window is as short as the descent since.
    """
    written = _written(_without_future(window, now), value, now, max)
    descent: list[tuple[int, float]] = []
    for bucket, peak in reversed(written.buckets):
        if not descent or peak > descent[-1][1]:
            descent.append((bucket, peak))
    return replace(written, buckets=tuple(reversed(descent)))


def largest(window: Window) -> float | None:
    """Give the largest value as of the last write; None for an empty window."""
    return max((value for _, value in window.buckets), default=None)


def oldest_leaves_at(window: Window) -> datetime | None:
    """Tell when the oldest bucket will be out of the window."""
    if not window.buckets:
        return None
    leaves = window.buckets[0][0] + window.length
    return datetime.fromtimestamp(leaves * window.bucket_s, UTC)


def mean(window: Window, span_s: float, now: datetime) -> float | None:
    """Average what was sampled in the last seconds; gaps carry no weight.

    Returns:
        None when nothing was.
    """
    last = _bucket(window, now)
    before = last - max(1, math.ceil(span_s / window.bucket_s))
    values = [value for bucket, value in window.buckets if before < bucket <= last]
    return math.fsum(values) / len(values) if values else None


def written(window: Window, now: datetime) -> int:
    """Count the buckets that have a value and are of the window that ends now."""
    last = _bucket(window, now)
    return sum(last - window.length < bucket <= last for bucket, _ in window.buckets)


def apart(window: Window, at: datetime) -> tuple[float | None, Window]:
    """Give the value of the bucket that a time is in, and the window without it."""
    number = _bucket(window, at)
    others = tuple(known for known in window.buckets if known[0] != number)
    return dict(window.buckets).get(number), replace(window, buckets=others)


def only_newest(window: Window) -> Window:
    """Forget all but the last bucket."""
    newest = window.buckets[-1:]
    return replace(window, buckets=newest, first=newest[0][0] if newest else None)


def resized(window: Window, span_s: float, bucket_s: float) -> Window:
    """Keep the values where the spec now has another window or another interval.

    Of two that fall into one bucket the larger stands, so that nothing scales down for it.
    """
    sized = of(span_s, bucket_s)
    if (window.bucket_s, window.length) == (sized.bucket_s, sized.length):
        return window
    for bucket, value in window.buckets:
        at = datetime.fromtimestamp(bucket * window.bucket_s, UTC)
        sized = _written(sized, value, at, max)
    return sized


def linear_average(window: Window, at: datetime) -> float:
    """Average as Knative does by default: a gap is 0, the tail that is not yet written is not.

    Rounded to six decimals, so that sums in another order scale the same.
    """
    if window.first is None or not window.buckets:
        return 0.0
    newest = window.buckets[-1][0]
    silent = max(0, _bucket(window, at) - newest)
    if silent >= window.length:
        return 0.0
    oldest = newest + silent - window.length
    total = math.fsum(value for bucket, value in window.buckets if bucket > oldest)
    return round(total / min(newest - window.first + 1, window.length - silent), 6)


def weighted_average(window: Window, at: datetime) -> float:
    """Average with exponentially falling weights, as Knative does when asked to.

    The weights are not made to sum to 1, so a young or silent window says less than was written.
    """
    if not window.buckets:
        return 0.0
    newest = max(window.buckets[-1][0], _bucket(window, at))
    weight = smoothing(window.length)
    return math.fsum(
        value * weight * (1 - weight) ** (newest - bucket)
        for bucket, value in window.buckets
        if newest - bucket < window.length
    )


def smoothing(length: int) -> float:
    """Give the weight of the newest of that many buckets."""
    rest: float = (1 - _SHARE_OF_WINDOW) ** (1 / length)
    return max(_SMALLEST_SMOOTHING, 1 - rest)


def _later(_: float, later: float) -> float:
    return later


def _earlier(earlier: float, _: float) -> float:
    return earlier


def _bucket(window: Window, at: datetime) -> int:
    return math.floor(at.timestamp() / window.bucket_s)


def _without_future(window: Window, now: datetime) -> Window:
    """Forget what stands after now: a clock was set back, and must not make a window deaf."""
    last = _bucket(window, now)
    return replace(window, buckets=tuple(known for known in window.buckets if known[0] <= last))


def _written(
    window: Window, value: float, at: datetime, merge: Callable[[float, float], float]
) -> Window:
    bucket = _bucket(window, at)
    newest = window.buckets[-1][0] if window.buckets else None
    if newest is None or window.first is None or bucket >= newest + window.length:
        return replace(window, buckets=((bucket, value),), first=bucket)
    if bucket <= newest - window.length:
        return window
    oldest = max(newest, bucket) - window.length
    kept = {known: was for known, was in window.buckets if known > oldest}
    kept[bucket] = merge(kept[bucket], value) if bucket in kept else value
    buckets = tuple(sorted(kept.items()))
    return replace(window, buckets=buckets, first=min(window.first, bucket))
