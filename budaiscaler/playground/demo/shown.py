"""What a demo shows: its manifests and its traffic, by what was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from budaiscaler.kube.port import Json
from budaiscaler.playground import manifests
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.fleet.engine import Engine, Shape
from budaiscaler.playground.fleet.fleet import SETTLING_S
from budaiscaler.playground.manifests import SCALERS, TWIN
from budaiscaler.playground.traffic.rates import Rate
from budaiscaler.playground.traffic.traces import Trace

PEAK_SHARE = 0.6
"""Of maxReplicas, that the peak of a trace needs."""
COMFORT = 0.7
"""Of what a replica can serve within the latency target."""
BUSY = 0.845
"""Of the same, that a replica has at its targets."""
LEAST_REPLICAS = 2


def objects(options: Options, fields: Mapping[str, Any]) -> list[Json]:
    """The manifests of what is shown: a workload and a scaler for each strategy.

    Args:
        options: what is shown.
        fields: of the scalers' spec, beside sources and bounds.
    """
    replicas, of_one = first_replicas(options), targets(options)
    return [
        body
        for name, strategy in SCALERS.items()
        for body in (
            manifests.deployment(name, replicas),
            manifests.scaler(name, strategy, of_one, **fields),
        )
    ]


def twin(options: Options) -> list[Json]:
    """What stands beside it: the same workload under a plain HPA."""
    replicas = first_replicas(options)
    return [manifests.deployment(TWIN, replicas), manifests.plain_hpa(targets(options))]


def targets(options: Options) -> dict[str, int]:
    """Targets of one replica: what a server tells of itself when it has as much as it should."""
    _, shape = traffic(options)
    engine = Engine(shape)
    for _ in range(SETTLING_S):
        engine.step(BUSY * shape.served_per_s(), 1.0)
    running = max(2, round(engine.running))
    return {"requests_running": running, "requests_waiting": running // 2}


def first_replicas(options: Options) -> int:
    """Replicas that serve the first requests well, so that a story begins quietly."""
    rate, shape = traffic(options)
    needed = math.ceil(rate(0.0) / (COMFORT * shape.served_per_s()))
    return min(max(LEAST_REPLICAS, needed), manifests.MOST_REPLICAS)


def traffic(options: Options) -> tuple[Rate, Shape]:
    """The rate of requests and their lengths: those of the scenario, or of a trace.

    A trace of a large service is thinned until its peak needs a good half of the most replicas.
    """
    trace = options.trace
    if trace is None:
        return options.scenario.rate(options.seed), Shape()
    return trace.rate(share(trace)), trace.shape


def share(trace: Trace) -> float:
    """The share of a trace's requests that is replayed."""
    most_per_s = PEAK_SHARE * manifests.MOST_REPLICAS * trace.shape.served_per_s()
    return min(1.0, most_per_s / trace.peak_per_s)
