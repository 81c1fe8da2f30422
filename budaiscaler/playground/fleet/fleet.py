"""The servers of one workload, among which requests are shared, and what they cost and achieve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from budaiscaler.playground.fleet.engine import Engine, Hardware, Shape

TARGET_FIRST_TOKEN_S = 3.0
TARGET_PER_TOKEN_S = 0.1
"""Above either, those who wait are not served as they were promised."""


SETTLING_S = 120
"""Longer than any request takes where the servers are enough."""


@dataclass(slots=True)
class Account:
    """What a workload cost, and how it served.

    Attributes:
        replica_s: seconds of replicas, paid from the order to the end: pods that start or that
            drain cost as much as others.
        over_target_s: seconds in which requests were over the latency target.
        replicas_min: fewest replicas that were asked for.
        replicas_max: most of them.
        replicas_last: those asked for last.
        rescales: how often others were asked for than before.
    """

    replica_s: float = 0.0
    over_target_s: float = 0.0
    replicas_min: int | None = None
    replicas_max: int | None = None
    replicas_last: int | None = None
    rescales: int = 0

    @property
    def replica_hours(self) -> float:
        """The same in hours."""
        return self.replica_s / 3600

    @property
    def over_target_minutes(self) -> float:
        """The same in minutes."""
        return self.over_target_s / 60

    def cost(self, price_per_hour: float) -> float:
        """Dollars, at a price of one replica for an hour."""
        return self.replica_hours * price_per_hour

    def note(self, *, asked: int, paid: int, is_over: bool, for_s: float) -> None:
        """Add `for_s` seconds with so many replicas asked for, and so many pods paid for."""
        self.replica_s += paid * for_s
        self.over_target_s += for_s if is_over else 0.0
        self.replicas_min = asked if self.replicas_min is None else min(asked, self.replicas_min)
        self.replicas_max = asked if self.replicas_max is None else max(asked, self.replicas_max)
        self.rescales += self.replicas_last not in (None, asked)
        self.replicas_last = asked


@dataclass(slots=True)
class Fleet:
    """Servers by the name of their pod.

    Requests go to all of them in equal shares. Those that a server leaves behind come again, to the
    others; while there is no server they wait at the door.

    Attributes:
        shape: of requests.
        hardware: that each server runs on.
        engines: by name.
        starting: those that are not sent anything yet, by name.
        at_the_door: requests that no server has taken yet.
    """

    shape: Shape = field(default_factory=Shape)
    hardware: Hardware = field(default_factory=Hardware)
    engines: dict[str, Engine] = field(default_factory=dict)
    starting: dict[str, Engine] = field(default_factory=dict)
    at_the_door: float = 0.0

    def follow(self, names: Collection[str], starting: Collection[str] = ()) -> None:
        """Have servers of those names and no others; those that start get nothing yet."""
        for name in self.engines.keys() - set(names):
            gone = self.engines.pop(name)
            self.at_the_door += gone.waiting + gone.running
        for name in names:
            if name not in self.engines:
                ready = self.starting.pop(name, None)
                self.engines[name] = ready or Engine(self.shape, self.hardware)
        self.starting = {
            name: self.starting.get(name) or Engine(self.shape, self.hardware) for name in starting
        }

    def engine(self, name: str) -> Engine | None:
        """The server of that name, ready or not."""
        return self.engines.get(name) or self.starting.get(name)

    def step(self, arrivals: float, for_s: float) -> None:
        """Let `for_s` seconds pass, in which so many requests come."""
        self.at_the_door += arrivals
        if not self.engines:
            return
        share, self.at_the_door = self.at_the_door / len(self.engines), 0.0
        for engine in self.engines.values():
            engine.step(share, for_s)

    def settle(self, requests_per_s: float) -> None:
        """Let the servers be as after some minutes of such a rate."""
        for _ in range(SETTLING_S):
            self.step(requests_per_s, 1.0)

    @property
    def in_flight(self) -> float:
        """Requests sent and not answered."""
        return self.at_the_door + sum(e.waiting + e.running for e in self.engines.values())

    @property
    def first_token_s(self) -> float:
        """Longest wait for a first token at any server now; endless where there is none."""
        if not self.engines:
            return float("inf") if self.at_the_door else 0.0
        return max(engine.latency.first_token_s for engine in self.engines.values())

    @property
    def is_over_target(self) -> bool:
        """Whether somebody is not served as promised."""
        return self.first_token_s > TARGET_FIRST_TOKEN_S or any(
            engine.latency.per_token_s > TARGET_PER_TOKEN_S for engine in self.engines.values()
        )
