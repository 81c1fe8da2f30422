"""Names the pods that are to go just before a workload shrinks, where its scaler asks for it.

It is a wish: whatever fails here, the scale-down goes on, and Kubernetes chooses by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from budaiscaler.domain import deletion_costs
from budaiscaler.domain.algorithms import tuning
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.effects_table import has_deletion_costs
from budaiscaler.domain.deletion_costs import ANNOTATION, MARK, Candidate
from budaiscaler.domain.errors import ForbiddenError, KubeError, NotFoundError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.port import Kube, PatchType
from budaiscaler.kube.resources import PODS

LIMIT_S = 5.0
"""For all writes of one scale-down: it must not wait for them any longer."""
AT_ONCE = 8
ROLE = "budaiscaler-pod-deletion-costs"


@dataclass(frozen=True, slots=True)
class Fleet:
    """The pods of a workload and what their sources told of each, in one evaluation.

    Attributes:
        shares: for each source that asks pods, what each pod has of the load of one replica at its
            target, by the name of the pod.
    """

    pods: tuple[Pod, ...] = ()
    shares: tuple[Mapping[str, float], ...] = field(default=())

    def candidates(self) -> list[Candidate]:
        """The pods, each with the largest of its shares; a pod silent in one of them is unknown."""
        return [
            Candidate(pod.name, pod.ready, pod.deletion_cost, self._load(pod.name))
            for pod in self.pods
        ]

    def _load(self, pod: str) -> float | None:
        told = [share.get(pod) for share in self.shares]
        known = [value for value in told if value is not None]
        return max(known) if known and len(known) == len(told) else None


@dataclass(slots=True)
class DeletionCosts:
    """Writes the annotation on pods."""

    kube: Kube

    async def prefer(
        self, scaler: Scaler, spec: ScalerSpec, fleet: Fleet, going: int
    ) -> str | None:
        """Have the least loaded pods go first, if the scaler wants it.

        Args:
            scaler: has the annotation that asks for it.
            spec: of it.
            fleet: the pods as this evaluation saw them.
            going: how many replicas fewer are about to be asked for.

        Returns:
            What went wrong, and what to do about it; None if nothing did.
        """
        if not (tuning.given(scaler.annotations).pod_deletion_cost and has_deletion_costs(spec)):
            return None
        marks = deletion_costs.choose(fleet.candidates(), going)
        wanted = {**dict.fromkeys(marks.clear, None), **dict.fromkeys(marks.mark, MARK)}
        turns = asyncio.Semaphore(AT_ONCE)

        async def write(pod: str, cost: str | None) -> KubeError | None:
            path = PODS.item(scaler.namespace, pod)
            try:
                async with turns:
                    await self.kube.patch(
                        path, {"metadata": {"annotations": {ANNOTATION: cost}}}, PatchType.MERGE
                    )
            except NotFoundError:
                return None  # it went by itself
            except KubeError as error:
                return error
            return None

        try:
            async with asyncio.timeout(LIMIT_S):
                written = await asyncio.gather(*(write(pod, wanted[pod]) for pod in wanted))
        except TimeoutError:
            return f"the pods that should go were not named within {LIMIT_S:g} s"
        errors = [error for error in written if error is not None]
        return _told(errors, len(wanted)) if errors else None


def _told(errors: list[KubeError], of: int) -> str:
    first = errors[0]
    remedy = ""
    if isinstance(first, ForbiddenError):
        remedy = f": bind the ClusterRole {ROLE} to the controller in this namespace"
    return f"{len(errors)} of {of} pods that should go could not be named: {first}{remedy}"
