"""KPA for one source: its samples into windows, and the windows into Knative's decider.

Windows hold totals over all replicas, as Knative's do, and not needs: so an edit of the target acts
on what was seen before it, too. A level is made a total by the replicas that it is the mean of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError

from budaiscaler.domain import windows
from budaiscaler.domain.algorithms import knative
from budaiscaler.domain.algorithms.knative import Averages, Config, Verdict
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import INTERVAL_S, KpaState

MOST_BUCKETS = 360
"""A window that would need more has longer ones, so that a state stays small."""

STALE_INTERVALS = 3
STALE_AT_LEAST_S = 60.0
"""A source without a good sample for longer than both has no data, whatever its windows hold."""

_MOST_LOAD = 1e100
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
    if age_s > max(STALE_INTERVALS * interval_s, STALE_AT_LEAST_S):
        return NoVerdict(f"the last sample is {age_s:.0f} s old"), state
    panic = windows.mean(state.samples, config.panic_window_s, now)
    averages = Averages(stable, stable if panic is None else panic)
    verdict, memory = knative.decide(config, state.memory, averages, replicas, now)
    return verdict, replace(state, memory=memory)


def largest(verdicts: Sequence[Verdict]) -> Verdict:
    """Choose the verdict that wins over several sources: most replicas, then most load."""
    return max(verdicts, key=lambda verdict: (verdict.desired, verdict.load))


def to_json(state: KpaState) -> Any:
    """Write a state down, with nothing but lists, texts and numbers."""
    return _JSON.dump_python(state, mode="json")


def restored(
    raw: Any, replicas: Replicas, now: datetime, *, interval_s: float = INTERVAL_S
) -> KpaState:
    """Take over what another leader wrote down; what is no state begins anew.

    Where samples are missing since then, panic begins as for a new one, so that nothing falls
    before they are made up for.
    """
    state = _read(raw)
    if state is None:
        return start(replicas, now)
    missed = None if state.sampled_at is None else now - state.sampled_at
    if missed is not None and missed <= timedelta(seconds=STALE_INTERVALS * interval_s):
        return state
    return replace(state, memory=knative.resume(state.memory, replicas, now))


def _taken(
    config: Config,
    state: KpaState,
    sample: Sample | None,
    replicas: Replicas,
    now: datetime,
    interval_s: float,
) -> KpaState:
    bucket_s = max(interval_s, config.stable_window_s / MOST_BUCKETS)
    samples = windows.resized(state.samples, config.stable_window_s, bucket_s)
    sampled_at = min(state.sampled_at, now) if state.sampled_at is not None else None
    if sample is not None:
        samples = windows.keep_last(samples, min(sample.total, _MOST_LOAD), sample.at, now)
        at = min(sample.at, now)
        sampled_at = at if sampled_at is None else max(sampled_at, at)
    if replicas.current == 0:
        # What was asked for while nothing ran is no load on what will: with an hour of zeros in
        # the average, the first request after it would wake nobody.
        samples = windows.only_newest(samples)
    return replace(state, samples=samples, sampled_at=sampled_at)


_JSON = TypeAdapter(KpaState)


def _read(raw: Any) -> KpaState | None:
    try:
        state = _JSON.validate_python(raw)
    except ValidationError:
        return None
    return state if all(_is_sound(state)) else None


def _is_sound(state: KpaState) -> Iterator[bool]:
    memory = state.memory
    for moment in (state.sampled_at, memory.panic_since, memory.over_at):
        yield moment is None or moment.tzinfo is not None
    yield (memory.panic_since is None) == (memory.over_at is None)
    yield memory.peak >= 0
    for window in (state.samples, memory.verdicts):
        yield math.isfinite(window.bucket_s) and window.bucket_s > 0
        yield 0 < window.length <= 2 * MOST_BUCKETS
        yield len(window.buckets) <= window.length
        yield list(window.buckets) == sorted(dict(window.buckets).items())
        yield all(math.isfinite(value) and value >= 0 for _, value in window.buckets)
