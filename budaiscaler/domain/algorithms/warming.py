"""The windows of a decider that begins, filled with what a server remembers of its sources.

Without that, the first sample is the average: in a lull between two bursts a new leader would take
the lull for all there is. Only totals of the KPA strategy are filled, and of type prometheus, since
no other server remembers. A level would need the pods that it was the mean of at each of those
times, and a recommendation all else that was seen then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from budaiscaler.domain import windows
from budaiscaler.domain.algorithms import kpa_settings, kpa_source, tuning
from budaiscaler.domain.algorithms.kpa_source import MOST_LOAD, Sample
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType
from budaiscaler.domain.decision import Observation, State
from budaiscaler.domain.memories import KpaState

MAY_LACK = 0.2
"""Share of a window that may be without samples: some are always lost."""


@dataclass(frozen=True, slots=True)
class Span:
    """A time back from now.

    Attributes:
        length_s: how long it is.
        step_s: between two samples of it.
    """

    length_s: float
    step_s: float


def lacking(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime, *, interval_s: float
) -> Mapping[str, Span]:
    """Tell which sources are to be asked for the past, by name, and for how much of it.

    Args:
        spec: of the scaler.
        observation: of the first decision.
        state: that this decision begins with.
        now: its time.
        interval_s: between two samples.
    """
    if spec.scaling_strategy != Strategy.KPA:
        return {}
    spans: dict[str, Span] = {}
    for source in spec.metrics_sources:
        target_type, _ = promql.target_type(source)
        is_total = target_type is TargetType.AVERAGE_VALUE
        if not is_total or source.source_type is not SourceType.PROMETHEUS:
            continue
        known = state.kpa.get(source.key, KpaState())
        window = _window(spec, observation, source, known, interval_s)
        if windows.written(window, now) < (1 - MAY_LACK) * window.length:
            spans[source.key] = Span(window.length * window.bucket_s, window.bucket_s)
    return spans


def warmed(
    spec: ScalerSpec,
    observation: Observation,
    state: State,
    past: Mapping[str, Sequence[Sample]],
    now: datetime,
    *,
    interval_s: float,
) -> State:
    """Fill holes in the windows; what was seen by ourselves stays as it is.

    The rest of a decider begins as without: whether it was in panic, no sample tells.

    Args:
        spec: of the scaler.
        observation: of the first decision.
        state: that it would begin with.
        past: samples by name of the source.
        now: time of the decision; what claims to be later is left out.
        interval_s: between two samples.
    """
    kpa = dict(state.kpa)
    for source in spec.metrics_sources:
        samples = [one for one in past.get(source.key, ()) if one.at <= now]
        if not samples:
            continue
        known = kpa.get(source.key) or kpa_source.start(observation.replicas, now)
        window = _window(spec, observation, source, known, interval_s)
        for one in samples:
            window = windows.fill(window, min(one.total, MOST_LOAD), one.at)
        kpa[source.key] = replace(known, samples=window)
    return replace(state, kpa=kpa)


def _window(
    spec: ScalerSpec,
    observation: Observation,
    source: MetricsSource,
    known: KpaState,
    interval_s: float,
) -> windows.Window:
    given = tuning.given(observation.annotations)
    applied = tuning.applied(spec, given)
    config = kpa_settings.config(applied.behavior, given, target=source.target)
    return kpa_source.sized(config, known.samples, interval_s)
