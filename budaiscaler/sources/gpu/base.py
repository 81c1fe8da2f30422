"""What every way to read GPUs has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from budaiscaler.domain.api.features import GpuConfig
from budaiscaler.domain.gpu import GpuObserved, GpuSample, Pods
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload


@dataclass(frozen=True, slots=True)
class GpuRequest:
    """The GPUs of one scaler's target.

    Attributes:
        namespace: of the scaler, and so of its target.
        config: as the user wrote it.
        max_age_s: an answer this old that another scaler fetched will do.
        workload: the target as this evaluation sees it.
    """

    namespace: str
    config: GpuConfig
    max_age_s: float
    workload: Workload

    @property
    def ready(self) -> tuple[Pod, ...]:
        """Pods whose GPUs count."""
        return tuple(pod for pod in self.workload.pods if pod.ready)

    @property
    def pods(self) -> Pods:
        """The same by name."""
        names = frozenset((self.namespace, pod.name) for pod in self.ready)
        return Pods(names, self.workload.pods_per_replica)


class GpuReader(Protocol):
    """A way to read GPUs."""

    async def read(self, request: GpuRequest) -> GpuObserved:
        """Read now, or share what was read within `max_age_s`; ends within a time limit."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """What one look at one place told of its GPUs.

    Attributes:
        samples: of every GPU there, whoever has it.
        at_s: monotonic time of the look.
    """

    samples: tuple[GpuSample, ...]
    at_s: float


def without_pods(request: GpuRequest) -> NoData | None:
    """Why there is no pod to read GPUs of; None if there is one."""
    if not request.workload.replicas.are_counted:
        return NoData(
            NoDataReason.PODS_UNKNOWN,
            "the target's scale has no selector, so its pods and their GPUs are not known",
        )
    if not request.ready:
        return NoData(NoDataReason.NO_READY_PODS, "GPUs say nothing while no pod is ready")
    return None
