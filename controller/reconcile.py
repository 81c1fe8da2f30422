"""One level-based pass over one scaler: plan, act, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from budaiscaler.domain import conditions
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.errors import InvalidObjectError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Kube
from controller import planning
from controller.hpas import Hpa
from controller.keeping import Keeper, drops_tolerance
from controller.planning import Plan
from controller.reporting import Reporter
from controller.scaled_objects import ScaledObjects
from controller.targets import Targets


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
    scaled_objects: ScaledObjects
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
        except InvalidObjectError as error:
            message = f"the API server refuses the HPA: {error}"
            told = [Condition(conditions.ABLE_TO_SCALE, "False", "HPARefused", message)]
        for hpa in intent.removes:
            await self.keeper.remove(hpa, scaler.ref)
        await self.reporter.report(scaler, told, intent.keeps, self._last_scale_time(scaler))

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
        scaled_object = await self.scaled_objects.on(scaler.namespace, target)
        # As of now: while we asked, the caches went on.
        return planning.plan(scaler, *self.targets.around(scaler), scaled_object)

    async def _ensure(self, scaler: Scaler, intent: Plan) -> Iterable[Condition]:
        """Have the HPA as it is wanted; gives what there is to tell of what the server made."""
        if intent.wanted is None:
            return ()
        live = self.hpas.objects.get((scaler.namespace, intent.wanted["metadata"]["name"]))
        made = await self.keeper.ensure(scaler, intent.wanted, live, intent.replaces)
        return (planning.inexact(),) if drops_tolerance(made, intent.wanted) else ()

    def _last_scale_time(self, scaler: Scaler) -> str | None:
        times = [
            str(hpa.status["lastScaleTime"])
            for hpa in self.targets.hpas_of((scaler.namespace, scaler.name))
            if hpa.is_child_of(scaler.name, scaler.uid) and hpa.status.get("lastScaleTime")
        ]
        return max(times, default=None)
