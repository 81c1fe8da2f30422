"""How many pods each ReplicaSet of a Deployment is to have: pure, as Kubernetes rolls out.

Source: `rolling.go` of Kubernetes' deployment controller, with its default strategy: a quarter more
than wanted at most (rounded up), and a quarter fewer ready at most (rounded down).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

QUARTER = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """The pods of one template.

    Attributes:
        name: of the ReplicaSet.
        size: pods that it is to have now.
        ready: of those.
    """

    name: str
    size: int
    ready: int


def sizes(replicas: int, new: Part, old: Sequence[Part]) -> dict[str, int]:
    """Tell the next size of each part.

    Args:
        replicas: of the Deployment.
        new: of the template that it has now.
        old: of earlier ones, oldest first.
    """
    live = [part for part in old if part.size > 0]
    if not live:
        return {new.name: replicas}
    surge, unavailable = math.ceil(replicas * QUARTER), math.floor(replicas * QUARTER)
    total = new.size + sum(part.size for part in live)
    grown = max(min(new.size, replicas), min(replicas, new.size + replicas + surge - total))
    # What is removed must leave enough that is ready, and the new that is not must not count.
    spare = total - (replicas - unavailable) - (new.size - new.ready)
    wanted = {new.name: grown}
    for part in live:
        removed = min(part.size, max(spare, 0))
        wanted[part.name] = part.size - removed
        spare -= removed
    return wanted
