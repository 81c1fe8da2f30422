"""Which pods are to go first when a workload shrinks: those that have the least to do.

Kubernetes' ReplicaSet controller takes pods away in an order in which pods that are not ready come
first, and of the ready ones those with the lowest deletion cost. Without a cost it prefers young
ones, whatever they work on. A lost pod of an inference engine takes its running requests and its
cache with it, so it matters which goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
MARK = "-1000000"
"""The cost that we write, and know as ours: pods with any other are somebody else's to order."""

MOST_WRITES = 32
"""Pods written for one scale-down. Of a hundred that go, it is enough that the idlest are named."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pod that may go.

    Attributes:
        cost: as its annotation has it; None without one.
        load: what it has to do, of any unit that is the same for all; None where nobody knows.
    """

    name: str
    ready: bool
    cost: str | None
    load: float | None


@dataclass(frozen=True, slots=True)
class Marks:
    """What to write: names of pods that get our mark, and of those that lose it."""

    mark: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()


def choose(pods: Iterable[Candidate], going: int) -> Marks:
    """Choose the pods that are to go.

    A pod whose load is not known is not named. A mark that an earlier scale-down left behind would
    name a pod that may be busy by now, so it is taken away.

    Args:
        pods: all live ones of the workload.
        going: how many replicas fewer are about to be asked for.
    """
    found = list(pods)
    left = max(0, going - sum(not pod.ready for pod in found))
    known = sorted(
        (pod.load, pod.cost != MARK, pod.name)
        for pod in found
        if pod.ready and pod.load is not None and pod.cost in {None, MARK}
    )
    chosen = {name for _, _, name in known[: min(left, MOST_WRITES)]}
    mark = [pod.name for pod in found if pod.name in chosen and pod.cost != MARK]
    clear = [pod.name for pod in found if pod.name not in chosen and pod.cost == MARK]
    return Marks(tuple(sorted(mark)), tuple(sorted(clear)[: MOST_WRITES - len(mark)]))
