"""What a plain HPA makes of the same traffic: a second cluster that is nothing but arithmetic.

It is what most begin with: an HPA with the stock behaviour on the same two figures of the pods with
the same targets, through Prometheus and its adapter, so that what it reads is a scrape old. Pods
start as slowly as the others, and cost as much. Everything in it goes by the time it is told, so
that the same seed gives the same numbers, whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from budaiscaler.domain.algorithms import hpa_controller
from budaiscaler.domain.algorithms.hpa_controller import HpaState
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.algorithms.hpa_controller_spec import SYNC_PERIOD_S, HpaSpec
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.playground.cluster import rollouts
from budaiscaler.playground.cluster.rollouts import Part
from budaiscaler.playground.cluster.starts import Starts
from budaiscaler.playground.fleet.fleet import Account, Fleet

SCRAPE_S = 15.0
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_BROKEN = NoData(NoDataReason.UNREACHABLE, "the metrics are broken")


@dataclass(slots=True)
class _Pod:
    revision: int
    ready_at_s: float


@dataclass(slots=True)
class Twin:
    """A workload, its pods, and its HPA.

    Attributes:
        spec: of the HPA; its metrics are `requests_running` and `requests_waiting` of the pods.
        starts: how long pods take to be ready.
        fleet: the servers in the pods that are ready.
        account: what they cost, and how they serve.
        asked: replicas asked for.
        is_broken: whether the metrics cannot be had.
        rescales: how often replicas changed.
        at_s: seconds that have passed.
    """

    spec: HpaSpec
    starts: Starts
    fleet: Fleet
    asked: int
    account: Account = field(default_factory=Account)
    is_broken: bool = False
    rescales: int = 0
    at_s: float = 0.0
    _pods: dict[str, _Pod] = field(default_factory=dict)
    _revision: int = 0
    _made: int = 0
    _state: HpaState = field(default_factory=HpaState)
    _scraped: Mapping[str, float] | None = None
    _scraped_pods: int = 0
    _next_scrape_s: float = 0.0
    _next_sync_s: float = SYNC_PERIOD_S / 2

    def __post_init__(self) -> None:
        self._make(self.asked, at_once=True)

    def settle(self, requests_per_s: float) -> None:
        """Have requests come as at the beginning, before anything is counted."""
        self.fleet.follow(self._ready())
        self.fleet.settle(requests_per_s)

    def step(self, arrivals: float, for_s: float) -> None:
        """Let `for_s` seconds pass, in which so many requests come."""
        self._sync_if_due()
        self._follow_replicas()
        self.fleet.follow(self._ready())
        self.fleet.step(arrivals, for_s)
        self._scrape_if_due()
        self.account.note(
            asked=self.asked,
            paid=len(self._pods),
            is_over=self.fleet.is_over_target,
            for_s=for_s,
        )
        self.at_s += for_s

    def lose(self, count: int) -> None:
        """Take that many of the oldest pods away at once, as a spot market does."""
        for name in list(self._pods)[:count]:
            del self._pods[name]

    def roll_out(self) -> None:
        """Give the pods another template."""
        self._revision += 1

    @property
    def ready(self) -> int:
        """Pods that serve."""
        return len(self._ready())

    def _ready(self) -> list[str]:
        return [name for name, pod in self._pods.items() if pod.ready_at_s <= self.at_s]

    def _make(self, count: int, *, at_once: bool = False) -> None:
        for _ in range(count):
            takes_s = 0.0 if at_once else self.starts.of(self._made)
            self._pods[f"pod-{self._made}"] = _Pod(self._revision, self.at_s + takes_s)
            self._made += 1

    def _follow_replicas(self) -> None:
        of_revision: dict[int, list[str]] = {}
        for name, pod in self._pods.items():
            of_revision.setdefault(pod.revision, []).append(name)
        ready = set(self._ready())
        parts = {
            revision: Part(str(revision), len(names), len(ready.intersection(names)))
            for revision, names in of_revision.items()
        }
        newest = parts.pop(self._revision, Part(str(self._revision), 0, 0))
        wanted = rollouts.sizes(self.asked, newest, [parts[number] for number in sorted(parts)])
        for revision, names in of_revision.items():
            excess = len(names) - wanted.get(str(revision), 0)
            # As a ReplicaSet does: those that are not ready first, then the youngest.
            for name in sorted(names, key=lambda one: (one in ready, -names.index(one)))[
                : max(0, excess)
            ]:
                del self._pods[name]
        self._make(max(0, wanted[newest.name] - newest.size))

    def _scrape_if_due(self) -> None:
        if self.at_s < self._next_scrape_s:
            return
        self._next_scrape_s += SCRAPE_S
        engines = list(self.fleet.engines.values())
        self._scraped_pods = len(engines)
        self._scraped = (
            {
                "requests_running": sum(one.running for one in engines) / len(engines),
                "requests_waiting": sum(one.waiting for one in engines) / len(engines),
            }
            if engines and not self.is_broken
            else None
        )

    def _sync_if_due(self) -> None:
        if self.at_s < self._next_sync_s:
            return
        self._next_sync_s += SYNC_PERIOD_S
        scale = Scale(self.asked, len(self._pods), self.ready)
        now = _EPOCH + timedelta(seconds=self.at_s)
        readings = [self._reading(metric.name) for metric in self.spec.metrics]
        done, self._state = hpa_controller.sync(self.spec, scale, readings, self._state, now)
        self.rescales += done.desired != self.asked
        self.asked = done.desired

    def _reading(self, name: str) -> Observed:
        if self._scraped is None:
            return _BROKEN
        return Reading(self._scraped[name], answered=min(self._scraped_pods, self.ready))
