"""The file of one observation: what a scaler sees of the world, as people write it down.

Readings are raw, as their source tells them: a share of one stays a share of one here, and becomes
percent on the way to the decision, as it does in a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from budaiscaler.domain import capacity, pausing, readings, times
from budaiscaler.domain.api import durations, strict
from budaiscaler.domain.api.base import ApiModel
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.decision import Observation, Replicas
from budaiscaler.domain.errors import InvalidInputError, Path, Problem
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.memories import INTERVAL_S
from budaiscaler.domain.readings import NoData, NoDataReason, Observed

Factor = Callable[[MetricsSource], float]
"""What to multiply a source's number by, so that it is in the unit of its target."""

DECISION_INTERVAL_S = 15.0

Count = Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)]


class ReplicasGiven(ApiModel):
    """The workload's replicas; who is not told to start or to lack a node is ready."""

    current: Count
    ready: Count | None = None
    starting: Count = 0
    unschedulable: Count = 0


class ReadingGiven(ApiModel):
    """A reading with what is known of it."""

    value: Annotated[float, Field(strict=True)] | None = None
    age: strict.Duration | None = None
    answered: Count | None = None
    of: Count | None = None


class GpuGiven(ApiModel):
    """Use of the target's GPUs in percent."""

    memory: Annotated[float, Field(strict=True)] | None = None
    compute: Annotated[float, Field(strict=True)] | None = None


class ForecastGiven(ApiModel):
    """A forecast in place of our own."""

    replicas: Count
    confidence: Annotated[float, Field(ge=0, le=1, strict=True)] = 1.0


class ObservationGiven(ApiModel):
    """What stands in the file."""

    now: AwareDatetime | None = None
    replicas: ReplicasGiven
    last_scale_time: AwareDatetime | None = None
    readings: Annotated[
        Mapping[str, Annotated[float, Field(strict=True)] | ReadingGiven | None],
        Field(default_factory=dict),
    ]
    gpu: GpuGiven | None = None
    price_per_replica_hour: Annotated[float, Field(ge=0, strict=True)] | None = None
    forecast: ForecastGiven | None = None

    @property
    def without_effect(self) -> tuple[str, ...]:
        """What is given and does not decide yet."""
        given = {
            "pricePerReplicaHour": self.price_per_replica_hour,
            "forecast": self.forecast,
        }
        return tuple(name for name, value in given.items() if value is not None)


def read(raw: Any, subject: Subject, at: Path = ()) -> ObservationGiven:
    """Read an observation of a scaler.

    Raises:
        InvalidInputError: an unknown key, a source that the scaler does not have, or no number.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInputError([Problem(at, "no observation; write replicas and readings")])
    keys = [source.key for source in subject.spec.metrics_sources]
    given_readings = raw.get("readings")
    problems = [
        strict.unknown(name, keys, (*at, "readings", name))
        for name in (given_readings if isinstance(given_readings, Mapping) else ())
        if name not in keys
    ]
    try:
        given = strict.read(ObservationGiven, raw, at)
    except InvalidInputError as error:
        raise InvalidInputError([*problems, *error.problems]) from error
    if problems:
        raise InvalidInputError(problems)
    return given


def observation(
    given: ObservationGiven, subject: Subject, now: datetime, factor: Factor
) -> Observation:
    """Make of it what a decision sees.

    Args:
        given: as read.
        subject: the scaler.
        now: time of the decision.
        factor: of each source's unit.
    """
    replicas = given.replicas
    ready = replicas.ready
    if ready is None:
        ready = max(0, replicas.current - replicas.starting - replicas.unschedulable)
    fresh_s = fresh_for_s(subject.spec.scaling_strategy)
    return Observation(
        Replicas(replicas.current, ready, replicas.unschedulable),
        {
            source.key: _observed(given.readings.get(source.key), factor(source), fresh_s)
            for source in subject.spec.metrics_sources
        },
        paused=pausing.effective(subject.spec.paused, subject.annotations, now),
        gpu=_gpu(given.gpu),
        annotations=subject.annotations,
        shortage=_shortage(replicas.unschedulable, now),
    )


def fresh_for_s(strategy: Strategy) -> float:
    """Age in seconds from which on the last good sample of a source is no data."""
    interval_s = INTERVAL_S if strategy is Strategy.KPA else DECISION_INTERVAL_S
    return readings.fresh_for_s(interval_s)


def to_json(given: ObservationGiven) -> dict[str, Any]:
    """Write an observation so that it can be read again."""
    rendered = given.model_dump(by_alias=True, exclude_none=True, mode="json")
    rendered["readings"] = {
        name: one.model_dump(by_alias=True, exclude_none=True)
        if isinstance(one, ReadingGiven)
        else one
        for name, one in given.readings.items()
    }
    for key, moment in (("now", given.now), ("lastScaleTime", given.last_scale_time)):
        if moment is not None:
            rendered[key] = times.rfc3339(moment)
    return rendered


def _observed(given: float | ReadingGiven | None, factor: float, fresh_s: float) -> Observed:
    one = ReadingGiven(value=given) if isinstance(given, int | float) else given
    if one is None or one.value is None:
        return NoData(NoDataReason.EMPTY_RESULT, "the observation has no reading of it")
    age_s = _age_s(one)
    if age_s > fresh_s:
        message = f"the last good sample is {age_s:g} s old, and {fresh_s:g} s are the most"
        return NoData(NoDataReason.TIMEOUT, message)
    return readings.reading(one.value * factor, age_s=age_s, answered=one.answered, of=one.of)


def _shortage(unschedulable: int, now: datetime) -> Shortage | None:
    """Tell why replicas have no place: for long, as everything here has been."""
    if not unschedulable:
        return None
    message = "the observation says so"
    return Shortage(Obstacle.UNSCHEDULABLE, now - capacity.PATIENCE, message)


def _age_s(given: ReadingGiven) -> float:
    return durations.parse_s(given.age) if given.age is not None else 0.0


def _gpu(given: GpuGiven | None) -> GpuReading | NoData:
    missing = NoData(NoDataReason.METRIC_NOT_FOUND, "the observation has no reading of GPUs")
    if given is None:
        return missing

    def percent(value: float | None) -> Observed:
        return missing if value is None else readings.reading(value)

    return GpuReading(percent(given.memory), percent(given.compute), gpus=0)
