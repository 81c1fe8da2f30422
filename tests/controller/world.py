"""A cluster in memory with the controller in it, on the simulated time of the event loop."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import (
    BUDAISCALERS,
    HPAS,
    SCALED_OBJECTS,
    VERTICAL_POD_AUTOSCALERS,
)
from controller.hpas import ADOPTED_BY, Hpa, Target, project_hpa
from controller.keeping import FIELD_MANAGER
from controller.other_tools import OtherTools, Rival
from controller.reconcile import Reconciler
from controller.work import ControllerWork
from tests import samples
from tests.evaluator.world import loop_s, running, wall
from tests.fakes.kube import FakeKube

NAMESPACE = "ml"
RESYNC_S = 60.0
SOON_S = 0.001


def raw_scaler(
    name: str = "chat",
    *,
    uid: str = "",
    created: str = "2026-01-01T00:00:00Z",
    annotations: dict[str, str] | None = None,
    deleting: bool = False,
    **fields: Any,
) -> Json:
    """A scaler of the Deployment `chat`; `fields` add to its spec."""
    raw = samples.scaler(name, namespace=NAMESPACE, spec=samples.raw_spec(**fields))
    raw["metadata"] |= {
        "uid": uid or f"scaler-{name}",
        "creationTimestamp": created,
        "annotations": annotations or {},
    }
    if deleting:
        raw["metadata"]["deletionTimestamp"] = created
    return raw


def raw_hpa(
    name: str = "chat-hpa",
    *,
    target: str = "chat",
    owner: str | None = None,
    owner_kind: str = KIND,
    owner_name: str = "chat",
    ours: bool = False,
    adopter: str | None = None,
    **fields: Any,
) -> Json:
    """An HPA on a Deployment; `owner` is a uid, and `ours` gives it our labels for that owner.

    `adopter` is the uid of the scaler of the owner's name that took it over.
    """
    api_version = API_VERSION if owner_kind == KIND else "example.com/v1"
    owners = [
        {
            "apiVersion": api_version,
            "kind": owner_kind,
            "name": owner_name,
            "uid": owner,
            "controller": True,
        }
    ]
    labels = {naming.MANAGED_BY_LABEL: naming.MANAGED_BY, naming.SCALER_LABEL: owner_name}
    return {
        "apiVersion": HPAS.api_version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": f"hpa-{name}",
            "labels": labels if ours else {},
            "annotations": {ADOPTED_BY: f"{owner_name}/{adopter}"} if adopter else {},
            "ownerReferences": owners if owner else [],
        },
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "minReplicas": 2,
            "maxReplicas": 5,
            **fields,
        },
    }


def scaler(name: str = "chat", **fields: Any) -> Scaler:
    """A scaler as the servers keep it."""
    return project_scaler(raw_scaler(name, **fields), None)


def hpa(name: str = "chat-hpa", **fields: Any) -> Hpa:
    """An HPA as the controller keeps it."""
    return project_hpa(raw_hpa(name, **fields), None)


@dataclass(slots=True)
class Server(FakeKube):
    """An API server on which everybody has a hand in every HPA: what an apply leaves out stays.

    Attributes:
        knows_tolerance: whether it keeps the field; one before 1.35 does not.
    """

    knows_tolerance: bool = True

    async def patch(self, path: str, body: Any, *args: Any, **kwargs: Any) -> Json:
        body = copy.deepcopy(body)
        if "/horizontalpodautoscalers/" in path and isinstance(body, dict) and "spec" in body:
            if not self.knows_tolerance:
                for rules in body["spec"]["behavior"].values():
                    rules.pop("tolerance", None)
            body["spec"] = _over(self.objects.get(path, {}).get("spec"), body["spec"])
        return await FakeKube.patch(self, path, body, *args, **kwargs)


def _over(live: Any, applied: Any) -> Any:
    """What an apply makes of a value that others have, too; lists are replaced."""
    if not isinstance(live, dict) or not isinstance(applied, dict):
        return applied
    return {**live, **{key: _over(live.get(key), value) for key, value in applied.items()}}


@dataclass(slots=True)
class Looks(OtherTools):
    """Autoscalers of other tools, which every pass asks for.

    Attributes:
        asked: names of the workloads, in order.
        meanwhile: what happens while the next answer is on its way.
    """

    asked: list[str] = field(default_factory=list)
    meanwhile: Callable[[], None] | None = None

    async def on(self, namespace: str, target: Target) -> Rival | None:
        self.asked.append(target[2])
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
            await settle()
        return await OtherTools.on(self, namespace, target)


@dataclass(slots=True)
class World:
    """The API server and what a test does to it.

    Attributes:
        reconciler: of the copy of the controller that was started last.
        looks: its passes over valid scalers.
    """

    kube: Server = field(default_factory=Server)
    reconciler: Reconciler = field(init=False)
    looks: Looks = field(init=False)

    def add_scaler(self, name: str = "chat", **fields: Any) -> None:
        """Create a scaler; see `raw_scaler`."""
        self.kube.put(scaler_path(name), raw_scaler(name, **fields))

    def add_scaler_as(self, raw: Json) -> None:
        """Create a scaler, or change one as somebody else."""
        self.kube.put(scaler_path(raw["metadata"]["name"]), raw)

    def add_hpa(self, name: str = "chat-hpa", **fields: Any) -> None:
        """Create an HPA as somebody else; see `raw_hpa`."""
        self.kube.put(hpa_path(name), raw_hpa(name, **fields))

    def add_scaled_object(self, name: str, target: str = "chat") -> None:
        """Create a ScaledObject."""
        path = SCALED_OBJECTS.item(NAMESPACE, name)
        self.kube.put(path, {"spec": {"scaleTargetRef": {"name": target}}})

    def add_vertical(self, name: str, mode: str | None, target: str = "chat") -> None:
        """Create a VerticalPodAutoscaler; None is the mode that is the default."""
        reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
        policy = {"updatePolicy": {"updateMode": mode}} if mode else {}
        path = VERTICAL_POD_AUTOSCALERS.item(NAMESPACE, name)
        self.kube.put(path, {"spec": {"targetRef": reference, **policy}})

    def edit(self, name: str = "chat", **fields: Any) -> None:
        """Edit the spec of a scaler, as a user does."""
        raw = self.scaler(name)
        raw["spec"] |= fields
        raw["metadata"]["generation"] += 1
        self.kube.put(scaler_path(name), raw)

    def annotate(self, name: str = "chat", **annotations: str) -> None:
        """Replace the annotations of a scaler."""
        raw = self.scaler(name)
        raw["metadata"]["annotations"] = annotations
        self.kube.put(scaler_path(name), raw)

    def change_hpa(self, name: str = "chat-hpa", **fields: Any) -> None:
        """Change the spec of an HPA as somebody else; what is not given stays, at any depth."""
        raw = copy.deepcopy(self.kube.objects[hpa_path(name)])
        raw["spec"] = _over(raw["spec"], fields)
        self.kube.put(hpa_path(name), raw)

    def delete(self, name: str = "chat") -> None:
        """Delete a scaler, and after it what it owns, as the cluster does."""
        self.kube.remove(scaler_path(name))
        for hpa, raw in self.hpas().items():
            owners = raw["metadata"].get("ownerReferences", ())
            if any(owner["uid"] == f"scaler-{name}" for owner in owners):
                self.remove_hpa(hpa)

    def remove_hpa(self, name: str = "chat-hpa") -> None:
        """Delete an HPA as somebody else."""
        self.kube.remove(hpa_path(name))

    def scaler(self, name: str = "chat") -> Json:
        """A scaler as it stands in the API server."""
        return copy.deepcopy(self.kube.objects[scaler_path(name)])

    def hpas(self) -> dict[str, Json]:
        """The HPAs as they stand, by name."""
        prefix = f"{HPAS.collection(NAMESPACE)}/"
        return {p.removeprefix(prefix): o for p, o in self.kube.objects.items() if prefix in p}

    def condition(self, kind: str = "AbleToScale", name: str = "chat") -> tuple[str, str] | None:
        """Status and reason of a condition; None when there is none of that type."""
        conditions = self.scaler(name).get("status", {}).get("conditions", ())
        return next(((c["status"], c["reason"]) for c in conditions if c["type"] == kind), None)

    def message(self, kind: str = "AbleToScale", name: str = "chat") -> str:
        """Message of a condition."""
        conditions = self.scaler(name)["status"]["conditions"]
        return str(next(c["message"] for c in conditions if c["type"] == kind))

    def events(self) -> list[tuple[str, str, str]]:
        """Name of the scaler, type and reason of every event, in order."""
        return [
            (call.body["regarding"]["name"], call.body["type"], call.body["reason"])
            for call in self.kube.made("create", "/events")
        ]

    def writes(self) -> list[tuple[str, str]]:
        """Verb and path of everything that was written, but events."""
        return [
            (call.verb, call.path.rpartition(f"/{NAMESPACE}/")[2])
            for call in self.kube.calls
            if call.verb in ("create", "patch", "update", "delete") and "/events" not in call.path
        ]

    @asynccontextmanager
    async def controlled(self) -> AsyncIterator[None]:
        """A controller leads while inside; an error in it comes out at the end."""
        async with self.listening() as work, running(work.lead()):
            await settle()
            yield

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[ControllerWork]:
        """A copy of the controller while inside; it does nothing unless it leads."""
        scalers = Cache(self.kube, BUDAISCALERS.collection(), project_scaler, clock=loop_s)
        all_hpas = Cache(self.kube, HPAS.collection(), project_hpa, clock=loop_s)
        recorder = Recorder(self.kube, FIELD_MANAGER, "copy-1", wall)
        self.looks = Looks(self.kube, loop_s)
        self.reconciler = Reconciler(
            kube=self.kube,
            scalers=scalers,
            hpas=all_hpas,
            other_tools=self.looks,
            recorder=recorder,
            writer=StatusWriter(self.kube, FIELD_MANAGER, loop_s),
            wall_clock=wall,
        )
        work = ControllerWork(self.reconciler, workers=2, resync_s=RESYNC_S)
        async with AsyncExitStack() as stack:
            for part in (scalers.run(), all_hpas.run(), recorder.run()):
                await stack.enter_async_context(running(part))
            await settle()
            yield work


async def settle() -> None:
    """Let everything that follows from what was done happen; no time to speak of passes."""
    await asyncio.sleep(SOON_S)


def scaler_path(name: str) -> str:
    """Where a scaler is."""
    return BUDAISCALERS.item(NAMESPACE, name)


def hpa_path(name: str) -> str:
    """Where an HPA is."""
    return HPAS.item(NAMESPACE, name)
