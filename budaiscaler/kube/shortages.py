"""Why replicas have no place: read off pods, and off what makes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from budaiscaler.domain import times
from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.port import Json

QUOTA = "exceeded quota"
"""What the admission of quotas says in its refusals, which have no code of their own."""


def of_pods(pods: Iterable[Pod]) -> Iterator[Shortage]:
    """Tell why each pod that is on no node is on none."""
    return (pod.shortage for pod in pods if pod.shortage is not None)


def refusal(status: Json) -> Shortage | None:
    """Read why pods are not made: a ReplicaSet tells, a StatefulSet does not."""
    for condition in status.get("conditions") or ():
        is_refused = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        if is_refused and condition.get("reason") == Obstacle.FAILED_CREATE:
            message = str(condition.get("message") or "")
            is_quota = QUOTA in message
            obstacle = Obstacle.QUOTA_EXCEEDED if is_quota else Obstacle.FAILED_CREATE
            since = times.parse(condition.get("lastTransitionTime"))
            return Shortage(obstacle, since, message)
    return None
