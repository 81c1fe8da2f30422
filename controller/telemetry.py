"""The controller's figures, read off its state when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from budaiscaler.kube.lease import Election
from controller.reconcile import Reconciler


@dataclass(frozen=True, slots=True, eq=False)  # registries hash collectors
class Figures(Collector):
    """Collects anew at each scrape; nothing is counted twice."""

    reconciler: Reconciler
    election: Election

    def collect(self) -> Iterable[Metric]:
        """What is exported."""
        info = GaugeMetricFamily("budaiscaler_build_info", "Version.", labels=("version",))
        info.add_metric((version("budaiscaler"),), 1)
        yield info
        yield GaugeMetricFamily(
            "budaiscaler_leader", "Whether this copy acts.", value=float(self.election.leading)
        )
        yield GaugeMetricFamily(
            "budaiscaler_owned_hpas",
            "HPAs that scalers made or took over.",
            value=sum(hpa.holder is not None for _, hpa in self.reconciler.hpas),
        )
        writer = self.reconciler.writer
        for name, text, value in (
            ("hpa_applies", "HPAs applied.", self.reconciler.keeper.applies),
            ("status_writes", "Statuses applied.", writer.writes),
            ("status_write_errors", "Statuses refused.", writer.errors),
            ("watch_restarts", "Watches that broke off.", self.reconciler.scalers.restarts),
        ):
            yield CounterMetricFamily(f"budaiscaler_{name}", text, value=value)
