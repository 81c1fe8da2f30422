"""KPA for one source: its samples into windows, and the windows into Knative's decider.

Windows hold totals over all replicas, as Knative's do, and not needs: so an edit of the target acts
on what was seen before it, too. A level is made a total by the replicas that it is the mean of.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from budaiscaler.domain import readings, windows
from budaiscaler.domain.algorithms import knative
from budaiscaler.domain.algorithms.knative import Averages, Config, Verdict
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import INTERVAL_S, KpaState
from budaiscaler.domain.windows import Window

MOST_BUCKETS = 360
"""A window that would need more has longer ones, so that a state stays small."""

MOST_LOAD = 1e100
"""Far above any load, and hundreds of them still add up to a number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a source said.

    Attributes:
        total: load over all replicas; of a level, times the replicas that it is the mean of.
        at: when it was taken.
    """

    total: float
    at: datetime

    def __post_init__(self) -> None:
        """Refuse what is no data."""
        if not math.isfinite(self.total) or self.total < 0:
            raise ValueError(f"a sample must be finite and not negative, not {self.total}")


@dataclass(frozen=True, slots=True)
class NoVerdict:
    """Nothing can be said; keep the replicas.

    Attributes:
        message: why.
    """

    message: str


def start(replicas: Replicas, now: datetime) -> KpaState:
    """Begin without history, as Knative does: in panic where more than one replica runs.

    A tool that takes one observation as steady begins with `KpaState()` instead.
    """
    return KpaState(memory=knative.start(replicas, now))


def at_average(config: Config, state: KpaState, sample: Sample, now: datetime) -> Sample:
    """Raise a sample that may be of a part of the load to the average of the others.

    What is taken in now is in the average for long after the hold, when it ends, too. Several
    decisions have one bucket, and each writes it: against an average with their own bucket in it,
    0 after a 2 would become 1, then 1.5, and 0 in the bucket of a 2 would take it away bit by bit.
    """
    stands, others = windows.apart(state.samples, min(sample.at, now))
    average = windows.mean(others, config.stable_window_s, now)
    return Sample(max(sample.total, stands or 0.0, average or 0.0), sample.at)


def sized(config: Config, samples: Window, interval_s: float) -> Window:
    """Give the samples in the window that is asked for, of one bucket an interval."""
    bucket_s = max(interval_s, config.stable_window_s / MOST_BUCKETS)
    return windows.resized(samples, config.stable_window_s, bucket_s)


def step(
    config: Config,
    state: KpaState,
    sample: Sample | None,
    replicas: Replicas,
    now: datetime,
    *,
    interval_s: float = INTERVAL_S,
) -> tuple[Verdict | NoVerdict, KpaState]:
    """Take a sample in, if there is one, and decide.

    Args:
        config: what is asked for.
        state: what the step before returned; see `start`.
        sample: None where the source gave nothing; the gap carries no weight.
        replicas: as they stand now.
        now: time of the decision.
        interval_s: between two samples.
    """
    state = _taken(config, state, sample, replicas, now, interval_s)
    stable = windows.mean(state.samples, config.stable_window_s, now)
    if stable is None or state.sampled_at is None:
        message = f"no sample in the stable window of {config.stable_window_s:g} s"
        return NoVerdict(message), state
    age_s = (now - state.sampled_at).total_seconds()
    if age_s > readings.fresh_for_s(interval_s):
        return NoVerdict(f"the last sample is {age_s:.0f} s old"), state
    panic = windows.mean(state.samples, config.panic_window_s, now)
    averages = Averages(stable, stable if panic is None else panic)
    verdict, memory = knative.decide(config, state.memory, averages, replicas, now)
    return verdict, replace(state, memory=memory)


def _taken(
    config: Config,
    state: KpaState,
    sample: Sample | None,
    replicas: Replicas,
    now: datetime,
    interval_s: float,
) -> KpaState:
    samples = sized(config, state.samples, interval_s)
    sampled_at = min(state.sampled_at, now) if state.sampled_at is not None else None
    if sample is not None:
        samples = windows.keep_last(samples, min(sample.total, MOST_LOAD), sample.at, now)
        at = min(sample.at, now)
        sampled_at = at if sampled_at is None else max(sampled_at, at)
    if replicas.current == 0:
        # What was asked for while nothing ran is no load on what will: with an hour of zeros in
        # the average, the first request after it would wake nobody.
        samples = windows.only_newest(samples)
    return replace(state, samples=samples, sampled_at=sampled_at)
