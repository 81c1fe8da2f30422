"""What is kept of a pod: whether it serves, and how long it took to start.

A start is what was seen of it: from a pod that was never told ready yet to its first readiness. The
readiness of a pod that we meet ready, or not ready any more, began with its start or with a probe
that failed for a moment, and nobody can tell: a leader that measured those took one lost packet of
a node for a start of an hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain import deletion_costs, times
from budaiscaler.domain.api import quantity
from budaiscaler.domain.capacity import Obstacle, Shortage
from budaiscaler.domain.errors import QuantityError
from budaiscaler.kube.port import Json

LONGEST_START_S = 3600.0
"""A pod that took longer waited for something else: no model loads for an hour."""

_OWNERS = frozenset({("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet")})
"""Pods of anything else, such as jobs, belong to no workload that is counted by its pods."""


Resources = tuple[float | None, float | None]
"""CPU in cores and memory in bytes; None where it is not told."""


@dataclass(frozen=True, slots=True)
class Pod:
    """What is kept of a pod.

    Attributes:
        name: in the namespace of its workload.
        ip: address; empty before it has one.
        node: where it runs; empty before it is placed.
        ports: number by name of the containers' ports; each name once.
        requests: over its containers and sidecars; None when one of them has none.
        ready_since: seconds since the epoch; None while not ready.
        starting: it was seen before it could have been ready, and is not ready yet.
        startup_s: seconds from creation to first readiness; None where that was not seen.
        shortage: why it is on no node, and since when; None while nothing keeps it from one.
        deletion_cost: as its annotation has it; None without one.
    """

    uid: str
    name: str
    owner_uid: str
    ip: str
    node: str
    ports: tuple[tuple[str, int], ...]
    requests: Resources
    ready_since: float | None
    ready: bool
    unschedulable: bool
    starting: bool
    startup_s: float | None
    shortage: Shortage | None = None
    deletion_cost: str | None = None


def project_pod(raw: Json, old: Pod | None) -> Pod | None:
    """Keep a live pod of a workload."""
    owner = controller(raw["metadata"])
    if (owner.get("apiVersion"), owner.get("kind")) not in _OWNERS or not is_live(raw):
        return None
    return read_pod(raw, owner["uid"], old)


def read_pod(raw: Json, owner_uid: str = "", old: Pod | None = None) -> Pod:
    """Keep what is needed of a live pod; `old` is what was kept of the one of that name."""
    uid, ready = raw["metadata"]["uid"], is_ready(raw)
    status, spec = raw.get("status", {}), raw.get("spec", {})
    before = old if old is not None and old.uid == uid else None
    startup_s = before.startup_s if before is not None else None
    if ready and before is not None and before.starting:
        startup_s = _startup_s(raw)
    return Pod(
        uid=uid,
        name=raw["metadata"].get("name", ""),
        owner_uid=owner_uid,
        ip=status.get("podIP") or "",
        node=spec.get("nodeName") or "",
        ports=tuple(_ports(spec)),
        requests=_requests(spec),
        ready_since=_since(raw) if ready else None,
        ready=ready,
        unschedulable=is_unschedulable(raw),
        starting=not ready and (before.starting if before else not _condition(raw, "Ready")),
        startup_s=startup_s,
        shortage=_shortage(raw) if is_unschedulable(raw) else None,
        deletion_cost=(raw["metadata"].get("annotations") or {}).get(deletion_costs.ANNOTATION),
    )


def is_live(raw: Json) -> bool:
    """Whether a pod may serve; finished and terminating ones do not."""
    phase = raw.get("status", {}).get("phase")
    return not raw["metadata"].get("deletionTimestamp") and phase not in {"Succeeded", "Failed"}


def is_ready(raw: Json) -> bool:
    """Whether a pod is told to be ready."""
    return _condition(raw, "Ready").get("status") == "True"


def is_unschedulable(raw: Json) -> bool:
    """Whether no node has room, or a gate keeps it waiting: nobody knows for how long."""
    return _condition(raw, "PodScheduled").get("status") == "False"


def controller(metadata: Json) -> Json:
    """The reference to what controls an object; empty when nothing does."""
    for reference in metadata.get("ownerReferences") or ():
        if reference.get("controller"):
            found: Json = reference
            return found
    return {}


def _running(spec: Json) -> Iterator[Json]:
    """Containers that run as long as the pod does: a sidecar is an init container that stays."""
    yield from spec.get("containers") or ()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            yield container


def _ports(spec: Json) -> Iterable[tuple[str, int]]:
    """Find them as a Service does: by TCP, and of several with one name the first."""
    numbers: dict[str, int] = {}
    for container in _running(spec):
        for port in container.get("ports") or ():
            if port.get("name") and port.get("protocol", "TCP") == "TCP":
                numbers.setdefault(port["name"], int(port["containerPort"]))
    return numbers.items()


def _requests(spec: Json) -> Resources:
    """Sum as the HPA controller does: what one container does not tell, the pod does not tell."""
    whole = (spec.get("resources") or {}).get("requests") or {}
    asked = [
        (container.get("resources") or {}).get("requests") or {} for container in _running(spec)
    ]

    def total(resource: str) -> float | None:
        found = [whole[resource]] if resource in whole else [one.get(resource) for one in asked]
        try:
            return sum(quantity.parse(str(one)) for one in found) if found else None
        except QuantityError:  # None is none either
            return None

    return total("cpu"), total("memory")


def _shortage(raw: Json) -> Shortage:
    told = _condition(raw, "PodScheduled")
    message = str(told.get("message") or told.get("reason") or "")
    return Shortage(Obstacle.UNSCHEDULABLE, times.parse(told.get("lastTransitionTime")), message)


def _since(raw: Json) -> float | None:
    moment = times.parse(_condition(raw, "Ready").get("lastTransitionTime"))
    return moment.timestamp() if moment is not None else None


def _startup_s(raw: Json) -> float | None:
    """Seconds from creation to readiness; a pod that restarted on the way tells nothing of it."""
    containers = raw["status"].get("containerStatuses") or ()
    created = times.parse(raw["metadata"].get("creationTimestamp"))
    became_ready = times.parse(_condition(raw, "Ready").get("lastTransitionTime"))
    restarted = any(container.get("restartCount", 0) for container in containers)
    if restarted or created is None or became_ready is None:
        return None
    startup_s = max(0.0, (became_ready - created).total_seconds())
    return startup_s if startup_s <= LONGEST_START_S else None


def _condition(raw: Json, kind: str) -> dict[str, Any]:
    for condition in raw.get("status", {}).get("conditions") or ():
        if condition["type"] == kind:
            found: dict[str, Any] = condition
            return found
    return {}
