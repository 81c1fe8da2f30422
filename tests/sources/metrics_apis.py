"""Workloads as an evaluation hands them to a source, and the metrics APIs of a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.errors import KubeUnreachableError, status_error
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod, Resources
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.base import Sample, SourceRequest

SELECTOR = "app=chat"
DOWN = status_error(503, "ServiceUnavailable", "hunter2")
"""What is told of a server behind the API server that is not there."""
ABSENT = status_error(404, "NotFound", "hunter2")


def pod(
    name: str,
    *,
    ready: bool = True,
    ready_since: float | None = None,
    requests: Resources = (0.1, 1024.0),
) -> Pod:
    """A pod that requests a tenth of a core and a KiB."""
    return Pod(
        uid=name,
        name=name,
        owner_uid="set",
        ip="10.0.0.1",
        node="node",
        ports=(),
        requests=requests,
        ready_since=ready_since,
        ready=ready,
        unschedulable=False,
        starting=False,
        startup_s=None,
    )


def workload(*pods: Pod, size: int = 1, selector: str = SELECTOR) -> Workload:
    """A workload of these pods, `size` of which are a replica."""
    ready = sum(pod.ready for pod in pods) // size
    return Workload(
        Replicas(len(pods) // size, ready), (), pods, pods_per_replica=size, selector=selector
    )


def request(of: Workload, source: Json, *, max_age_s: float = 0.0) -> SourceRequest:
    """A source of a scaler in namespace `ml`."""
    return SourceRequest("ml", MetricsSource.model_validate(source), max_age_s, of)


FAILURES = [
    pytest.param(
        status_error(403, "Forbidden", "hunter2"),
        NoDataReason.HTTP_ERROR,
        "give our ServiceAccount that right",
        id="forbidden",
    ),
    pytest.param(DOWN, NoDataReason.HTTP_ERROR, "check the server behind it", id="down"),
    pytest.param(
        KubeUnreachableError("hunter2"),
        NoDataReason.UNREACHABLE,
        "the API server did not answer",
        id="no-api-server",
    ),
]
"""How any of the APIs may fail, the reason that is told, and words of it."""


def refused(found: Sample | NoData, reason: NoDataReason, words: str) -> None:
    """Check why there is no data, and that no answer of a server stands in it."""
    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message
    assert "hunter2" not in found.message


def usage(
    name: str, *containers: Json, at: Any = "2026-01-05T12:00:00Z", window: str = "30s", app: str
) -> Json:
    """A `PodMetrics`."""
    return {
        "metadata": {"name": name, "namespace": "ml", "labels": {"app": app}},
        "timestamp": at,
        "window": window,
        "containers": [{"name": str(i), "usage": used} for i, used in enumerate(containers)],
    }
