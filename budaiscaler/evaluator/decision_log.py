"""Which decisions are worth a line of the log, and that line.

A change of the replicas is. What bound them is once it has done so for a minute: with a load that
wavers around a whole number it is another each time, and of a thousand scalers nobody reads that.
The line is then of the decision with which it began, and so it is where the replicas change before
the minute is over. A story that is made of the log counts its windows from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.sources import endpoints

PERSISTS = timedelta(minutes=1)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision and everything it was made of, so that it can be made again."""

    scaler: Scaler
    spec: ScalerSpec
    observation: Observation
    state: State
    decision: Decision
    now: datetime

    def write(self) -> None:
        """Log it as one line."""
        _log.info(
            "decision",
            namespace=self.scaler.namespace,
            name=self.scaler.name,
            generation=self.scaler.generation,
            now=self.now.isoformat(),
            spec=_without_secrets(self.spec),
            observation=dataclasses.asdict(self.observation),
            state=dataclasses.asdict(self.state),
            desired_replicas=self.decision.desired_replicas,
            desired_load=self.decision.desired_load,
            bound_by=self.decision.bound_by,
        )


@dataclass(slots=True)
class News:
    """Picks what is worth a line of the decisions on one scaler."""

    _told: Decision | None = None
    _begun: Entry | None = None

    def of(self, entry: Entry) -> Iterator[Entry]:
        """Take the next decision; gives what is to be logged by now, oldest first."""
        told, begun, decision = self._told, self._begun, entry.decision
        if told is None or decision.desired_replicas != told.desired_replicas:
            self._told, self._begun = decision, None
            if begun is not None:
                yield begun
            yield entry
        elif decision.bound_by == told.bound_by:
            self._begun = None
        elif begun is None or decision.bound_by != begun.decision.bound_by:
            self._begun = entry
        elif entry.now - begun.now >= PERSISTS:
            self._told, self._begun = decision, None
            yield begun


def _without_secrets(spec: ScalerSpec) -> dict[str, Any]:
    """A spec that decides the same: of a URL its place, and of headers their names."""
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    owners = [(one, "endpoint") for one in dumped["metricsSources"]]
    for owner, field in [*owners, (dumped.get("gpuConfig") or {}, "dcgmEndpoint")]:
        if owner.get(field):
            full = endpoints.complete(owner[field])
            owner[field] = endpoints.origin(full) if full is not None else "?"
        if owner.get("headers"):
            owner["headers"] = dict.fromkeys(owner["headers"], "")
    return dumped
