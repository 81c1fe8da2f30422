"""The HPA controller on any API server: reads HPAs, asks for their metrics, writes scales.

What it decides is `domain.algorithms.hpa_controller`, the arithmetic of the real one. Metrics of
type External come through the API server's aggregation layer, as in a cluster. There is no metrics
server here, so that metrics of other types cannot be had, and hold scale-down as they do there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from budaiscaler.domain import conditions, times
from budaiscaler.domain.algorithms import hpa_controller, hpa_controller_spec
from budaiscaler.domain.algorithms.hpa_controller import HpaState, Sync
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.algorithms.hpa_controller_spec import SYNC_PERIOD_S
from budaiscaler.domain.api import quantity
from budaiscaler.domain.errors import InvalidSpecError, KubeError, QuantityError
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.kube import selectors
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import HPAS
from budaiscaler.kube.scales import ScaleReader
from budaiscaler.runtime.clock import Clock

MANAGER = "horizontal-pod-autoscaler"
EXTERNAL = "/apis/external.metrics.k8s.io/v1beta1"
LIMIT_S = 5.0
"""A sync that takes longer is given up, and comes again."""

_log = structlog.get_logger()


@dataclass(slots=True)
class HpaLoop:
    """All HPAs, each synced every 15 s of the story.

    Attributes:
        kube: the API server, which hands on what aggregated ones answer.
        clock: of the story.
        recorder: for events on HPAs.
        ready: counts the ready pods of a workload by namespace and name.
    """

    kube: Kube
    clock: Clock
    recorder: Recorder
    ready: Callable[[str, str], int]
    _states: dict[str, HpaState] = field(default_factory=dict)
    _scales: ScaleReader = field(init=False)

    def __post_init__(self) -> None:
        self._scales = ScaleReader(self.kube)

    async def run(self) -> None:
        """Sync until cancelled."""
        period_s = max(SYNC_PERIOD_S, self.clock.least_interval_s)
        while True:
            began_s = self.clock.monotonic()
            await self.sync_all()
            left_s = period_s - (self.clock.monotonic() - began_s)
            await asyncio.sleep(max(0.0, self.clock.real_s(left_s)))

    async def sync_all(self) -> None:
        """Sync each once, one after the other as the one worker of a small cluster would."""
        try:
            hpas = (await self.kube.get(HPAS.collection()))["items"]
        except KubeError as error:
            _log.warning("hpas_not_listed", error=str(error))
            return
        uids = {hpa["metadata"]["uid"] for hpa in hpas}
        self._states = {uid: state for uid, state in self._states.items() if uid in uids}
        for hpa in hpas:
            try:
                async with asyncio.timeout(LIMIT_S):
                    await self._sync(hpa)
            except (KubeError, InvalidSpecError, TimeoutError) as error:
                _log.warning("hpa_not_synced", name=hpa["metadata"]["name"], error=str(error))

    async def _sync(self, hpa: Json) -> None:
        metadata, target = hpa["metadata"], hpa["spec"]["scaleTargetRef"]
        spec = hpa_controller_spec.read(hpa["spec"])
        place = (target["apiVersion"], target["kind"], metadata["namespace"], target["name"])
        found = await self._scales.read(*place)
        ready = self.ready(metadata["namespace"], target["name"])
        scale = Scale(found.spec_replicas, found.status_replicas, ready)
        readings = [await self._reading(hpa, metric) for metric in hpa["spec"].get("metrics") or ()]
        now = self.clock.wall()
        state = self._states.get(metadata["uid"], HpaState())
        done, self._states[metadata["uid"]] = hpa_controller.sync(spec, scale, readings, state, now)
        if done.desired != scale.current:
            await self._scales.write(*place, done.desired)
            self._tell(hpa, scale, done)
        await self._report(hpa, scale, done, readings, now)

    async def _reading(self, hpa: Json, metric: Json) -> Observed:
        if metric["type"] != "External":
            message = f"the playground has no metrics API for metrics of type {metric['type']}"
            return NoData(NoDataReason.UNREACHABLE, message)
        wanted = metric["external"]["metric"]
        path = f"{EXTERNAL}/namespaces/{hpa['metadata']['namespace']}/{wanted['name']}"
        selector = selectors.render(wanted.get("selector") or {})
        try:
            answer = await self.kube.get(path, {"labelSelector": selector} if selector else None)
            values = [quantity.parse(item["value"]) for item in answer.get("items") or ()]
        except (KubeError, QuantityError) as error:
            return NoData(NoDataReason.HTTP_ERROR, str(error))
        if not values:
            return NoData(
                NoDataReason.EMPTY_RESULT, "no metrics returned from external metrics API"
            )
        return Reading(sum(values))

    def _tell(self, hpa: Json, scale: Scale, done: Sync) -> None:
        grows = done.desired > scale.current
        reason = "external metric above target" if grows else "All metrics below target"
        note = f"New size: {done.desired}; reason: {reason}"
        self.recorder.record(_ref(hpa), "Normal", "SuccessfulRescale", note, "rescale")

    async def _report(
        self, hpa: Json, scale: Scale, done: Sync, readings: list[Observed], now: datetime
    ) -> None:
        before = hpa.get("status") or {}
        told, _ = conditions.merge(
            before.get("conditions") or (), done.conditions, generation=0, now=now
        )
        for condition in told:
            del condition["observedGeneration"]  # those of an HPA have none
        status: dict[str, Any] = {
            "observedGeneration": hpa["metadata"].get("generation", 1),
            "currentReplicas": scale.current,
            "desiredReplicas": done.desired,
            "conditions": told,
            "currentMetrics": _current(hpa["spec"].get("metrics") or (), readings, scale),
        }
        if done.desired != scale.current:
            status["lastScaleTime"] = times.rfc3339(now)
        if any(before.get(key) != value for key, value in status.items()):
            path = HPAS.item(hpa["metadata"]["namespace"], hpa["metadata"]["name"], "status")
            await self.kube.patch(
                path, {"status": status}, PatchType.MERGE, {"fieldManager": MANAGER}
            )


def _current(
    metrics: list[Mapping[str, Any]] | tuple[()], readings: list[Observed], scale: Scale
) -> list[Json]:
    """What the HPA saw of its external metrics, a replica."""
    found = []
    for metric, observed in zip(metrics, readings, strict=True):
        if isinstance(observed, Reading) and metric["type"] == "External":
            average = quantity.format_milli(observed.value / max(1, scale.status))
            found.append(
                {
                    "type": "External",
                    "external": {
                        "metric": metric["external"]["metric"],
                        "current": {"averageValue": average},
                    },
                }
            )
    return found


def _ref(hpa: Json) -> ObjectRef:
    metadata = hpa["metadata"]
    return ObjectRef(
        HPAS.api_version,
        "HorizontalPodAutoscaler",
        metadata["namespace"],
        metadata["name"],
        metadata["uid"],
    )
