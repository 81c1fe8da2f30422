"""Taking some series out of a page, against a parser of all of it, on the same page in one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from bench import pages
from budaiscaler.sources import exposition

ROUNDS = 30
HISTOGRAM = "vllm:time_to_first_token_seconds"
CASES = {
    "two gauges": ("vllm:num_requests_running", "vllm:kv_cache_usage_perc"),
    "the buckets of a latency": (f"{HISTOGRAM}_bucket",),
}

Values = dict[str, list[tuple[dict[str, str], float]]]


@dataclass(frozen=True, slots=True)
class Compared:
    """One case.

    Attributes:
        ratio: how many times as long the parser takes.
        ours_ms: what we take.
    """

    what: str
    ratio: float
    ours_ms: float


def measure() -> list[Compared]:
    """Measure in turns, so that whatever else the machine does hits both.

    Raises:
        RuntimeError: the two do not find the same.
    """
    page = pages.vllm()
    compared = []
    for what, names in CASES.items():
        if _extracted(page, names) != _parsed(page, names):
            raise RuntimeError(f"{what}: the values are not those of prometheus_client.parser")
        pairs = [
            (_took_s(lambda: _parsed(page, names)), _took_s(lambda: _extracted(page, names)))  # noqa: B023 - called at once
            for _ in range(ROUNDS)
        ]
        ratio = statistics.median(theirs / ours for theirs, ours in pairs)
        ours_ms = statistics.median(ours for _, ours in pairs) * 1000
        compared.append(Compared(f"{what} of {len(page) / 1000:.0f} KB", ratio, ours_ms))
    return compared


def _took_s(work: Callable[[], Values]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def _extracted(page: bytes, names: tuple[str, ...]) -> Values:
    return {
        name: [(dict(one.labels), one.value) for one in series]
        for name, series in exposition.extract(page, names).items()
    }


def _parsed(page: bytes, names: tuple[str, ...]) -> Values:
    found: Values = {}
    for family in text_string_to_metric_families(page.decode()):
        for one in family.samples:
            if one.name in names:
                found.setdefault(one.name, []).append((one.labels, one.value))
    return found


if __name__ == "__main__":
    for case in measure():
        print(f"{case.what}: {case.ratio:.0f} times as fast, {case.ours_ms:.2f} ms")
