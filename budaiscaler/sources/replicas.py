"""From numbers of pods to numbers of replicas: whose pods count, and how many should answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.base import Sample


def ready_pods(workload: Workload) -> tuple[Pod, ...] | NoData:
    """The pods that may answer: ready ones of this workload, whatever else has their labels."""
    if not workload.selector:
        message = (
            "the target's scale has no selector, so nobody knows its pods: use a source of type "
            "prometheus or external"
        )
        return NoData(NoDataReason.PODS_UNKNOWN, message)
    ready = tuple(pod for pod in workload.pods if pod.ready)
    if not ready:
        return NoData(NoDataReason.NO_READY_PODS, "no pod of the workload is ready")
    return ready


def sample(values: Sequence[float], ready: int, size: int, now_s: float) -> Sample | NoData:
    """Make one value a replica of one value a pod.

    Which pods make a replica is not known where it is several; so each gets its share of the whole.

    Args:
        values: of the pods that answered; one at least.
        ready: pods that should have.
        size: pods of a replica.
        now_s: monotonic time.
    """
    if (lowest := min(values)) < 0:
        message = f"a pod has the value {lowest:g}; a load cannot be negative"
        return NoData(NoDataReason.NEGATIVE, message)
    if size == 1:
        return Sample(tuple(values), now_s, answered=len(values), of=ready)
    answered, of = whole(len(values), size), whole(ready, size)
    share = math.fsum(values) / len(values) * size
    return Sample((share,) * answered, now_s, answered=answered, of=of)


def whole(pods: int, size: int) -> int:
    """Replicas that so many pods make, one at least."""
    return max(1, pods // size)
