"""Gathers what one decision sees: the target's pods, and a reading of each source.

A fetch that fails does not make a source silent at once: its last good sample stands until it is
older than three intervals, and at least a minute, since one lost scrape is no outage.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import structlog

from budaiscaler.domain import conditions, contests, readings
from budaiscaler.domain.algorithms import shortfalls
from budaiscaler.domain.api import promql
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType
from budaiscaler.domain.decision import Observation
from budaiscaler.domain.gpu import GpuObserved
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.evaluator import restoring
from budaiscaler.evaluator.cadence import Cadence
from budaiscaler.evaluator.deletion_costs import Fleet
from budaiscaler.evaluator.gpus import GpuObserver
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.schedule import TICK_S
from budaiscaler.kube.workloads import Workload, Workloads
from budaiscaler.sources import engines
from budaiscaler.sources.base import Sample, Source, SourceRequest
from budaiscaler.sources.gpu.base import GpuReader

FETCH_LIMIT_S = 30.0
"""Every source ends by itself before that; a bug in one must not stop an evaluation for ever."""


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Good:
    """A last good reading, and what was asked for it: an edited query has none."""

    asked: MetricsSource
    value: float
    answered: int | None
    of: int | None
    at_s: float


@dataclass(frozen=True, slots=True)
class _Told:
    """What the sources and the GPUs of a scaler told when they were last asked.

    Attributes:
        spec: that they were asked for.
        workload: the target as they saw it; None once it is known to be another.
        due_s: when they are to be asked again.
    """

    spec: ScalerSpec
    workload: Workload | None
    gpu: GpuObserved | None
    answers: Sequence[Sample | NoData]
    due_s: float


@dataclass(slots=True)
class Observer:
    """Observes for many scalers and remembers their last good samples.

    Attributes:
        sources: by type; a type that is missing is not supported.
        cadence_of: of a scaler, by its strategy.
        clock: monotonic seconds.
        random: spreads what was first asked at once.
        gpu: reads GPUs; None where nobody can.
        speed: how many seconds of the clock pass in a real one.
    """

    workloads: Workloads
    sources: Mapping[SourceType, Source]
    cadence_of: Callable[[str], Cadence]
    clock: Callable[[], float]
    gpu: GpuReader | None = None
    random: Random = field(default_factory=Random)
    speed: float = 1.0
    _told: dict[str, _Told] = field(default_factory=dict)
    _good: dict[str, dict[str, _Good]] = field(default_factory=dict)
    _fleets: dict[str, Fleet] = field(default_factory=dict)
    _gpus: GpuObserver = field(init=False)

    def __post_init__(self) -> None:
        self._gpus = GpuObserver(self.gpu, self.clock)

    async def observe(self, scaler: Scaler, spec: ScalerSpec) -> Observation:
        """Look at the target and read all sources at once, if they are due.

        Raises:
            NotFoundError: the target does not exist.
            KubeError: it could not be read.
        """
        told = self._told.get(scaler.uid)
        is_due = told is None or told.spec != spec or self.clock() >= told.due_s - TICK_S
        workload = await self._look(scaler, spec, None if is_due else told)
        if told is None or is_due:
            told = await self._ask(scaler, spec, workload, is_first=told is None)
        if self.cadence_of(scaler.strategy).has_decisions_between:
            self._told[scaler.uid] = replace(told, workload=workload)
        answers = told.answers
        good = self._good.setdefault(scaler.uid, {})
        observed = {
            source.key: self._settle(good, source, answer, self._fresh_s(scaler))
            for source, answer in zip(spec.metrics_sources, answers, strict=True)
        }
        for gone in good.keys() - observed.keys():
            del good[gone]
        shares = zip(spec.metrics_sources, answers, strict=True)
        self._fleets[scaler.uid] = Fleet(workload.pods, tuple(_shares(shares)))
        exactness = scaler.condition(conditions.EXACT_SCALING)
        able = scaler.condition(conditions.ABLE_TO_SCALE)
        return Observation(
            workload.replicas,
            observed,
            startup_p95_s(workload),
            exact=exactness is None or exactness.get("status") != "False",
            contested_by=contests.contested_by(workload.writes, self.clock()),
            gpu=told.gpu,
            annotations=scaler.annotations,
            has_child=able is None or able.get("reason") not in conditions.WITHOUT_CHILD,
            shortage=workload.shortage,
        )

    def due_s(self, uid: str) -> float:
        """Tell when the sources of a scaler are to be asked, other than for each decision."""
        told = self._told.get(uid)
        return math.inf if told is None else told.due_s

    def fleet(self, uid: str) -> Fleet:
        """Give the pods of a scaler's target as they were last observed."""
        return self._fleets.get(uid, Fleet())

    def look_again(self, uid: str) -> None:
        """Go by nothing that was seen of the target before: it was scaled since."""
        if (told := self._told.get(uid)) is not None:
            self._told[uid] = replace(told, workload=None)

    def restore(self, scaler: Scaler, spec: ScalerSpec, age_s: float) -> None:
        """Take the readings that another leader reported `age_s` ago as the last good ones."""
        reported = {entry.get("name"): entry for entry in scaler.status.get("sources") or ()}
        for source in spec.metrics_sources:
            entry = reported.get(source.key)
            if (
                entry is None
                or entry.get("noDataSince")
                or scaler.status.get("observedGeneration") != scaler.generation
            ):
                continue
            value = restoring.value_of(entry)
            if value is not None:
                good = _Good(
                    source, value, entry.get("answered"), entry.get("of"), self.clock() - age_s
                )
                self._good.setdefault(scaler.uid, {})[source.key] = good

    def forget(self, uid: str) -> None:
        """Drop what belongs to a scaler that is gone."""
        self._good.pop(uid, None)
        self._told.pop(uid, None)
        self._fleets.pop(uid, None)
        self._gpus.forget(uid)

    async def _look(self, scaler: Scaler, spec: ScalerSpec, told: _Told | None) -> Workload:
        """Look at the target; one that costs requests no more often than at its sources."""
        target = spec.scale_target_ref
        of = (target.api_version, target.kind)
        if told is not None and told.workload is not None and not self.workloads.watches(*of):
            return told.workload
        return await self.workloads.find(*of, scaler.namespace, target.name)

    async def _ask(
        self, scaler: Scaler, spec: ScalerSpec, workload: Workload, *, is_first: bool
    ) -> _Told:
        sample_s = self.cadence_of(scaler.strategy).sample_s
        # A leader begins with all scalers at once, and must not go on like that.
        asked_s = self.clock()
        due_s = asked_s + sample_s * (1 + is_first * self.random.random())
        try:
            async with asyncio.TaskGroup() as group:
                gpu = group.create_task(self._look_at_gpus(scaler, spec, workload))
                fetches = [
                    group.create_task(self._fetch(scaler, one, workload))
                    for one in spec.metrics_sources
                ]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # one bug is told as itself
        answers = [self._dated(one.result(), asked_s) for one in fetches]
        return _Told(spec, workload, gpu.result(), answers, due_s)

    def _dated(self, answer: Sample | NoData, asked_s: float) -> Sample | NoData:
        """Count the time that asking took as the real one.

        A network is no slower in a fast story: at 600 times the speed, a tenth of a second until
        the slowest source answers would make the sample of the quickest a minute old.
        """
        if isinstance(answer, NoData) or self.speed == 1:
            return answer
        taken_s = self.clock() - max(asked_s, answer.at_s)
        return replace(answer, at_s=answer.at_s + taken_s * (1 - 1 / self.speed))

    async def _look_at_gpus(
        self, scaler: Scaler, spec: ScalerSpec, workload: Workload
    ) -> GpuObserved | None:
        return await self._gpus.observe(
            scaler.uid,
            scaler.namespace,
            spec.gpu_config,
            workload,
            max_age_s=self.cadence_of(scaler.strategy).sample_s / 2,
            fresh_s=self._fresh_s(scaler),
            limit_s=FETCH_LIMIT_S,
        )

    def _fresh_s(self, scaler: Scaler) -> float:
        return readings.fresh_for_s(self.cadence_of(scaler.strategy).sample_s)

    async def _fetch(
        self, scaler: Scaler, source: MetricsSource, workload: Workload
    ) -> Sample | NoData:
        kind = source.source_type
        fetcher = self.sources.get(kind)
        if fetcher is None:
            message = (
                f"sources of type {kind} are not supported by this version: use type prometheus "
                "or external"
            )
            return NoData(NoDataReason.UNSUPPORTED_SOURCE, message)
        max_age_s = self.cadence_of(scaler.strategy).sample_s / 2
        request = SourceRequest(scaler.namespace, source, max_age_s, workload)
        try:
            async with asyncio.timeout(FETCH_LIMIT_S):
                return await fetcher.fetch(request)
        except TimeoutError:
            return NoData(NoDataReason.TIMEOUT, "the source did not answer in time")

    def _settle(
        self,
        good: dict[str, _Good],
        source: MetricsSource,
        answer: Sample | NoData,
        fresh_s: float,
    ) -> Observed:
        now_s = self.clock()
        observed = aggregate(source, answer, now_s)
        if isinstance(observed, Reading):
            good[source.key] = _Good(
                source, observed.value, observed.answered, observed.of, now_s - observed.age_s
            )
            return observed
        last = good.get(source.key)
        if last is None or last.asked != source:
            return observed
        age_s = now_s - last.at_s
        if age_s > fresh_s:
            return observed
        return Reading(last.value, age_s, last.answered, last.of)


