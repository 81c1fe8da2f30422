"""Does to the cluster what happens in a scenario, and what is asked for by keys."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from budaiscaler.domain.errors import ConflictError, NotFoundError
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import DEPLOYMENTS, PODS
from budaiscaler.playground.cluster import objects
from budaiscaler.playground.manifests import NAMESPACE, NAMESPACES, WORKLOADS
from budaiscaler.playground.scenarios import Incident

REVISION = "demo.budaiscaler/revision"


@dataclass(slots=True)
class Incidents:
    """Acts, and tells of it.

    Attributes:
        kube: the API server.
        recorder: of events on the workloads.
    """

    kube: Kube
    recorder: Recorder

    async def happen(self, incident: Incident) -> None:
        """Do it to all workloads alike, and tell of it as an event of the namespace."""
        for name in WORKLOADS:
            if incident is Incident.LOSE_PODS:
                await self._lose(name, lambda ready: ready // 2)
            elif incident is Incident.KILL_POD:
                await self._lose(name, lambda ready: min(1, ready))
            elif incident is Incident.ROLL_OUT:
                await self._roll_out(name)
        uid = (await self.kube.get(NAMESPACES.item(None, NAMESPACE)))["metadata"]["uid"]
        ref = ObjectRef("v1", "Namespace", NAMESPACE, NAMESPACE, uid)
        reason = "".join(word.capitalize() for word in incident.name.split("_"))
        self.recorder.record(ref, "Warning", reason, str(incident), "Demo")

    async def _lose(self, name: str, count: Callable[[int], int]) -> None:
        selected = await self.kube.get(PODS.collection(NAMESPACE), {"labelSelector": f"app={name}"})
        ready = [pod for pod in selected["items"] if objects.is_ready(pod)]
        for pod in ready[: count(len(ready))]:
            with contextlib.suppress(NotFoundError, ConflictError):
                await self.kube.delete(objects.path(PODS, pod), uid=pod["metadata"]["uid"])

    async def _roll_out(self, name: str) -> None:
        try:
            deployment = await self.kube.get(DEPLOYMENTS.item(NAMESPACE, name))
        except NotFoundError:
            return  # somebody with kubectl was here
        template = deployment["spec"]["template"]
        annotations = (template.get("metadata") or {}).get("annotations") or {}
        revision = int(annotations.get(REVISION, "1")) + 1
        body: Json = {
            "spec": {"template": {"metadata": {"annotations": {REVISION: str(revision)}}}}
        }
        await self.kube.patch(objects.path(DEPLOYMENTS, deployment), body, PatchType.MERGE)
