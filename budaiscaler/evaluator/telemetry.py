"""The evaluator's figures, read off its state when Prometheus asks.

No figure is kept a second time: a scaler that is gone has no series, and a copy that does not lead
has none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from budaiscaler.domain import conditions
from budaiscaler.domain.decision import Code, Decision, Stage
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.sources.measuring import BOUNDS_S, Flights, Latencies

LIMITS = (Stage.TOLERANCE, Stage.GATE, Stage.BOUNDS)
"""Stages whose hold on the result is worth an alert, each a value of the label `limit`."""


@dataclass(frozen=True, slots=True, eq=False)  # registries hash collectors
class EvaluatorCollector(Collector):
    """Collects from one evaluator.

    Attributes:
        leading: whether this copy holds the Lease.
        queries: queries really sent to sources so far.
        flights: figures of those, by type of source, or by the way that GPUs are read.
    """

    evaluator: Evaluator
    leading: Callable[[], bool]
    queries: Callable[[], int]
    flights: Callable[[], Mapping[str, Flights]] = dict

    def collect(self) -> Iterable[Metric]:
        """Give every family; called in a thread, so it copies before it looks."""
        info = GaugeMetricFamily("budaiscaler_build_info", "Version.", labels=("version",))
        info.add_metric((version("budaiscaler"),), 1)
        yield info
        yield GaugeMetricFamily(
            "budaiscaler_leader", "Whether this copy evaluates.", value=float(self.leading())
        )
        yield from self._totals()
        yield from self._delays()
        yield from self._sources()
        yield from self._scalers()
        yield self._replica_seconds()

    def _totals(self) -> Iterator[Metric]:
        counters, writer = self.evaluator.counters, self.evaluator.writer
        for name, text, value in (
            ("evaluations", "Evaluations of scalers.", counters.evaluations),
            ("evaluation_failures", "Evaluations that gave no decision.", counters.failures),
            ("decision_changes", "Changed decisions, as they are logged.", counters.changes),
            ("status_writes", "Statuses applied.", writer.writes),
            ("status_write_errors", "Statuses that the API server refused.", writer.errors),
            ("source_queries", "Queries sent to sources.", self.queries()),
            ("watch_restarts", "Watches that broke off.", self.evaluator.scalers.restarts),
        ):
            yield CounterMetricFamily(f"budaiscaler_{name}", text, value=value)

    def _sources(self) -> Iterator[Metric]:
        latency = HistogramMetricFamily(
            "budaiscaler_source_latency_seconds", "Time of fetches.", labels=("type",)
        )
        errors = CounterMetricFamily(
            "budaiscaler_source_errors", "Fetches without data.", labels=("type", "reason")
        )
        for kind, flights in self.flights().items():
            latency.add_metric((str(kind),), _buckets(flights), flights.total_s)
            for reason, count in list(flights.errors.items()):
                errors.add_metric((str(kind), str(reason)), count)
        yield from (latency, errors)

    def _delays(self) -> Iterator[Metric]:
        delays = self.evaluator.delays
        yield HistogramMetricFamily(
            "budaiscaler_evaluation_delay_seconds",
            "From when scalers were due until they were evaluated and reported on.",
            buckets=_buckets(delays),
            sum_value=delays.total_s,
        )

    def _scalers(self) -> Iterator[Metric]:
        scaler = ("namespace", "name")
        desired = _gauge("desired_replicas", "Replicas wanted.", scaler)
        current = _gauge("current_replicas", "Replicas asked for now.", scaler)
        ready = _gauge("ready_replicas", "Replicas ready now.", scaler)
        load = _gauge("desired_load_replicas", "Published load, in replicas.", scaler)
        active = _gauge("scaling_active", "Whether the load could be computed.", scaler)
        limited = _gauge("limited", "Whether a limit holds the result.", (*scaler, "limit"))
        value = _gauge("source_value", "Last reading.", (*scaler, "source"))
        age = _gauge("source_age_seconds", "Age of the last reading.", (*scaler, "source"))
        missing = _gauge(
            "source_no_data", "1 while a source has none.", (*scaler, "source", "reason")
        )
        for key, outcome in list(self.evaluator.outcomes.items()):
            decision, observation = outcome.decision, outcome.observation
            active.add_metric(key, float(decision is not None and _is_active(decision)))
            if decision is None or observation is None:
                continue
            desired.add_metric(key, decision.desired_replicas)
            if decision.publishes:
                load.add_metric(key, decision.desired_load)
            current.add_metric(key, observation.replicas.current)
            ready.add_metric(key, observation.replicas.ready)
            acted = {rung.stage for rung in decision.rungs if rung.code in _LIMIT_CODES}
            for stage in LIMITS:
                limited.add_metric((*key, str(stage)), float(stage in acted))
            for name, observed in observation.readings.items():
                if isinstance(observed, Reading):
                    value.add_metric((*key, name), observed.value)
                    age.add_metric((*key, name), observed.age_s)
                elif isinstance(observed, NoData):
                    missing.add_metric((*key, name, str(observed.reason)), 1)
        yield from (desired, current, ready, load, active, limited, value, age, missing)
        yield from self._gpus()

    def _replica_seconds(self) -> Metric:
        seconds = CounterMetricFamily(
            "budaiscaler_replica_seconds",
            "Replica-seconds by the lowest stage that needed them.",
            labels=("namespace", "name", "bound_by"),
        )
        for key, sums in list(self.evaluator.ledger.replica_seconds.items()):
            for stage, total in list(sums.items()):
                seconds.add_metric((*key, str(stage)), total)
        return seconds

    def _gpus(self) -> Iterator[Metric]:
        scaler = ("namespace", "name")
        gpus = _gauge("gpus", "GPUs of the target.", scaler)
        memory = _gauge("gpu_memory_ratio", "Mean memory in use, of all there is.", scaler)
        compute = _gauge("gpu_utilization_ratio", "Mean utilisation.", scaler)
        missing = _gauge(
            "gpu_no_data", "1 while that is not known.", (*scaler, "reading", "reason")
        )
        for key, outcome in list(self.evaluator.outcomes.items()):
            found = outcome.observation.gpu if outcome.observation is not None else None
            if found is None:
                continue
            if isinstance(found, GpuReading):
                gpus.add_metric(key, found.gpus)
                readings = (found.memory, found.compute)
            else:
                readings = (found, found)
            for name, gauge, told in zip(
                ("memory", "utilization"), (memory, compute), readings, strict=True
            ):
                if isinstance(told, Reading):
                    gauge.add_metric(key, told.value / 100)
                else:
                    missing.add_metric((*key, name, str(told.reason)), 1)
        yield from (gpus, memory, compute, missing)


_LIMIT_CODES = frozenset(
    {
        Code.WITHIN_TOLERANCE,
        Code.PAUSED,
        Code.CAPACITY_LIMITED,
        Code.MAX_REPLICAS,
        Code.MIN_REPLICAS,
    }
)


def _is_active(decision: Decision) -> bool:
    return any(
        condition.type == conditions.SCALING_ACTIVE and condition.status == "True"
        for condition in decision.conditions
    )


def _buckets(latencies: Latencies) -> list[tuple[str, float]]:
    """Give the counts as Prometheus has them: each with all below it."""
    bounds = [f"{bound:g}" for bound in BOUNDS_S]
    return list(zip([*bounds, "+Inf"], map(float, accumulate(latencies.counts)), strict=True))


def _gauge(name: str, text: str, labels: tuple[str, ...]) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"budaiscaler_{name}", text, labels=labels)
