"""What a demo is asked to show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from budaiscaler.playground.scenarios import SCENARIOS, Scenario
from budaiscaler.playground.traffic.traces import Trace

START_UP_S = 60.0
"""Of a pod; a large model takes minutes."""


@dataclass(frozen=True, slots=True)
class Options:
    """Everything.

    Attributes:
        scenario: what happens.
        speed: seconds of the story in a real one.
        seed: what chance begins with.
        start_up_s: how long a pod takes to load its model, typically.
        trace: traffic instead of the scenario's.
        duration_s: real seconds after which it ends; None for when it is told to.
        export: where to write down what is shown; None for nowhere.
        directory: where its files go, until it ends.
    """

    directory: Path
    scenario: Scenario = SCENARIOS["burst"]
    speed: float = 10.0
    seed: int = 1
    start_up_s: float = START_UP_S
    trace: Trace | None = None
    duration_s: float | None = None
    export: Path | None = None
