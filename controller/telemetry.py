"""What the controller does about HPAs, in figures, beside those of its evaluator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.reconcile import Reconciler


@dataclass(frozen=True, slots=True, eq=False)  # registries hash collectors
class Figures(Collector):
    """Collects anew at each scrape; nothing is counted twice."""

    reconciler: Reconciler

    def collect(self) -> Iterable[Metric]:
        """What is exported."""
        yield GaugeMetricFamily(
            "budaiscaler_owned_hpas",
            "HPAs that scalers made or took over.",
            value=sum(hpa.holder is not None for _, hpa in self.reconciler.hpas),
        )
        writer = self.reconciler.writer
        for name, text, value in (
            ("hpa_applies", "HPAs applied.", self.reconciler.keeper.applies),
            ("hpa_status_writes", "Statuses applied that tell of HPAs.", writer.writes),
            ("hpa_status_write_errors", "The same, refused.", writer.errors),
        ):
            yield CounterMetricFamily(f"budaiscaler_{name}", text, value=value)
