"""An HPA and its workload, sync after sync, by our model of Kubernetes' HPA controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain import readings
from budaiscaler.domain.algorithms import hpa_controller, hpa_controller_spec
from budaiscaler.domain.algorithms.hpa_controller import HpaState, Sync
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.readings import Observed
from tests.conftest import NOON

Json = Mapping[str, Any]


def external(target: str = "1", kind: str = "AverageValue", name: str = "desired-load") -> Json:
    """An External metric."""
    field_name = "averageValue" if kind == "AverageValue" else "value"
    return {
        "type": "External",
        "external": {"metric": {"name": name}, "target": {"type": kind, field_name: target}},
    }


def cpu(percent: int = 80) -> Json:
    """A Resource metric with a target of its requests."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def pods(target: str = "10", name: str = "queue") -> Json:
    """A Pods metric."""
    average = {"type": "AverageValue", "averageValue": target}
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": average}}


def described(target: str, kind: str = "Value") -> Json:
    """An Object metric."""
    field_name = "averageValue" if kind == "AverageValue" else "value"
    return {
        "type": "Object",
        "object": {
            "metric": {"name": "requests"},
            "describedObject": {"kind": "Service", "name": "front"},
            "target": {"type": kind, field_name: target},
        },
    }


def instantly(**fields: Any) -> Json:
    """A behaviour that neither waits nor limits."""
    policies = [{"type": "Percent", "value": 10_000, "periodSeconds": 15}]
    rules = {"stabilizationWindowSeconds": 0, "policies": policies, **fields}
    return {
        "scaleUp": rules,
        "scaleDown": {**rules, "policies": [{**policies[0], "value": 100}]},
    }


def raw(*metrics: Json, **fields: Any) -> Json:
    """The spec of an HPA from 1 to 100 replicas."""
    return {
        "minReplicas": 1,
        "maxReplicas": 100,
        "metrics": list(metrics or (external(),)),
        **fields,
    }


@dataclass(slots=True)
class World:
    """Remembers the state and the time between syncs; what is desired stands at the next one."""

    spec: Json
    current: int
    keeps_tolerance: bool = True
    now: datetime = NOON
    state: HpaState = field(default_factory=HpaState)

    def sync(
        self,
        *says: float | Observed,
        ready: int | None = None,
        status: int | None = None,
        after_s: float = 15,
    ) -> Sync:
        """Sync `after_s` later; all replicas are there and ready unless told."""
        self.now += timedelta(seconds=after_s)
        stands = self.current
        scale = Scale(
            stands, stands if status is None else status, stands if ready is None else ready
        )
        told = [
            readings.reading(float(one)) if isinstance(one, int | float) else one for one in says
        ]
        done, self.state = hpa_controller.sync(
            hpa_controller_spec.read(self.spec),
            scale,
            told,
            self.state,
            self.now,
            keeps_tolerance=self.keeps_tolerance,
        )
        self.current = done.desired
        return done


def reason(done: Sync, kind: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    (found,) = (one for one in done.conditions if one.type == kind)
    return found.status, found.reason
