"""A total that only a part contributes to is no low load: for a bounded time.

With half the scrape targets gone a sum halves, although nobody left. So the number of what
contributes is followed. When it falls by more than a fifth while the ready replicas do not fall
with it, the total may still scale up and does not scale down, until the bound that losses of pods
have as well. After that it is the new normal: somebody merged two exporters into one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import needs
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import TargetType
from budaiscaler.domain.decision import Code, Coverage, Observation
from budaiscaler.domain.readings import Reading

ENOUGH = 0.8
"""Share of what should contribute that makes a total whole."""

Coverages = Mapping[str, Coverage]
"""See `State.coverage`."""


def follow(
    spec: ScalerSpec, observation: Observation, known: Coverages, limit: timedelta, now: datetime
) -> Coverages:
    """Follow what contributes to each total; of one without data, what was known stays."""
    followed = {}
    for source in spec.metrics_sources:
        before = known.get(source.key)
        found = needs.observed(source, observation)
        if promql.target_type(source)[0] is not TargetType.AVERAGE_VALUE:
            continue
        if isinstance(found, Reading) and found.answered is not None:
            before = _follow(before, found.answered, found.of, observation, limit, now)
        if before is not None:
            followed[source.key] = before
    return followed


def _follow(
    before: Coverage | None,
    answered: int,
    of: int | None,
    observation: Observation,
    limit: timedelta,
    now: datetime,
) -> Coverage:
    ready = observation.replicas.ready
    expected = of if of is not None else _expected(before, answered, ready)
    if answered >= ENOUGH * expected:
        return Coverage(answered, expected, ready)
    if before is None or before.partial_since is None or answered < ENOUGH * before.answered:
        return Coverage(answered, expected, ready, partial_since=now)
    if of is None and now - before.partial_since >= limit:
        return Coverage(answered, answered, ready)
    return replace(before, answered=min(answered, before.answered), expected=expected, ready=ready)


def _expected(before: Coverage | None, answered: int, ready: int) -> int:
    """As many as ever contributed; fewer in proportion when replicas went, which had series."""
    if before is None:
        return answered
    expected = before.expected
    if ready < before.ready:
        expected = expected * ready // before.ready
    return max(expected, answered)


def hold_ends(coverage: Coverage | None, limit: timedelta) -> datetime | None:
    """Tell when a part stops being held as one; None while the total is whole."""
    if coverage is None or coverage.partial_since is None:
        return None
    return coverage.partial_since + limit


def hold(found: Candidate, coverage: Coverage, current: int) -> Candidate:
    """Keep what a part of a total asks for from falling below the replicas that stand."""
    if found.load >= current:
        return found
    message = (
        f"{found.rung.message}, but only {coverage.answered} of {coverage.expected} contribute, "
        f"so it holds {current}"
    )
    rung = replace(found.rung, code=Code.PARTIAL_DATA, after=current, message=message)
    return replace(found, load=float(current), rung=rung, is_hold=True)


def told(spec: ScalerSpec, observation: Observation, state: Coverages) -> tuple[str, ...]:
    """Name every source that only a part answers or contributes to."""
    parts = []
    for source in spec.metrics_sources:
        found = needs.observed(source, observation)
        if not isinstance(found, Reading):
            continue
        coverage = state.get(source.key)
        if coverage is not None and coverage.partial_since is not None:
            parts.append(f"{source.key}: {coverage.answered} of {coverage.expected} contribute")
        elif found.of and found.answered is not None and found.answered < ENOUGH * found.of:
            parts.append(f"{source.key}: {found.answered} of {found.of} answered")
    return tuple(parts)
