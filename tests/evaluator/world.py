"""A cluster in memory with an evaluator in it, on the simulated time of the event loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.gpu import GpuObserved
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator.acting import Actor
from budaiscaler.evaluator.evaluator import Evaluator
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS, PODS, REPLICA_SETS
from budaiscaler.sources.base import Sample, Source, SourceRequest
from budaiscaler.sources.gpu.base import GpuReader, GpuRequest
from tests import samples
from tests.conftest import NOON
from tests.fakes.kube import FakeKube

NAMESPACE = "ml"
MANAGER = "evaluator"

Answer = float | tuple[float, ...] | NoData | Exception


def loop_s() -> float:
    """The clock of everything in a world: the time of the loop, which tests let pass."""
    return asyncio.get_running_loop().time()


def wall() -> datetime:
    """The same as a time of day: worlds begin at noon."""
    return NOON + timedelta(seconds=loop_s())


@dataclass(slots=True)
class FakeSource:
    """Answers as it is told to, by the name of the source.

    Attributes:
        answers: a number, several, none, or an error to be raised.
        takes_s: how long an answer takes, by name.
        asked: name and time of every fetch.
        under_way: fetches now, and the most there ever were of one name and of all.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    takes_s: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)
    under_way: list[str] = field(default_factory=list)
    most_at_once: int = 0
    most_of_one: int = 0

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        name = request.source.key
        self.asked.append((name, loop_s()))
        self.under_way.append(name)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        self.most_of_one = max(self.most_of_one, self.under_way.count(name))
        try:
            await asyncio.sleep(self.takes_s.get(name, 0))
        finally:
            self.under_way.remove(name)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, NoData):
            return answer
        return Sample(answer if isinstance(answer, tuple) else (answer,), loop_s())

    def times(self, name: str) -> list[float]:
        """When that source was asked."""
        return [at_s for asked, at_s in self.asked if asked == name]


@dataclass(slots=True)
class FakeGpus:
    """Tells of GPUs what it is told to.

    Attributes:
        answer: what it tells next.
        takes_s: how long that takes.
        asked: every request.
    """

    answer: GpuObserved = field(
        default_factory=lambda: NoData(NoDataReason.UNREACHABLE, "no exporter")
    )
    takes_s: float = 0.0
    asked: list[GpuRequest] = field(default_factory=list)

    async def read(self, request: GpuRequest) -> GpuObserved:
        self.asked.append(request)
        await asyncio.sleep(self.takes_s)
        return self.answer


