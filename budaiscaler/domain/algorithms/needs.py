"""What one source asks for: a need in replicas, from a total or from a level.

A level is a mean, and says nothing without the number of replicas that it is the mean of. Who is
not in it counts as nothing when going up and as at target when going down, so there are two needs,
and between them the replicas stay as they are. Four replicas at twice the target are a load of
eight; once four more are ready, and before they are scraped, it is no load of sixteen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from budaiscaler.domain.api import promql, quantity
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType
from budaiscaler.domain.decision import Code, Observation, Rung, Stage, State
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading

MAX_NEED = float(2**31 - 1)
"""Replicas that an API can carry."""

SCRAPE_LAG = timedelta(seconds=60)
"""Until it is sure that a pod which became ready is in a mean: an interval of scrapes, and looks of
a rule and of ours."""

SEEN_KEPT = timedelta(minutes=10)
"""Longer than the lag and the age of any sample that still stands."""

_ASKS_PODS = frozenset({SourceType.POD, SourceType.INFERENCE_ENGINE})

Seen = tuple[tuple[datetime, int], ...]
"""See `State.ready_seen`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What one source, or one rule, asks for.

    Attributes:
        load: in replicas.
        rung: how it came about.
        is_hold: it only keeps the load from falling.
        has_data: a source answered.
        is_left_out: it is told and counts for nothing.
        steps: from the rung to the load, where there is more to tell; told if it wins.
        changes_at: when the load may fall without new data; None if it would not.
    """

    load: float
    rung: Rung
    is_hold: bool = False
    has_data: bool = False
    is_left_out: bool = False
    steps: tuple[Rung, ...] = ()
    changes_at: datetime | None = None


def see(seen: Seen, ready: int, now: datetime) -> Seen:
    """Remember how many replicas are ready, in as few entries as tell the fewest since any time."""
    fewer = ((at, count) for at, count in seen if count < ready and now - at <= SEEN_KEPT)
    return (*fewer, (now, ready))


def observed(source: MetricsSource, observation: Observation) -> Observed:
    """Look a source's reading up, where one can be had and means something."""
    found = observation.readings.get(source.key)
    if found is None:
        return NoData(NoDataReason.NOT_YET_READ, "the source was not read yet")
    return level(found, observation) if _is_level(source) else found


def level(found: Observed, observation: Observation) -> Observed:
    """Look at a level where it means something: where there are replicas to share it."""
    if isinstance(found, NoData):
        return found
    if not observation.replicas.are_counted:
        return NoData(
            NoDataReason.PODS_UNKNOWN,
            "the target's scale has no selector, so the replicas of a level cannot be counted: "
            "use a total, with targetType: AverageValue",
        )
    if observation.replicas.ready == 0:
        return NoData(
            NoDataReason.NO_READY_PODS, "a level per replica says nothing while no pod is ready"
        )
    return found


def candidate(
    source: MetricsSource, found: Reading, observation: Observation, state: State, now: datetime
) -> Candidate:
    """Turn one reading into a need in replicas; `state` knows what `observation` saw."""
    current = observation.replicas.current
    if _is_level(source):
        return of_level(source.key, source.target, found, observation, state, now)
    need = min(found.value / source.target, MAX_NEED)
    how = f"{source.key}: total {found.value:g} / {source.target:g} a replica = {need:.4g} replicas"
    if (silent := _silent(source, found, observation.replicas.ready)) > 0:
        at_most = min(need + silent * max(1.0, need / max(1, found.answered or 0)), MAX_NEED)
        kept = min(max(float(current), need), at_most)
        how = f"{how} at least, and {silent} have not answered, taken as {kept:.4g} replicas"
        code = Code.PARTIAL_DATA if need < kept < at_most else Code.NEED_FROM_TOTAL
        rung = Rung(Stage.SOURCE, code, current, ceil(kept), how)
        return Candidate(kept, rung, is_hold=code is Code.PARTIAL_DATA, has_data=True)
    rung = Rung(Stage.SOURCE, Code.NEED_FROM_TOTAL, current, ceil(need), how)
    return Candidate(need, rung, has_data=True)


def _silent(source: MetricsSource, reading: Reading, ready: int) -> int:
    """Count the pods that a total of pods which were asked themselves lacks.

    As in a level, each of them counts as at target when going down, and as nothing when going up.
    Those that were not asked are silent, too: ten pods at target, of which a drained node takes two
    away, read as 80 over 8 of 8, and the two come back before anybody is asked again.
    """
    if source.source_type not in _ASKS_PODS or reading.answered is None or reading.of is None:
        return 0
    return max(0, max(reading.of, ready) - reading.answered)


def ceil(load: float) -> int:
    """Whole replicas for a load."""
    return math.ceil(quantity.ceil_to_milli(load))


def missing(name: str, found: NoData, current: int) -> Candidate:
    """Hold the replicas, for what gave no data."""
    message = f"{name}: no data ({found.reason}), so it holds {current}"
    rung = Rung(Stage.SOURCE, Code.NO_DATA, current, current, message)
    return Candidate(float(current), rung, is_hold=True)


def of_level(
    name: str,
    target: float,
    reading: Reading,
    observation: Observation,
    state: State,
    now: datetime,
    *,
    stage: Stage = Stage.SOURCE,
) -> Candidate:
    """Turn a level that means something into a need; see `candidate`."""
    current, ready = observation.replicas.current, observation.replicas.ready
    ratio = min(reading.value / target, MAX_NEED)
    inside, why = _in_mean(reading, ready, state, now)
    at_least = min(inside * ratio, MAX_NEED)
    at_most = min(at_least + max(0, ready - inside) * max(1.0, ratio), MAX_NEED)
    need = min(max(float(current), at_least), at_most)
    is_hold = at_least < need < at_most
    share = f"level {reading.value:g} / {target:g}"
    if inside >= ready:
        how = f"{inside} ready x {share} = {need:.4g} replicas"
    else:
        how = (
            f"{share} over {inside} of {ready} ready gives {at_least:.4g} to {at_most:.4g} "
            f"({why}), taken as {need:.4g} replicas"
        )
    code = Code.PARTIAL_DATA if is_hold else Code.NEED_FROM_LEVEL
    rung = Rung(stage, code, current, ceil(need), f"{name}: {how}")
    return Candidate(need, rung, is_hold=is_hold, has_data=True)


def _in_mean(reading: Reading, ready: int, state: State, now: datetime) -> tuple[int, str]:
    """Count the ready replicas that a level is the mean of for sure, and say why not of all.

    Who asked the pods itself knows how many there were to answer. Else several samples are one a
    pod. A single one, an `avg()` say, does not tell; nor do more samples than pods. Then it is of
    those that were ready long enough before it was taken.
    """
    if reading.answered is not None and reading.of is not None:
        # Also where fewer are ready by now: an old mean over the rest would fall with each of them.
        return reading.answered, "the others do not answer"
    if reading.answered is not None and 1 < reading.answered <= ready:
        return reading.answered, "the others do not answer"
    since = now - timedelta(seconds=reading.age_s) - SCRAPE_LAG
    settled = (count for at, count in state.ready_seen if at >= since)
    return next(
        settled, ready
    ), f"the others are ready for less than {SCRAPE_LAG.total_seconds():g} s"


def _is_level(source: MetricsSource) -> bool:
    return promql.target_type(source)[0] is TargetType.VALUE
