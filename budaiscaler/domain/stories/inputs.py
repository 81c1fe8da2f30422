"""What the sources of a story answer, and what an observer makes of it.

A fetch that fails does not make a source silent at once: as in a live server, its last good sample
stands until it is older than three intervals, and at least a minute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from budaiscaler.domain import readings
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType
from budaiscaler.domain.explaining import observations
from budaiscaler.domain.explaining.observations import Factor
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.gpu import GpuObserved, GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.domain.stories import schema
from budaiscaler.domain.stories.notation import Series
from budaiscaler.domain.stories.schema import InputGiven, StoryGiven

_ASKS_PODS = frozenset(
    {SourceType.POD, SourceType.INFERENCE_ENGINE, SourceType.RESOURCE, SourceType.CUSTOM}
)

SILENT = NoData(NoDataReason.EMPTY_RESULT, "the story has no sample of it here")


@dataclass(frozen=True, slots=True)
class Input:
    """A series of samples.

    Attributes:
        samples: one interval apart.
        is_total: whether a level shares it over the ready replicas.
    """

    samples: Series
    interval_s: float
    is_total: bool = False

    @classmethod
    def of(cls, given: InputGiven, interval_s: float) -> Self:
        """Read one."""
        return cls(schema.series(given), interval_s, given.total is not None)

    def at(self, elapsed_s: float) -> float | None:
        """Answer a fetch so many seconds after the start; None without data.

        No story goes on beyond the end of an input, but for a price that never changes.
        """
        return self.samples[min(int(elapsed_s / self.interval_s), len(self.samples) - 1)]


@dataclass(frozen=True, slots=True)
class Inputs:
    """All inputs of a story, by what they are of."""

    sources: Mapping[str, Input]
    gpu: Mapping[str, Input]
    price: Input | None

    @classmethod
    def of(cls, story: StoryGiven) -> Self:
        """Read them; of two for one thing, the later counts."""
        made = [(one, Input.of(one, story.interval)) for one in story.inputs]
        return cls(
            {given.source: found for given, found in made if given.source is not None},
            {given.gpu: found for given, found in made if given.gpu is not None},
            next((found for given, found in reversed(made) if given.price is not None), None),
        )

    def price_at(self, elapsed_s: float) -> float | None:
        """What a replica costs an hour."""
        return self.price.at(elapsed_s) if self.price is not None else None


@dataclass(frozen=True, slots=True)
class Good:
    """A last good sample, as it was asked for, and when it was taken."""

    asked: MetricsSource
    reading: Reading
    at: datetime


@dataclass(frozen=True, slots=True)
class Observer:
    """Fetches, and remembers the last good samples.

    Attributes:
        answers: of the last fetch, by source.
        good: last good ones, by source.
        gpu: what the GPUs told at the last fetch; None where no GPU is in the story.
    """

    inputs: Inputs
    factor: Factor
    answers: Mapping[str, Observed] = field(default_factory=dict)
    good: Mapping[str, Good] = field(default_factory=dict)
    gpu: GpuObserved | None = None

    def fetched(self, subject: Subject, ready: int, elapsed_s: float, now: datetime) -> Observer:
        """Ask every source once."""
        answers, good = {}, {}
        for source in subject.spec.metrics_sources:
            answers[source.key] = answer = self._answer(source, ready, elapsed_s)
            if isinstance(answer, Reading):
                good[source.key] = Good(source, answer, now)
            elif source.key in self.good:
                good[source.key] = self.good[source.key]
        return replace(self, answers=answers, good=good, gpu=self._gpu(ready, elapsed_s))

    def observed(self, subject: Subject, now: datetime) -> dict[str, Observed]:
        """Tell what is known of each source now."""
        fresh_s = observations.fresh_for_s(subject.spec.scaling_strategy)
        found: dict[str, Observed] = {}
        for source in subject.spec.metrics_sources:
            last = self.good.get(source.key)
            age_s = (now - last.at).total_seconds() if last is not None else 0.0
            if last is None or last.asked != source or age_s > fresh_s:
                found[source.key] = self.answers.get(source.key, SILENT)
            else:
                found[source.key] = replace(last.reading, age_s=age_s)
        return found

    def _answer(self, source: MetricsSource, ready: int, elapsed_s: float) -> Observed:
        series = self.inputs.sources.get(source.key)
        value = series.at(elapsed_s) if series is not None else None
        if series is None or value is None:
            return SILENT
        is_level = promql.target_type(source)[0] is TargetType.VALUE
        asks_pods = source.source_type in _ASKS_PODS
        if is_level or asks_pods:
            if not ready:
                return NoData(NoDataReason.NO_READY_PODS, "no replica is ready to be asked")
            value = value / ready if is_level and series.is_total else value
        return readings.reading(
            value * self.factor(source),
            answered=ready if is_level or asks_pods else None,
            of=ready if asks_pods else None,
        )

    def _gpu(self, ready: int, elapsed_s: float) -> GpuObserved | None:
        if not self.inputs.gpu:
            return None

        def percent(name: str) -> Observed:
            series = self.inputs.gpu.get(name)
            value = series.at(elapsed_s) if series is not None else None
            if value is None or not ready:
                return SILENT
            return readings.reading(value, answered=ready, of=ready)

        return GpuReading(percent("memory"), percent("compute"), gpus=ready)