@dataclass(slots=True)
class World:
    """The API server, the sources, and what a test does to them.

    Attributes:
        source: the Prometheus.
        sources: of other types.
        gpu: what reads GPUs.
    """

    kube: FakeKube = field(default_factory=FakeKube)
    source: FakeSource = field(default_factory=FakeSource)
    sources: dict[SourceType, Source] = field(default_factory=dict)
    gpu: GpuReader | None = None

    def add(
        self, name: str = "chat", *, replicas: int = 4, says: Answer = 4.0, **fields: Any
    ) -> None:
        """Add a workload with that many ready replicas, and its scaler with a source `name`."""
        self.add_workload(name, replicas=replicas)
        self.source.answers[name] = says
        self.add_scaler(name, **fields)

    def add_scaler(self, name: str, *sources: Json, **fields: Any) -> None:
        """Add a scaler of the workload of that name; its source is called the same."""
        target = {"scaleTargetRef": {"name": name}}
        spec = samples.raw_spec(*(sources or (samples.total(name=name),)), **target | fields)
        self.kube.put(scaler_path(name), samples.scaler(name, namespace=NAMESPACE, spec=spec))

    def add_workload(self, name: str, *, replicas: int) -> None:
        """Add a Deployment, all of whose replicas are ready."""
        for resource, make in (
            (DEPLOYMENTS, samples.deployment),
            (REPLICA_SETS, samples.replica_set),
        ):
            body = make(name, namespace=NAMESPACE, replicas=replicas)
            self.kube.put(resource.item(NAMESPACE, name), body)
        for i in range(replicas):
            self.set_ready(name, i, ready=True)

    def set_ready(self, name: str, index: int, *, ready: bool) -> None:
        """Make one pod of a workload ready or not."""
        body = samples.pod(name, index, namespace=NAMESPACE, ready=ready)
        self.kube.put(PODS.item(NAMESPACE, f"{name}-{index}"), body)

    def edit(self, name: str, **fields: Any) -> None:
        """Edit the spec of a scaler, as a user does."""
        raw = self.raw(name)
        raw["spec"] |= fields
        raw["metadata"]["generation"] += 1
        self.kube.put(scaler_path(name), raw)

    def annotate(self, name: str, **annotations: str) -> None:
        """Replace the annotations of a scaler by some of our group; that is no new generation."""
        raw = self.raw(name)
        raw["metadata"]["annotations"] = {f"{GROUP}/{k}": text for k, text in annotations.items()}
        self.kube.put(scaler_path(name), raw)

    def rewrite(self, name: str, replicas: int, manager: str) -> None:
        """Change the replicas of a workload as the owner of its manifest does."""
        body = samples.deployment(name, namespace=NAMESPACE, replicas=replicas)
        body["metadata"]["managedFields"] = [
            {"manager": manager, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        ]
        self.kube.put(DEPLOYMENTS.item(NAMESPACE, name), body)

    def delete(self, name: str) -> None:
        """Delete a scaler."""
        self.kube.remove(scaler_path(name))

    def raw(self, name: str) -> Json:
        """A scaler as it stands in the API server."""
        return self.kube.objects[scaler_path(name)]

    def status(self, name: str) -> Json:
        """Its status."""
        status: Json = self.raw(name).get("status", {})
        return status

    def condition(self, name: str, kind: str) -> Json:
        """One of its conditions; empty when there is none of that type."""
        conditions = self.status(name).get("conditions", ())
        return next((c for c in conditions if c["type"] == kind), {})

    def writes(self, name: str = "") -> int:
        """How many statuses were applied, or tried to be."""
        return len(self.kube.made("patch", f"{name}/status"))

    def events(self) -> list[tuple[str, str, str]]:
        """Name of the scaler, type and reason of every event, in order."""
        return [
            (call.body["regarding"]["name"], call.body["type"], call.body["reason"])
            for call in self.kube.made("create", "/events")
        ]

    def evaluator(
        self,
        interval_s: float = 15.0,
        *,
        strategy: Strategy = Strategy.HPA,
        actor: Callable[[Recorder], Actor] | None = None,
    ) -> Evaluator:
        """An evaluator of one strategy, not leading yet, as after the start of a process."""
        recorder = Recorder(self.kube, MANAGER, "copy-1", wall)
        scalers: Cache[Scaler] = Cache(
            self.kube, BUDAISCALERS.collection(), project_scaler, clock=loop_s
        )
        return Evaluator(
            kube=self.kube,
            scalers=scalers,
            owns=lambda scaler: scaler.strategy == strategy,
            sources={SourceType.PROMETHEUS: self.source, **self.sources},
            recorder=recorder,
            actor=actor(recorder) if actor is not None else None,
            writer=StatusWriter(self.kube, MANAGER, loop_s),
            interval_s=interval_s,
            clock=loop_s,
            wall_clock=wall,
            random=random.Random(1),
            gpu=self.gpu,
        )

    @asynccontextmanager
    async def leading(
        self, evaluator: Evaluator | None = None, *, as_of: datetime | None = None
    ) -> AsyncIterator[Evaluator]:
        """An evaluator that leads while inside; an error in it comes out at the end."""
        if evaluator is None:
            evaluator = self.evaluator()
        async with (
            running(self._bookmarks()),
            running(evaluator.scalers.run()),
            running(evaluator.recorder.run()),
            running(evaluator.lead(as_of)),
        ):
            await asyncio.sleep(0.001)
            yield evaluator

    async def _bookmarks(self) -> None:
        """Be heard from on quiet watches, as an API server is each minute."""
        while True:
            await asyncio.sleep(60)
            self.kube.bookmark()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something that does not end by itself while inside; an error in it is not lost."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(result, Exception):
            raise result


def scaler_path(name: str) -> str:
    """Where the scaler stands in the API server."""
    return BUDAISCALERS.item(NAMESPACE, name)
