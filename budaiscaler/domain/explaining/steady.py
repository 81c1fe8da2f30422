"""The state of a scaler that has seen one and the same world for as long as anything looks back.

No window holds anything back, no panic of a start, no hold of a scaler that is new; what has no
data has had none for long. A last scaling is all the history there can be, and counts as a
recommendation of the replicas that stand.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from budaiscaler.domain.algorithms import stabilization
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import State
from budaiscaler.domain.memories import Activity, KpaState

LONG_AGO = timedelta(days=400)
"""Further back than any window, period or duration of the API."""


def state(
    spec: ScalerSpec, current: int, now: datetime, last_scale_time: datetime | None = None
) -> State:
    """Make the state.

    Args:
        spec: has the sources.
        current: replicas that stand.
        now: time of the decision.
        last_scale_time: when they came to be so many; None for long ago.
    """
    then = now - LONG_AGO
    keys = [source.key for source in spec.metrics_sources]
    scaled_at = then if last_scale_time is None else min(last_scale_time, now)
    # An entry that is too old to count says that this is not the first look at all.
    older = now - stabilization.LONGEST_WINDOW
    return State(
        current=current,
        good_at=then,
        silent_since=dict.fromkeys(keys, then),
        recommendations=((min(scaled_at, older), current), (scaled_at, current)),
        kpa={key: KpaState() for key in keys},
        activity=Activity(is_initialized=True, active_since=then, inactive_since=then),
    )
