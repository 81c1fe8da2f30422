"""A loss of pods is no low load, nor are replicas that still start: for a bounded time.

With a third of the pods gone, the sum over the running requests of the others falls by a third
although nobody left: the recommendation must not follow. A level may not fall below what was asked
for either, since the replicas still starting will share it.

The bound begins anew whenever more replicas are missing, so that a pod which loops for a quarter of
an hour does not leave the next loss unprotected. But a pod that comes and goes loses itself again
and again: a loss no larger than what was missing before holds for two bounds in all. Only a larger
one, more replicas asked for, or a bound of calm give it new ones.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import gpu, needs
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.api.sources import TargetType
from budaiscaler.domain.decision import Code, Replicas, Rung, Shortfall, Stage, State

STARTS_NEEDED = 5
"""From so many measured starts on it is known how long one takes."""

UNMEASURED_STARTUP_BOUND = timedelta(minutes=10)
SHORTEST_STARTUP_BOUND = timedelta(minutes=1)
"""Replicas that start within a second are back before their metrics are (ADR 0016)."""

BOUNDS_IN_ALL = 2


def bound(startup_p95_s: float | None) -> timedelta:
    """How long a loss holds: twice the measured start-up."""
    if startup_p95_s is None:
        return UNMEASURED_STARTUP_BOUND
    return max(SHORTEST_STARTUP_BOUND, timedelta(seconds=2 * startup_p95_s))


def follow(state: State, replicas: Replicas, limit: timedelta, now: datetime) -> Shortfall | None:
    """Tell what is missing as of now.

    Args:
        state: of the decision before.
        replicas: as they are now.
        limit: the bound of a loss, which is also how long it must be over to be forgotten.
        now: time of the decision.
    """
    before, missing = state.shortfall, replicas.lost_or_starting
    was_asked_for_more = state.current is not None and replicas.current > state.current
    if before is None or missing > before.most or (missing and was_asked_for_more):
        return Shortfall(now, now, missing, missing, now) if missing else None
    if missing > before.missing:
        before = replace(before, grew_at=now)
    if missing == before.most:
        before = replace(before, most_at=now)
    elif now - before.most_at > limit:
        if not missing:
            return None
        before = replace(before, most=missing, most_at=now)
    return replace(before, missing=missing)


def hold_ends(shortfall: Shortfall | None, limit: timedelta) -> datetime | None:
    """Tell when what is missing stops holding the recommendation; None while nothing is."""
    if shortfall is None or not shortfall.missing:
        return None
    return min(shortfall.grew_at + limit, shortfall.began + BOUNDS_IN_ALL * limit)


def hold(spec: ScalerSpec, replicas: Replicas, recommended_load: float | None) -> Candidate:
    """Keep the recommendation from falling below the last one.

    Where we act, it does not fall below what was asked for: on the way down to what was
    recommended, some are on their way still.
    """
    is_whole = (
        spec.scaling_strategy is not Strategy.HPA
        or bool(gpu.thresholds(spec))
        or any(promql.target_type(source)[0] is TargetType.VALUE for source in spec.metrics_sources)
    )
    floor = float(replicas.current) if is_whole or recommended_load is None else 0.0
    load = max(floor, recommended_load or 0.0)
    message = (
        f"{replicas.lost_or_starting} of {replicas.current} replicas are lost or starting, "
        f"so the recommendation does not fall below {load:.4g}"
    )
    rung = Rung(Stage.SOURCE, Code.LOST_OR_STARTING, replicas.current, needs.ceil(load), message)
    return Candidate(load, rung, is_hold=True)
