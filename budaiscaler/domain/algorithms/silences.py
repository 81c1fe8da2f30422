"""What stands in for a source without data.

By itself it stands for the replicas there are, so others may still scale up and nothing scales
down. Its owner may allow more after a time: `fallback` names replicas to ask for, and `optional`
takes the source out of the decision. A queue that somebody deleted would else keep a fleet of GPUs
at its peak for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import needs
from budaiscaler.domain.algorithms.needs import Candidate
from budaiscaler.domain.api import durations
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import Fallback, FallbackBehavior, MetricsSource
from budaiscaler.domain.decision import Code, Observation, Rung, Stage
from budaiscaler.domain.readings import NoData

DEFAULT_AFTER = timedelta(minutes=3)

Since = Mapping[str, datetime]
"""See `State.silent_since`."""


def follow(spec: ScalerSpec, observation: Observation, since: Since, now: datetime) -> Since:
    """Remember since when each source that has no data has had none."""
    return {
        source.key: since.get(source.key, now)
        for source in spec.metrics_sources
        if isinstance(needs.observed(source, observation), NoData)
    }


def candidate(
    source: MetricsSource, found: NoData, current: int, since: datetime, now: datetime
) -> Candidate:
    """Say what a source without data asks for.

    Args:
        source: which has none.
        found: why.
        current: the replicas that stand.
        since: when it had data last, or was first looked for.
        now: time of the decision.
    """
    ends = hold_ends(source, since)
    why = f"{source.key}: no data ({found.reason})"
    if ends is None or now < ends:
        return needs.missing(source.key, found, current)
    if source.fallback is None:
        message = f"{why} for long, and it is optional, so it holds nothing"
        rung = Rung(Stage.SOURCE, Code.OPTIONAL_LEFT_OUT, current, current, message)
        return Candidate(0.0, rung, is_left_out=True)
    replicas = _replicas(source.fallback, current)
    message = f"{why} for long, so its fallback ({source.fallback.behavior}) asks for {replicas}"
    return Candidate(float(replicas), Rung(Stage.SOURCE, Code.FALLBACK, current, replicas, message))


def hold_ends(source: MetricsSource, since: datetime) -> datetime | None:
    """Tell when a source that stays without data stops holding; None when it never does."""
    if source.fallback is not None:
        return since + timedelta(seconds=durations.parse_s(source.fallback.after))
    return since + DEFAULT_AFTER if source.optional else None


def _replicas(fallback: Fallback, current: int) -> int:
    match fallback.behavior:
        case FallbackBehavior.STATIC:
            return fallback.replicas
        case FallbackBehavior.CURRENT_REPLICAS:
            return current
        case FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER:
            return max(current, fallback.replicas)
        case FallbackBehavior.CURRENT_REPLICAS_IF_LOWER:  # pragma: no branch - there are no more
            return min(current, fallback.replicas)
