"""Reports in a row about one scaler, each made from the status as the one before left it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain import readings
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.domain.readings import Observed
from budaiscaler.evaluator import reporting
from budaiscaler.evaluator.reporting import Report
from tests import samples
from tests.conftest import NOON

Told = list[tuple[str, str]]


@dataclass(slots=True)
class Reporter:
    """Keeps what was reported, and the events it was worth."""

    spec: ScalerSpec = field(default_factory=samples.spec)
    generation: int = 1
    now: datetime = NOON
    state: State = field(default_factory=State)
    status: dict[str, Any] = field(default_factory=dict)

    def decided(
        self,
        says: Mapping[str, float | Observed],
        *,
        current: int = 4,
        ready: int | None = None,
        unschedulable: int = 0,
        able: Condition | None = None,
        **seen_besides: Any,
    ) -> Told:
        """Report a decision 15 s later; gives type and reason of the events."""
        self.now += timedelta(seconds=15)
        seen = {
            name: readings.reading(float(said)) if isinstance(said, int | float) else said
            for name, said in says.items()
        }
        replicas = Replicas(current, current if ready is None else ready, unschedulable)
        observation = Observation(replicas, seen, **seen_besides)
        decision, self.state = decide(self.spec, observation, self.state, self.now)
        return self._take(
            reporting.of_decision(
                self.spec,
                self.generation,
                observation,
                decision,
                self.state,
                self.status,
                self.now,
                able=able,
            )
        )

    def failed(self, error: Exception, **besides: Any) -> Told:
        """Report a failure 15 s later."""
        self.now += timedelta(seconds=15)
        return self._take(
            reporting.of_failure(
                error, self.generation, self.state, self.status, self.now, **besides
            )
        )

    def edit(self, spec: ScalerSpec) -> None:
        """Another generation of the spec."""
        self.spec, self.generation = spec, self.generation + 1

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Status and reason of a condition."""
        for condition in self.status["conditions"]:
            if condition["type"] == kind:
                return condition["status"], condition["reason"]
        return None

    def source(self, index: int = 0) -> dict[str, Any]:
        """One entry of the sources, without what never changes."""
        entry = dict(self.status["sources"][index])
        del entry["name"], entry["metric"]
        return entry

    def _take(self, report: Report) -> Told:
        self.status = report.status
        return [(kind, reason) for kind, reason, _ in reporting.events(report.transitions)]
