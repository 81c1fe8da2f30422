"""Brings a workload to what was decided, where nobody else does: the act of KPA and BudScaler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from budaiscaler.domain import conditions
from budaiscaler.domain.api.budaiscaler import Mode, ScalerSpec
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decision import Decision, Observation
from budaiscaler.domain.errors import KubeError
from budaiscaler.evaluator.deletion_costs import DeletionCosts, Fleet
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.scales import ScaleReader


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of a decision.

    Attributes:
        condition: whether the workload can be scaled.
        scaled_to: replicas that were asked for with success; None when nothing was.
        failed_to: replicas that could not be asked for; None when nothing failed.
        is_outdated: somebody else had scaled it since it was seen.
    """

    condition: Condition
    scaled_to: int | None = None
    failed_to: int | None = None
    is_outdated: bool = False

    @property
    def has_moved(self) -> bool:
        """Whether the workload is not as it was seen any more, as far as anybody knows."""
        return self.is_outdated or not (self.scaled_to is None and self.failed_to is None)


class Actor(Protocol):
    """Whoever brings a workload to what was decided."""

    async def act(
        self,
        scaler: Scaler,
        spec: ScalerSpec,
        seen: Observation,
        decision: Decision,
        fleet: Fleet,
    ) -> Acted:
        """Act within a time limit; a failure is told, and not raised."""
        ...


@dataclass(slots=True)
class Actuator:
    """Writes scales.

    Attributes:
        scales: to read and write them.
        refusal: says who else is on a scaler's workload; None when we may act. It may raise
            `KubeError` where nobody knows.
        recorder: for the events of a rescale, which carry the names that HPA gives them.
        costs: has the least loaded pods go first, where that is asked for.
    """

    scales: ScaleReader
    refusal: Callable[[Scaler], Awaitable[Condition | None]]
    recorder: Recorder
    costs: DeletionCosts

    async def act(
        self,
        scaler: Scaler,
        spec: ScalerSpec,
        seen: Observation,
        decision: Decision,
        fleet: Fleet,
    ) -> Acted:
        """Ask for the decided replicas if that is a change, and if it is ours to make."""
        if spec.mode is Mode.RECOMMEND:
            message = "mode is Recommend: what is wanted is told, and nothing is scaled"
            return Acted(Condition(conditions.ABLE_TO_SCALE, "True", "RecommendOnly", message))
        try:
            refused = await self.refusal(scaler)
        except KubeError as error:
            message = f"whether another autoscaler is on the workload is not known: {error}"
            return Acted(Condition(conditions.ABLE_TO_SCALE, "False", "RivalsUnknown", message))
        if refused is not None:
            return Acted(refused)
        current, wanted = seen.replicas.current, decision.desired_replicas
        if wanted == current:
            message = "the workload has the replicas that are wanted"
            return Acted(Condition(conditions.ABLE_TO_SCALE, "True", "ReadyForNewScale", message))
        return await self._scale(scaler, spec, current, decision, fleet)

    async def _scale(
        self, scaler: Scaler, spec: ScalerSpec, current: int, decision: Decision, fleet: Fleet
    ) -> Acted:
        target, wanted = spec.scale_target_ref, decision.desired_replicas
        of = (target.api_version, target.kind, scaler.namespace, target.name)
        unnamed = None
        if wanted < current:
            # Before the look at what stands: between that and the write nothing may take long.
            unnamed = await self.costs.prefer(scaler, spec, fleet, current - wanted)
        try:
            stands = (await self.scales.read(*of)).spec_replicas
            if stands != current:
                # Somebody was faster than our watch. What follows from his number is decided next.
                message = f"the workload has {stands} replicas by now, and not {current}"
                outdated = Condition(conditions.ABLE_TO_SCALE, "True", "Outdated", message)
                return Acted(outdated, is_outdated=True)
            await self.scales.write(*of, wanted)
        except KubeError as error:
            message = f"{target.kind} {target.name} cannot be scaled to {wanted}: {error}"
            condition = Condition(conditions.ABLE_TO_SCALE, "False", "FailedUpdateScale", message)
            return Acted(condition, failed_to=wanted)
        note = f"{current} -> {wanted} replicas, by {decision.bound_by}"
        self.recorder.record(scaler.ref, "Normal", "SuccessfulRescale", note, "Rescale")
        message = f"{target.kind} {target.name} was scaled from {current} to {wanted}"
        if unnamed is not None:
            self.recorder.record(scaler.ref, "Warning", "FailedPodDeletionCost", unnamed, "Rescale")
            message = f"{message}; {unnamed}"
        condition = Condition(conditions.ABLE_TO_SCALE, "True", "SucceededRescale", message)
        return Acted(condition, scaled_to=wanted)
