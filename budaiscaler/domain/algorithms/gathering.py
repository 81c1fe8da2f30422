"""What every strategy starts with: what the sources ask for, and what keeps it from falling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import coverage, gpu, needs, shortfalls, silences
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import (
    Code,
    NextChange,
    Observation,
    Rung,
    Stage,
    State,
)
from budaiscaler.domain.readings import NoData, Reading

Ask = Callable[[MetricsSource, Reading, Observation, State, datetime], Candidate]
"""Turns a reading into a need; the state knows what the observation saw."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What the sources ask for.

    Attributes:
        state: with everything that was seen, and not yet what is recommended.
        winner: the largest need, or the hold that is above all needs.
        gpu_needs: what GPUs ask for, which comes after.
        rungs: of every source and rule, and of their combination.
        has_data: whether any source had data.
        fallbacks: what stands in for sources without data.
        partial: what only a part of answered.
        next_change: when a hold that won ends by itself.
        shortfall_ends: when replicas that are lost or starting stop counting; None without any.
    """

    state: State
    winner: Candidate
    gpu_needs: tuple[Candidate, ...]
    rungs: tuple[Rung, ...]
    has_data: bool
    fallbacks: tuple[str, ...]
    partial: tuple[str, ...]
    next_change: NextChange | None
    shortfall_ends: datetime | None

    @property
    def is_decided(self) -> bool:
        """Whether the result is made of data, or of what a user wants in place of them."""
        return self.has_data or bool(self.fallbacks)


def gather(
    spec: ScalerSpec,
    observation: Observation,
    state: State,
    now: datetime,
    ask: Ask = needs.candidate,
) -> Gathered:
    """Follow what is remembered, and find the largest need.

    A source without data stands in as a candidate at the current replicas, so the maximum alone
    gives both halves of the rule: others may still scale up, and nothing scales down. Where a need
    equals a hold, nothing is held.

    Args:
        spec: has the sources.
        observation: the world as seen at `now`.
        state: what the previous decision returned.
        now: time of the decision.
        ask: of every source that has data.
    """
    replicas = observation.replicas
    limit = shortfalls.bound(observation.startup_p95_s)
    state = replace(
        state,
        current=replicas.current,
        shortfall=shortfalls.follow(state, replicas, limit, now),
        ready_seen=needs.see(state.ready_seen, replicas.ready, now),
        silent_since=silences.follow(spec, observation, state.silent_since, now),
        coverage=coverage.follow(spec, observation, state.coverage, limit, now),
    )
    asked = [
        _candidate(source, observation, state, limit, now, ask) for source in spec.metrics_sources
    ]
    gpus = gpu.candidates(spec, observation, state, now)
    candidates = [candidate for candidate in asked if not candidate.is_left_out]
    candidates += [candidate for candidate in gpus if not candidate.has_data]
    if not candidates:
        candidates.append(_nothing_left(replicas.current))
    hold_ends = shortfalls.hold_ends(state.shortfall, limit)
    if hold_ends is not None and now < hold_ends:
        candidates.append(shortfalls.hold(spec, replicas, state.recommended_load))
    winner = max(candidates, key=lambda candidate: (candidate.load, not candidate.is_hold))
    left_out = [candidate for candidate in asked if candidate.is_left_out]
    return Gathered(
        state=state,
        winner=winner,
        gpu_needs=tuple(candidate for candidate in gpus if candidate.has_data),
        rungs=(
            *(candidate.rung for candidate in (*left_out, *candidates)),
            _combine_rung(winner, replicas.current),
            *(() if winner.is_hold else winner.steps),
        ),
        has_data=any(candidate.has_data for candidate in (*asked, *gpus)),
        fallbacks=tuple(one.rung.message for one in asked if one.rung.code is Code.FALLBACK),
        partial=coverage.told(spec, observation, state.coverage),
        next_change=_next_change(spec, winner, state, hold_ends, limit, now),
        shortfall_ends=hold_ends,
    )


def _candidate(
    source: MetricsSource,
    observation: Observation,
    state: State,
    limit: timedelta,
    now: datetime,
    ask: Ask,
) -> Candidate:
    found = needs.observed(source, observation)
    current = observation.replicas.current
    if isinstance(found, NoData):
        return silences.candidate(source, found, current, state.silent_since[source.key], now)
    asked = ask(source, found, observation, state, now)
    known = state.coverage.get(source.key)
    ends = coverage.hold_ends(known, limit)
    if known is not None and ends is not None and now < ends:
        return coverage.hold(asked, known, current)
    return asked


def _nothing_left(current: int) -> Candidate:
    message = f"no source is left to decide by, so {current} stay"
    rung = Rung(Stage.SOURCE, Code.NO_DATA, current, current, message)
    return Candidate(float(current), rung, is_hold=True)


def _combine_rung(winner: Candidate, current: int) -> Rung:
    if winner.is_hold:
        message = f"nothing needs more than {winner.load:.4g} and nothing may fall below it"
        return Rung(Stage.COMBINE, Code.HOLD, current, needs.ceil(winner.load), message)
    message = f"the largest need wins: {winner.rung.message.partition(':')[0]}"
    aimed = winner.rung.after if winner.steps else needs.ceil(winner.load)
    return Rung(Stage.COMBINE, Code.LARGEST_NEED, current, aimed, message)


def _next_change(
    spec: ScalerSpec,
    winner: Candidate,
    state: State,
    hold_ends: datetime | None,
    limit: timedelta,
    now: datetime,
) -> NextChange | None:
    """The end of the hold that bound the answer, if one did and it ends by itself."""
    if winner.rung.code is Code.LOST_OR_STARTING and hold_ends is not None:
        return NextChange(hold_ends, "lost or starting replicas stop holding the recommendation")
    if not winner.is_hold:
        return None
    ends = []
    for source in spec.metrics_sources:
        since = state.silent_since.get(source.key)
        silent = silences.hold_ends(source, since) if since is not None else None
        partial = coverage.hold_ends(state.coverage.get(source.key), limit)
        ends += [
            NextChange(at, f"{source.key} stops holding the replicas")
            for at in (silent, partial)
            if at is not None and at > now
        ]
    return min(ends, key=lambda change: change.at, default=None)
