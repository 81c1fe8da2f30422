"""Acts on HPAs: applies what is wanted, takes over, deletes what we made and gives back the rest.

Written is only what the server does not have. What it made of the last write is remembered, since
one that drops or changes a field would be written to for ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog

from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.behavior import DEFAULT_TOLERANCE
from budaiscaler.domain.errors import NotFoundError
from budaiscaler.evaluator.scalers import Scaler
from budaiscaler.kube import port
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import HPAS
from controller import hpas
from controller.hpas import ADOPTED_BY, Hpa

FIELD_MANAGER = "budaiscaler-controller"

AGAIN_AFTER = timedelta(hours=1)
"""What a server dropped is sent again, in case it has been upgraded since."""

TOLERANCE_OF_AN_HPA = quantity.format_milli(DEFAULT_TOLERANCE)
"""Where it does not say."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Applied:
    """What was applied last, and what the server made of it.

    Attributes:
        at: when.
        uid: of the HPA.
        version: of the HPA; another apply that changed nothing gives the same.
    """

    wanted: str
    at: datetime
    spec: Any
    uid: str
    version: str


@dataclass(slots=True)
class Keeper:
    """Keeps one HPA a scaler as it is wanted.

    Attributes:
        applies: HPAs written so far.
    """

    kube: Kube
    recorder: Recorder
    wall_clock: Callable[[], datetime]
    applies: int = 0
    _applied: dict[str, _Applied] = field(default_factory=dict)

    def start_over(self) -> None:
        """Begin a new term: another leader may have written since the last one."""
        self._applied.clear()

    def forget(self, uid: str) -> None:
        """Drop what is known of a scaler that is gone."""
        self._applied.pop(uid, None)

    async def ensure(
        self, scaler: Scaler, wanted: Json, live: Hpa | None, replaces: Hpa | None
    ) -> Any:
        """Apply the HPA unless the server has it already, in what it made of it.

        Args:
            scaler: whose it is.
            wanted: the whole object.
            live: the one of that name, as last seen.
            replaces: the same where it is not ours yet, and its whole spec must become ours.

        Returns:
            The spec as the server made it of what is wanted.
        """
        text = json.dumps(wanted, sort_keys=True)
        before = self._applied.get(scaler.uid)
        is_same = before is not None and before.wanted == text and replaces is None
        if before is not None and is_same and self._has(live, wanted, before):
            return before.spec
        name = wanted["metadata"]["name"]
        path = HPAS.item(scaler.namespace, name)
        if replaces is not None:
            await self._take_over(path, replaces, wanted)
        answer = await port.apply(self.kube, path, wanted, field_manager=FIELD_MANAGER)
        self.applies += 1
        metadata, spec = answer["metadata"], answer.get("spec")
        after = _Applied(
            text, self.wall_clock(), spec, metadata["uid"], metadata["resourceVersion"]
        )
        self._applied[scaler.uid] = after
        if replaces is not None:
            self._tell(scaler.ref, "HPAAdopted", f"took over HPA {name}")
        elif live is None and (before is None or before.uid != after.uid):
            self._tell(scaler.ref, "HPACreated", f"created HPA {name}")
        elif before is not None and before.version != after.version:
            self._tell(scaler.ref, "HPAUpdated", f"updated HPA {name}")
        return spec

    async def remove(self, hpa: Hpa, scaler: ObjectRef) -> None:
        """Delete an HPA that we made; one that was taken over goes back to its owner instead."""
        path = HPAS.item(hpa.namespace, hpa.name)
        try:
            if hpa.is_adopted:
                await self.kube.patch(path, _release(hpa), PatchType.MERGE)
            else:
                await self.kube.delete(path, uid=hpa.uid)
        except NotFoundError:
            return
        done = "released" if hpa.is_adopted else "deleted"
        self._tell(scaler, f"HPA{done.capitalize()}", f"{done} HPA {hpa.name}")

    def _has(self, live: Hpa | None, wanted: Json, before: _Applied) -> bool:
        if live is None or not live.carries(wanted["metadata"]):
            return False
        spec = live.raw["spec"]
        if not hpas.lacks(spec, wanted["spec"]):
            return True
        # Only a change of what the server made of our last write is a reason to write at once.
        return bool(spec == before.spec) and self.wall_clock() - before.at < AGAIN_AFTER

    async def _take_over(self, path: str, live: Hpa, wanted: Json) -> None:
        """Make the whole spec ours in one write, so that no field of its former life stays.

        An apply alone would leave those that we do not know. This update is a manager of its own
        beside our apply, and has every field too: see `children` for why that does no harm.
        """
        change = [
            {"op": "test", "path": "/metadata/uid", "value": live.uid},
            {"op": "replace", "path": "/spec", "value": wanted["spec"]},
        ]
        await self.kube.patch(path, change, PatchType.JSON, {"fieldManager": FIELD_MANAGER})

    def _tell(self, scaler: ObjectRef, reason: str, note: str) -> None:
        _log.info("hpa_changed", namespace=scaler.namespace, name=scaler.name, reason=reason)
        self.recorder.record(scaler, "Normal", reason, note, "Reconcile")


def drops_tolerance(made: Any, wanted: Json) -> bool:
    """Whether a server left out of an HPA a tolerance other than the one that it then has."""
    behavior = (made or {}).get("behavior") or {}
    return any(
        rules["tolerance"] != TOLERANCE_OF_AN_HPA and "tolerance" not in (behavior.get(way) or {})
        for way, rules in wanted["spec"]["behavior"].items()
    )


def _release(hpa: Hpa) -> Json:
    """A patch that takes our marks away; the spec stays as it is."""
    return {
        "metadata": {
            "uid": hpa.uid,
            "annotations": {ADOPTED_BY: None},
            "labels": {naming.SCALER_LABEL: None},
        }
    }
