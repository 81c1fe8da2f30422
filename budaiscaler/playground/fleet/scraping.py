"""What a Prometheus has of the servers of a workload: means over its pods, a scrape old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.playground.fleet.fleet import Fleet

EVERY_S = 15.0
_NOTHING = NoData(NoDataReason.UNREACHABLE, "the last scrape brought no metrics")


@dataclass(slots=True)
class Scraper:
    """Scrapes one workload.

    Attributes:
        fleet: its servers.
        every_s: from one scrape to the next.
    """

    fleet: Fleet
    every_s: float = EVERY_S
    _means: Mapping[str, float] = field(default_factory=dict)
    _pods: int = 0
    _next_s: float = 0.0

    def look(self, at_s: float, *, is_broken: bool) -> None:
        """Scrape, if it is time to.

        Args:
            at_s: time, in seconds that only grow.
            is_broken: whether the metrics cannot be had.
        """
        if at_s < self._next_s:
            return
        self._next_s = at_s + self.every_s
        engines = () if is_broken else tuple(self.fleet.engines.values())
        self._pods = len(engines)
        self._means = (
            {
                "requests_running": sum(one.running for one in engines) / len(engines),
                "requests_waiting": sum(one.waiting for one in engines) / len(engines),
            }
            if engines
            else {}
        )

    def read(self, metric: str) -> Observed:
        """The mean of a metric over the pods that were there at the last scrape, and still are."""
        if metric not in self._means:
            return _NOTHING
        return Reading(self._means[metric], answered=min(self._pods, len(self.fleet.engines)))
