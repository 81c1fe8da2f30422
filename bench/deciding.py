"""One decision: what the pure core takes for a BudScaler with three sources and a schedule.

`python -m bench.deciding`
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from budaiscaler.domain.api import validation
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.domain.readings import Reading

INTERVAL = timedelta(seconds=15)
WARM_UP = 500
"""Decisions before any is measured: two hours, after which every window is full."""
DECISIONS = 4000
START = datetime(2026, 1, 5, 7, tzinfo=UTC)
"""A Monday, so that the schedule is met within the warm-up."""
SOURCES = ("cache", "waiting", "running")
SPEC = {
    "scaleTargetRef": {"name": "chat"},
    "minReplicas": 2,
    "maxReplicas": 50,
    "metricsSources": [
        {
            "targetMetric": name,
            "targetValue": "10",
            "inferenceEngineConfig": {"engineType": "vllm", "metricsPort": 8000},
        }
        for name in SOURCES
    ],
    "scheduleHints": [
        {
            "name": "business-hours",
            "cronExpression": "0 8 * * 1-5",
            "targetReplicas": 8,
            "duration": "12h",
            "timeZone": "Europe/Berlin",
        }
    ],
    "behavior": {
        "scaleUp": {"policies": [{"type": "Percent", "value": 100, "periodSeconds": 60}]},
        "scaleDown": {
            "stabilizationWindowSeconds": 300,
            "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
        },
    },
}


@dataclass(frozen=True, slots=True)
class Took:
    """Of one decision, in microseconds."""

    median_us: float
    p99_us: float


def measure(strategy: Strategy = Strategy.BUD_SCALER) -> Took:
    """Decide for a workload whose load moves, and which follows at once."""
    spec = validation.parse_spec({**SPEC, "scalingStrategy": str(strategy)})
    took_s = list(_decisions(spec))[WARM_UP:]
    return Took(statistics.median(took_s) * 1e6, statistics.quantiles(took_s, n=100)[98] * 1e6)


def _decisions(spec: ScalerSpec) -> Iterator[float]:
    source, state, now, replicas = random.Random(7), State(), START, 8
    gc.collect()
    for _ in range(WARM_UP + DECISIONS):
        readings = {
            name: Reading(source.uniform(5, 20), 0.5, replicas, replicas) for name in SOURCES
        }
        seen = Observation(Replicas(replicas, replicas), readings, startup_p95_s=90.0)
        began_s = time.perf_counter()
        decision, state = decide(spec, seen, state, now)
        yield time.perf_counter() - began_s
        replicas, now = decision.desired_replicas, now + INTERVAL


if __name__ == "__main__":
    for one in Strategy:
        took = measure(one)
        print(f"{one}: median {took.median_us:.0f} us, p99 {took.p99_us:.0f} us")
