"""Who fights over the replicas of a workload: a writer whose manifest carries a number of them.

Each time it applies its manifest, the count falls or rises to what stands in Git, and the next look
of the autoscaler puts it back. One such write may be a person's; a second one soon after is a tool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WITHIN_S = 600.0
"""Two writes within that are a contest; so long after the last one it is over."""

WRITES_KEPT = 8

_ARGO = (
    "in Argo CD, add /spec/replicas to the ignoreDifferences of the Application, with the sync "
    "option RespectIgnoreDifferences=true"
)
_FLUX = "in Flux, leave spec.replicas out of the manifest, or out of the values of the chart"
_REMEDIES = {"argocd": _ARGO, "argo-cd": _ARGO, "kustomize-controller": _FLUX, "flux": _FLUX}
_REMEDIES |= {"helm-controller": _FLUX}


@dataclass(frozen=True, slots=True)
class Write:
    """A change of the replicas by somebody who does not scale.

    Attributes:
        manager: its field manager.
        at_s: monotonic seconds.
    """

    manager: str
    at_s: float


def contested_by(writes: Sequence[Write], now_s: float) -> str | None:
    """Name the manager that writes replicas again and again; None while there is peace.

    Args:
        writes: the latest ones, oldest first.
        now_s: as their times.
    """
    for i, last in reversed(list(enumerate(writes))):
        if now_s - last.at_s >= WITHIN_S:
            break
        before = (write for write in writes[:i] if write.manager == last.manager)
        if any(last.at_s - write.at_s <= WITHIN_S for write in before):
            return last.manager
    return None


def message(manager: str) -> str:
    """Say who it is and what to configure there."""
    known = (hint for name, hint in _REMEDIES.items() if manager.lower().startswith(name))
    remedy = next(known, "leave spec.replicas out of what it applies")
    return (
        f"field manager {manager} keeps writing spec.replicas of the workload, against the "
        f"autoscaler: {remedy}"
    )
