"""One level-based pass over one scaler: plan, act, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from budaiscaler.domain import conditions
from budaiscaler.domain.api import naming
from budaiscaler.domain.conditions import Condition, Transition
from budaiscaler.domain.errors import InvalidObjectError, InvalidSpecError, NotFoundError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube import port
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import HPAS
from controller import hpas
from controller.hpas import Hpa
from controller.planning import Plan, plan
from controller.scaled_objects import ScaledObjects

FIELD_MANAGER = "budaiscaler-controller"
OWNED_CONDITIONS = (conditions.ABLE_TO_SCALE, conditions.SCALE_TO_ZERO)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was applied last, and what the server made of it.

    Attributes:
        uid: of the HPA.
        version: of the HPA; another apply that changed nothing gives the same.
    """

    wanted: str
    spec: Any
    uid: str
    version: str


@dataclass(slots=True)
class Reconciler:
    """Keeps the HPAs of all scalers as planned.

    Attributes:
        applies: HPAs written so far.
    """

    kube: Kube
    scalers: Cache[Scaler]
    hpas: Cache[Hpa]
    scaled_objects: ScaledObjects
    recorder: Recorder
    writer: StatusWriter
    wall_clock: Callable[[], datetime]
    applies: int = 0
    _applied: dict[str, _Applied] = field(default_factory=dict)
    _reported: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def reconcile(self, key: Key) -> None:
        """Bring one scaler's HPA and its status up to date.

        Raises:
            KubeError: the API server did not do what was asked; to be tried again.
        """
        scaler = self.scalers.objects.get(key)
        if scaler is None or scaler.deleting:
            return  # its HPA carries an owner reference: the cluster collects it
        intent = await self._plan(scaler)
        told = list(intent.conditions)
        try:
            if intent.wanted is not None:
                await self._ensure(scaler, intent.wanted, intent.replaces)
        except InvalidObjectError as error:
            message = f"the API server refuses the HPA: {error}"
            told = [Condition(conditions.ABLE_TO_SCALE, "False", "HPARefused", message)]
        for hpa in intent.removes:
            await self._remove(scaler, hpa)
        await self._report(scaler, told)

    def forget(self, uid: str) -> None:
        """Drop what is known of a scaler that is gone."""
        self._applied.pop(uid, None)
        self._reported.pop(uid, None)

    async def _plan(self, scaler: Scaler) -> Plan:
        namespace = scaler.namespace
        scaled_object = None
        if not isinstance(scaler.spec, InvalidSpecError):
            target = hpas.of_spec(scaler.spec.scale_target_ref)
            scaled_object = await self.scaled_objects.on(namespace, target)
        return plan(
            scaler,
            [other for key, other in self.scalers if key[0] == namespace],
            [hpa for key, hpa in self.hpas if key[0] == namespace],
            scaled_object,
        )

    async def _ensure(self, scaler: Scaler, wanted: Json, replaces: Hpa | None) -> None:
        """Apply the HPA unless the server has it already, in what it made of it."""
        name = wanted["metadata"]["name"]
        live = self.hpas.objects.get((scaler.namespace, name))
        text = json.dumps(wanted, sort_keys=True)
        before = self._applied.get(scaler.uid)
        if live is not None and before is not None and before.wanted == text:
            # Fields that an older server drops are missing for ever; only a change of what it made
            # of our last write is a reason to write again.
            is_ours = replaces is None and live.carries(wanted["metadata"])
            if is_ours and (
                live.raw["spec"] == before.spec or not hpas.lacks(live.raw["spec"], wanted["spec"])
            ):
                return
        path = HPAS.item(scaler.namespace, name)
        if replaces is not None:
            await self._take_over(path, replaces, wanted)
        answer = await port.apply(self.kube, path, wanted, field_manager=FIELD_MANAGER)
        self.applies += 1
        metadata = answer["metadata"]
        after = _Applied(text, answer.get("spec"), metadata["uid"], metadata["resourceVersion"])
        self._applied[scaler.uid] = after
        if replaces is not None:
            self._tell(scaler, "HPAAdopted", f"took over HPA {name}")
        elif live is None and (before is None or before.uid != after.uid):
            self._tell(scaler, "HPACreated", f"created HPA {name}")
        elif before is not None and before.version != after.version:
            self._tell(scaler, "HPAUpdated", f"updated HPA {name}")

    async def _take_over(self, path: str, live: Hpa, wanted: Json) -> None:
        """Make the whole spec ours in one write, so that no field of its former life stays."""
        change = [
            {"op": "test", "path": "/metadata/uid", "value": live.uid},
            {"op": "replace", "path": "/spec", "value": wanted["spec"]},
        ]
        await self.kube.patch(path, change, PatchType.JSON)

    async def _remove(self, scaler: Scaler, hpa: Hpa) -> None:
        """Delete our HPA; one that was adopted goes back to its owner instead."""
        path = HPAS.item(hpa.namespace, hpa.name)
        own_name = naming.child_hpa(scaler.name)
        adopted = (
            hpa.name != own_name or scaler.annotations.get(naming.ADOPT_ANNOTATION) == own_name
        )
        try:
            if adopted:
                await self._release(path, scaler, hpa)
            else:
                await self.kube.delete(path, uid=hpa.uid)
        except NotFoundError:
            return
        done = "released" if adopted else "deleted"
        self._tell(scaler, f"HPA{done.capitalize()}", f"{done} HPA {hpa.name}")

    async def _release(self, path: str, scaler: Scaler, hpa: Hpa) -> None:
        owners = [o for o in hpa.raw["metadata"]["ownerReferences"] if o.get("uid") != scaler.uid]
        labels = {naming.MANAGED_BY_LABEL: None, naming.SCALER_LABEL: None}
        change = {"metadata": {"uid": hpa.uid, "ownerReferences": owners, "labels": labels}}
        await self.kube.patch(path, change, PatchType.MERGE)

    async def _report(self, scaler: Scaler, told: list[Condition]) -> None:
        previous = self._reported.get(scaler.uid)
        if previous is None:
            owned = {*OWNED_CONDITIONS, *(condition.type for condition in told)}
            before = [c for c in scaler.status.get("conditions") or () if c.get("type") in owned]
            previous = {"conditions": sorted(before, key=lambda c: str(c["type"]))}
            if "lastScaleTime" in scaler.status:
                previous["lastScaleTime"] = scaler.status["lastScaleTime"]
        rendered, transitions = conditions.merge(
            previous["conditions"], told, generation=scaler.generation, now=self.wall_clock()
        )
        status: dict[str, Any] = {"conditions": rendered}
        scaled_at = self._last_scale_time(scaler) or previous.get("lastScaleTime")
        if scaled_at is not None:
            status["lastScaleTime"] = scaled_at
        if status == previous:
            self._reported[scaler.uid] = status
            return
        if not await self.writer.write(scaler, status):
            return
        self._reported[scaler.uid] = status
        for transition in transitions:
            self._tell_transition(scaler, transition)

    def _last_scale_time(self, scaler: Scaler) -> str | None:
        times = [
            str(hpa.status["lastScaleTime"])
            for key, hpa in self.hpas
            if key[0] == scaler.namespace
            and hpa.is_owned_by(scaler.uid)
            and hpa.status.get("lastScaleTime")
        ]
        return max(times, default=None)

    def _tell(self, scaler: Scaler, reason: str, note: str) -> None:
        _log.info("hpa_changed", namespace=scaler.namespace, name=scaler.name, reason=reason)
        self.recorder.record(scaler.ref, "Normal", reason, note, "Reconcile")

    def _tell_transition(self, scaler: Scaler, transition: Transition) -> None:
        told = transition.now
        if told.status == "False":
            self.recorder.record(scaler.ref, "Warning", told.reason, told.message, "Reconcile")
        elif transition.before == "False":
            self.recorder.record(scaler.ref, "Normal", told.reason, told.message, "Reconcile")
