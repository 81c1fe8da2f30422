"""The HPA controller on any API server: reads HPAs, asks for their metrics, writes scales.

What it decides is `domain.algorithms.hpa_controller`, the arithmetic of the real one. Metrics of
type External come through the API server's aggregation layer, as in a cluster; those of type Pods
from whoever is asked instead of a metrics API. Others cannot be had, and hold scale-down as they do
in a cluster.
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
from budaiscaler.domain.algorithms.hpa_controller_spec import SYNC_PERIOD_S, HpaSpec
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

_NO_METRICS = NoData(NoDataReason.UNREACHABLE, "the playground has no metrics API for it")

_log = structlog.get_logger()


@dataclass(slots=True)
class HpaLoop:
    """All HPAs, each synced every 15 s of the story.

    Attributes:
        kube: the API server, which hands on what aggregated ones answer.
        clock: of the story.
        recorder: for events on HPAs.
        ready: counts the ready pods of a workload by namespace and name.
        of_pods: the mean of a metric over the pods of a workload, by namespace, name and metric.
    """

    kube: Kube
    clock: Clock
    recorder: Recorder
    ready: Callable[[str, str], int]
    of_pods: Callable[[str, str, str], Observed] = lambda _, __, ___: _NO_METRICS
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
            self._tell(hpa, spec, scale, done)
        await self._report(hpa, scale, done, readings, now)

    async def _reading(self, hpa: Json, metric: Json) -> Observed:
        if metric["type"] == "Pods":
            target, name = hpa["spec"]["scaleTargetRef"], metric["pods"]["metric"]["name"]
            return self.of_pods(hpa["metadata"]["namespace"], target["name"], name)
        if metric["type"] != "External":
            return _NO_METRICS
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

    def _tell(self, hpa: Json, spec: HpaSpec, scale: Scale, done: Sync) -> None:
        note = f"New size: {done.desired}; reason: {_why(spec, scale, done)}"
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


def _why(spec: HpaSpec, scale: Scale, done: Sync) -> str:
    """The reason of a rescale, in the words of the real controller."""
    grows = done.desired > scale.current
    if not done.proposals:
        bound = "below Spec.MinReplicas" if grows else "above Spec.MaxReplicas"
        return f"Current number of replicas {bound}"
    if not grows:
        return "All metrics below target"
    proposals = [-1 if one is None else one for one in done.proposals]
    metric = spec.metrics[proposals.index(max(proposals))]
    return f"{metric.type.lower()} metric {metric.name} above target"


def _current(
    metrics: list[Mapping[str, Any]] | tuple[()], readings: list[Observed], scale: Scale
) -> list[Json]:
    """What the HPA saw of its metrics, a replica."""
    found = []
    for metric, observed in zip(metrics, readings, strict=True):
        if not isinstance(observed, Reading):
            continue
        kind = str(metric["type"])
        is_total = kind == "External"
        average = observed.value / max(1, scale.status) if is_total else observed.value
        block = {
            "metric": metric[kind.lower()]["metric"],
            "current": {"averageValue": quantity.format_milli(average)},
        }
        found.append({"type": kind, kind.lower(): block})
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