def _shares(
    answers: Iterable[tuple[MetricsSource, Sample | NoData]],
) -> Iterator[Mapping[str, float]]:
    """Give what each pod has of the load of one replica at its target."""
    for source, answer in answers:
        if isinstance(answer, Sample) and answer.by_pod:
            factor = engines.unit_factor(source) / source.target
            yield {pod: value * factor for pod, value in answer.by_pod.items()}


def aggregate(source: MetricsSource, answer: Sample | NoData, now_s: float) -> Observed:
    """Make one number of several samples: the sum for a total, the mean for a level.

    One NaN among them makes the whole no data: left out, a sum would be too low and scale down.
    """
    if isinstance(answer, NoData):
        return answer
    count = len(answer.values)
    answered = answer.answered
    if answered is None and not (count == 1 and _is_sum(source)):
        answered = count
    if count == 0:
        return NoData(NoDataReason.EMPTY_RESULT, "the source answered without a number")
    target_type, _ = promql.target_type(source)
    total = _total(answer.values)
    value = total if target_type is TargetType.AVERAGE_VALUE else total / count
    return readings.reading(
        value * engines.unit_factor(source),
        age_s=max(0.0, now_s - answer.at_s),
        answered=answered,
        of=answer.of,
    )


def _is_sum(source: MetricsSource) -> bool:
    """Whether the number of its samples tells nothing of what contributed to them."""
    return source.prom_ql is not None and promql.is_total(source.prom_ql)


def _total(values: tuple[float, ...]) -> float:
    """Add up exactly, so that the order of the samples, which varies, makes no difference."""
    try:
        return math.fsum(values) if all(map(math.isfinite, values)) else math.nan
    except OverflowError:
        return math.inf


def startup_p95_s(workload: Workload) -> float | None:
    """95th percentile of measured starts (nearest rank); None until five were measured."""
    starts = sorted(workload.startups_s)
    if len(starts) < shortfalls.STARTS_NEEDED:
        return None
    return starts[math.ceil(0.95 * len(starts)) - 1]
