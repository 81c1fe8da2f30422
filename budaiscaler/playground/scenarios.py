"""What happens in a demo: traffic, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from budaiscaler.playground.traffic import rates
from budaiscaler.playground.traffic.rates import Rate

MINUTE_S = 60.0

PRICE_PER_HOUR = 12.0
"""Dollars for one replica, four GPUs, for an hour: of the order of what clouds ask for it."""


class Incident(StrEnum):
    """Something that goes wrong, or is done, at once."""

    BREAK_METRICS = "every server answers errors instead of its metrics"
    MEND_METRICS = "the metrics are back"
    KILL_POD = "a pod is killed"
    LOSE_PODS = "the spot market takes half of the pods"
    ROLL_OUT = "a new image is rolled out"


@dataclass(frozen=True, slots=True)
class Recurring:
    """An incident that comes again and again.

    Attributes:
        at_s: the first time, in seconds of the story.
        every_s: from one to the next.
    """

    incident: Incident
    at_s: float
    every_s: float

    def is_at(self, second: int) -> bool:
        """Whether it happens in that second of the story."""
        since_s = second - int(self.at_s)
        return since_s >= 0 and since_s % int(self.every_s) == 0


Fields = Callable[[datetime], dict[str, Any]]
"""Fields of the scalers' spec, given when the story begins."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of them.

    Attributes:
        name: by which it is asked for.
        about: what there is to see, in a sentence.
        speed: unless another is asked for.
        rate: traffic, by seed.
        incidents: what goes wrong.
        fields: of the scalers beside sources and bounds.
    """

    name: str
    about: str
    speed: float
    rate: Callable[[int], Rate]
    incidents: tuple[Recurring, ...] = ()
    fields: Fields = lambda _: {}

    def at(self, second: int) -> Iterator[Incident]:
        """What happens in that second of the story."""
        return (one.incident for one in self.incidents if one.is_at(second))


def _bursts(seed: int) -> Rate:
    return rates.bursts(8.0, every_s=15 * MINUTE_S, height=24.0, seed=seed)


def _daily(begins_at: datetime) -> dict[str, Any]:
    """A floor each day, from five minutes into the story on for half an hour."""
    at = begins_at + timedelta(minutes=5)
    hint = {
        "name": "morning",
        "cronExpression": f"{at.minute} {at.hour} * * *",
        "targetReplicas": 10,
        "duration": "30m",
    }
    return {"scheduleHints": [hint]}


def _budget(_: datetime) -> dict[str, Any]:
    cost = {"enabled": True, "budgetPerHour": f"{6 * PRICE_PER_HOUR:.2f}"}
    return {"costConfig": cost}


SCENARIOS: dict[str, Scenario] = {
    one.name: one
    for one in (
        Scenario(
            "burst",
            "crowds come at once, and a replica takes minutes to start",
            10.0,
            _bursts,
        ),
        Scenario(
            "diurnal",
            "a day, from its lowest at four in the night to its highest twelve hours later",
            300.0,
            lambda _: rates.diurnal(4.0, 50.0),
        ),
        Scenario(
            "outage",
            "the metrics break for six minutes while traffic goes on: nothing may shrink",
            10.0,
            lambda _: rates.steady(30.0),
            (
                Recurring(Incident.BREAK_METRICS, 5 * MINUTE_S, 20 * MINUTE_S),
                Recurring(Incident.MEND_METRICS, 11 * MINUTE_S, 20 * MINUTE_S),
            ),
        ),
        Scenario(
            "spot-loss",
            "half of the pods go at once: what is left must not be taken for low load",
            10.0,
            lambda _: rates.steady(30.0),
            (Recurring(Incident.LOSE_PODS, 6 * MINUTE_S, 20 * MINUTE_S),),
        ),
        Scenario(
            "rollout",
            "a new image replaces all pods: those on top for a while change nothing",
            10.0,
            lambda _: rates.steady(25.0),
            (Recurring(Incident.ROLL_OUT, 5 * MINUTE_S, 20 * MINUTE_S),),
        ),
        Scenario(
            "budget",
            "crowds that cost more than there is: the cost is counted, and not yet held down",
            10.0,
            _bursts,
            fields=_budget,
        ),
        Scenario(
            "schedule",
            "a crowd that is known beforehand: ten replicas from the fifth minute on",
            10.0,
            lambda _: lambda at_s: 8.0 + rates.Burst(8 * MINUTE_S, 30.0).rate(at_s),
            fields=_daily,
        ),
    )
}
"""By name."""
