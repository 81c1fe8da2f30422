"""One level-based pass over one scaler: plan, act, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from budaiscaler.domain import conditions
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import (
    ConflictError,
    ExpiredError,
    InvalidSpecError,
    KubeStatusError,
    KubeUnreachableError,
    NotFoundError,
    OverloadedError,
    UnauthorizedError,
)
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Kube
from controller import hpas, planning, rivals
from controller.hpas import Hpa
from controller.keeping import Keeper, drops_tolerance
from controller.other_tools import OtherTools
from controller.planning import Plan
from controller.reporting import Reporter
from controller.targets import Targets

_PASSING = (UnauthorizedError, NotFoundError, ConflictError, ExpiredError, OverloadedError)
"""Answers that say nothing of the HPA; any other, a policy's or a quota's say, refuses it."""


@dataclass(slots=True)
class Reconciler:
    """Keeps the HPAs of all scalers as planned.

    Attributes:
        targets: who is on which workload.
        keeper: acts on HPAs.
        reporter: writes the status.
    """

    kube: Kube
    scalers: Cache[Scaler]
    hpas: Cache[Hpa]
    other_tools: OtherTools
    recorder: Recorder
    writer: StatusWriter
    wall_clock: Callable[[], datetime]
    targets: Targets = field(init=False)
    keeper: Keeper = field(init=False)
    reporter: Reporter = field(init=False)

    def __post_init__(self) -> None:
        self.targets = Targets(self.scalers, self.hpas)
        self.keeper = Keeper(self.kube, self.recorder, self.wall_clock)
        self.reporter = Reporter(self.writer, self.recorder, self.wall_clock)

    def start_over(self) -> None:
        """Begin a new term: what was written and reported in an earlier one proves nothing."""
        self.keeper.start_over()
        self.reporter.start_over()

    def forget(self, scaler: Scaler) -> None:
        """Drop what is known of a scaler that is gone."""
        self.keeper.forget(scaler.uid)
        self.reporter.forget(scaler)

    async def reconcile(self, key: Key) -> None:
        """Bring one scaler's HPA and its status up to date.

        Raises:
            KubeError: the API server did not do what was asked; to be tried again.
        """
        scaler = self.scalers.objects.get(key)
        if scaler is None or scaler.deleting:
            await self._give_back(key)
            return
        intent = await self._plan(scaler)
        told = list(intent.conditions)
        try:
            told += await self._ensure(scaler, intent)
        except KubeStatusError as error:
            if isinstance(error, _PASSING):
                raise
            message = f"the API server refuses the HPA: {error}"
            told = [Condition(conditions.ABLE_TO_SCALE, "False", "HPARefused", message)]
        else:
            for hpa in intent.removes:
                await self.keeper.remove(hpa, scaler.ref)
        if intent.is_ours:
            await self.reporter.report(scaler, told, intent.keeps, self._children(scaler))
        else:
            await self.reporter.withdraw(scaler)

    async def refusal(self, scaler: Scaler) -> Condition | None:
        """Say who else is on the workload of a scaler that scales by itself; None if nobody is.

        Raises:
            KubeError: nobody knows.
        """
        if isinstance(scaler.spec, InvalidSpecError):
            return None
        if not self.hpas.synced.is_set() or self.hpas.behind_s:
            raise KubeUnreachableError("HPAs are not listed yet, or were not heard of for minutes")
        target = hpas.of_spec(scaler.spec.scale_target_ref)
        other = await self.other_tools.on(scaler.namespace, target)
        scalers, all_hpas = self.targets.around(scaler)
        theirs = [hpa for hpa in all_hpas if not hpa.is_child_of(scaler.name, scaler.uid)]
        return rivals.refusal(scaler, target, "", scalers, theirs, other)

    async def _give_back(self, key: Key) -> None:
        """Of a scaler that goes the cluster collects what we made; what we took over is returned.

        Its marks are on the HPA, so it is found also where nobody led when the scaler went.
        """
        for hpa in self.targets.hpas_of(key):
            if hpa.adopted_by is not None and hpa.was_adopted_by(key[1]):
                gone = ObjectRef(API_VERSION, KIND, *key, hpa.adopted_by[1])
                await self.keeper.remove(hpa, gone)

    async def _plan(self, scaler: Scaler) -> Plan:
        scalers, all_hpas = self.targets.around(scaler)
        target = planning.workload(scaler, all_hpas)
        if target is None:
            return planning.plan(scaler, scalers, all_hpas, None)
        other = await self.other_tools.on(scaler.namespace, target)
        # As of now: while we asked, the caches went on.
        paused = scaler.paused(self.wall_clock())
        return planning.plan(scaler, *self.targets.around(scaler), other, paused)

    async def _ensure(self, scaler: Scaler, intent: Plan) -> Iterable[Condition]:
        """Have the HPA as it is wanted; gives what there is to tell of what the server made."""
        if intent.wanted is None:
            return ()
        live = self.hpas.objects.get((scaler.namespace, intent.wanted["metadata"]["name"]))
        made = await self.keeper.ensure(scaler, intent.wanted, live, intent.replaces)
        return (planning.inexact(),) if drops_tolerance(made, intent.wanted) else ()

    def _children(self, scaler: Scaler) -> list[Hpa]:
        marked = self.targets.hpas_of((scaler.namespace, scaler.name))
        return [hpa for hpa in marked if hpa.is_child_of(scaler.name, scaler.uid)]
