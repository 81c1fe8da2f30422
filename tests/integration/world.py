"""A whole cluster in this process: the real servers on the embedded API server.

Only what is around them is pretended: a Prometheus of a few lines, and what makes pods of
Deployments and replicas of HPAs. Both servers run as their processes run them, with settings that
are in a hurry, and talk to the API server over TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import adapter.server
import controller.server
from adapter.settings import AdapterSettings
from budaiscaler.domain import times
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.errors import KubeError, NotFoundError, OverloadedError
from budaiscaler.kube import client
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.client import KubeClient
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.leaders_word import AS_OF_ANNOTATION
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS, LEASES
from budaiscaler.playground import manifests
from budaiscaler.playground.apiserver import EmbeddedApiServer
from budaiscaler.playground.cluster.hpa_loop import HpaLoop
from budaiscaler.playground.cluster.kubelet import PODS_A_NODE, Kubelet
from budaiscaler.playground.cluster.machinery import Machinery
from budaiscaler.playground.cluster.starts import Starts
from budaiscaler.playground.cluster.workloads import WorkloadControllers
from budaiscaler.playground.manifests import NAMESPACE, SYSTEM
from budaiscaler.runtime import settings
from budaiscaler.runtime.clock import REAL
from controller.settings import ControllerSettings
from tests.adapter.copies import free_port
from tests.fakes.link import Link
from tests.sources.server import Prometheus, prometheus, vector

METRIC = f"/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/desired-load"
DEADLINE_S = 20.0
HPA_SYNC_S = 0.05
GIVEN_UP_AFTER = timedelta(seconds=1.6)
"""A little more than the deadline for renewals."""

HURRIED = (
    "--bind-address=127.0.0.1",
    "--evaluation-interval=100ms",
    "--lease-duration=2s",
    "--lease-renew-deadline=1.5s",
    "--lease-retry-period=50ms",
)
AT_ONCE: Json = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 900, "periodSeconds": 15}],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    },
}
"""The behaviour with which replicas follow every load at once, down too, so nothing holds them by
chance."""

Wraps = Callable[[Kube], Kube]


@dataclass(slots=True)
class Copy:
    """A running server.

    Attributes:
        identity: its name in the Lease.
        link: its line to the API server.
    """

    identity: str
    link: Link
    task: asyncio.Task[None]

    async def stop(self) -> None:
        """Tell it to stop, and wait until it has given back what it held."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def die(self) -> None:
        """End it so that it can give nothing back, as a machine does that loses power."""
        self.link.is_cut = True
        await self.stop()


@dataclass(slots=True)
class World:
    """The cluster.

    Attributes:
        api: the API server.
        kube: the same as a person asks it: over TLS, with what is aggregated.
        load: of all scalers; each wants a replica for ten of it.
        replicas: every number of replicas that each Deployment was ever asked for.
        port: of the adapter that the API server asks.
    """

    api: EmbeddedApiServer
    directory: Path
    kube: KubeClient
    prometheus: Prometheus
    port: int
    load: dict[str, float]
    replicas: Mapping[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    # What users do.

    async def deploy(self, name: str = "chat", replicas: int = 2) -> None:
        """Make a Deployment, and wait for its pods."""
        body = manifests.deployment(name, replicas)
        await self.kube.create(DEPLOYMENTS.collection(NAMESPACE), body)

        async def ready() -> bool:
            found = await self.kube.get(DEPLOYMENTS.item(NAMESPACE, name))
            return bool((found.get("status") or {}).get("readyReplicas") == replicas)

        await until(ready, f"{replicas} pods of {name}")

    async def scale(
        self, name: str = "chat", strategy: Strategy = Strategy.HPA, **fields: Any
    ) -> Json:
        """Make a scaler of the Deployment of that name; `fields` replace those of its spec."""
        source = {
            "targetMetric": "queue",
            "targetValue": "10",
            "targetType": "AverageValue",
            "promQL": f"sum(queue_{name})",  # a series of its own, or queries are put together
        }
        spec = {"metricsSources": [source], "behavior": AT_ONCE, **fields}
        body = manifests.scaler(name, strategy, **spec)
        return await self.kube.create(BUDAISCALERS.collection(NAMESPACE), body)

    # What can be seen.

    async def published(self, name: str = "chat") -> float | None:
        """The replicas that an HPA is told; None where it is told an error, or nothing."""
        try:
            answer = await self.kube.get(METRIC, {"labelSelector": f"scaler={name}"})
        except (OverloadedError, NotFoundError):
            return None
        values = [quantity.parse(item["value"]) for item in answer["items"]]
        return float(values[0]) if values else None

    async def holder(self, role: str) -> str:
        """Who holds the Lease of the adapters or the controllers; empty if nobody does."""
        with contextlib.suppress(NotFoundError):
            lease = await self.kube.get(LEASES.item(SYSTEM, role))
            return str(lease["spec"].get("holderIdentity") or "")
        return ""

    async def conditions(self, name: str = "chat") -> dict[str, Json]:
        """Those of a scaler, by type."""
        found = await self.kube.get(BUDAISCALERS.item(NAMESPACE, name))
        return {one["type"]: one for one in (found.get("status") or {}).get("conditions") or ()}

    async def until_replicas(self, wanted: int, name: str = "chat") -> None:
        """Wait until a Deployment is asked for so many replicas."""

        async def has() -> bool:
            return self.replicas[name][-1:] == [wanted]

        await until(has, f"{wanted} replicas of {name}", lambda: f"seen so far: {self.replicas}")

    async def until_published(self, wanted: float | None, name: str = "chat") -> None:
        """Wait until the published load is so."""

        async def is_so() -> bool:
            return await self.published(name) == wanted

        await until(is_so, f"a published load of {wanted} for {name}")

    async def until_held(self, role: str, by: str) -> None:
        """Wait until a copy leads."""

        async def is_so() -> bool:
            return await self.holder(role) == by

        await until(is_so, f"{by} to lead")

    async def until_vouched(self, role: str) -> None:
        """Wait until a leader has decided about every scaler, on what is known from now on."""
        asked = datetime.now(UTC)

        async def is_so() -> bool:
            lease = await self.kube.get(LEASES.item(SYSTEM, role))
            said = (lease["metadata"].get("annotations") or {}).get(AS_OF_ANNOTATION)
            as_of = times.parse(said)
            return as_of is not None and as_of > asked

        await until(is_so, f"the leader of {role} to vouch")

    async def until_given_up(self, role: str) -> None:
        """Wait until a leader must have stopped, since it could not renew for so long."""

        async def is_so() -> bool:
            lease = await self.kube.get(LEASES.item(SYSTEM, role))
            renewed = times.parse(lease["spec"]["renewTime"])
            return renewed is not None and datetime.now(UTC) - renewed > GIVEN_UP_AFTER

        await until(is_so, f"the leader of {role} to give up")

    # Who runs.

    @asynccontextmanager
    async def adapter(
        self, identity: str = "adapter-1", *flags: str, wrap: Wraps = lambda kube: kube
    ) -> AsyncIterator[Copy]:
        """Run a copy of the adapter; the API server asks it unless `flags` give another port."""
        given = (f"--secure-port={self.port}", "--shutdown-delay=0", *HURRIED, *flags)
        chosen = settings.read(
            AdapterSettings,
            [f"--identity={identity}", f"--prometheus-url={self.prometheus.url}", *given],
        )
        work = lambda kube: adapter.server.run(kube, chosen)  # noqa: E731 - handed on
        async with self._copy(identity, work, wrap) as copy:
            yield copy

    @asynccontextmanager
    async def controller(
        self, identity: str = "controller-1", *, wrap: Wraps = lambda kube: kube
    ) -> AsyncIterator[Copy]:
        """Run a copy of the controller."""
        given = (f"--probe-port={free_port()}", *HURRIED)
        chosen = settings.read(
            ControllerSettings,
            [f"--identity={identity}", f"--prometheus-url={self.prometheus.url}", *given],
        )
        work = lambda kube: controller.server.run(kube, chosen)  # noqa: E731 - handed on
        async with self._copy(identity, work, wrap) as copy:
            yield copy

    @asynccontextmanager
    async def _copy(
        self, identity: str, work: Callable[[Kube], Coroutine[Any, Any, None]], wrap: Wraps
    ) -> AsyncIterator[Copy]:
        user = f"system:serviceaccount:{SYSTEM}:{identity}"
        kubeconfig = self.api.kubeconfig(self.directory / f"{identity}.yaml", user)
        async with await client.connect(str(kubeconfig)) as connection:
            link = Link(connection)
            copy = Copy(identity, link, asyncio.ensure_future(work(wrap(link))))
            try:
                yield copy
                if copy.task.done() and not copy.task.cancelled():
                    copy.task.result()  # it ended by itself: say why
            finally:
                await copy.stop()

    @asynccontextmanager
    async def told(self, name: str = "chat") -> AsyncIterator[list[float | None]]:
        """Ask for the published load all the while; gives every answer that differs from the last.

        None is an error, on which an HPA stands still. The first question is asked before anything
        happens, and the last when all has.
        """
        answers: list[float | None] = []

        async def ask() -> None:
            with contextlib.suppress(KubeError):
                answer = await self.published(name)
                if answers[-1:] != [answer]:
                    answers.append(answer)

        async def ask_all_the_while() -> None:
            while True:
                await ask()
                await asyncio.sleep(0.005)

        await ask()
        async with _going(ask_all_the_while()):
            yield answers
        await ask()


@asynccontextmanager
async def world(directory: Path, *, pods_a_node: int = PODS_A_NODE) -> AsyncIterator[World]:
    """Set a cluster up, without our servers, and take it down."""
    loads: dict[str, float] = {"chat": 30.0}

    def answer(server: Prometheus, handler: BaseHTTPRequestHandler, promql: str) -> None:
        for name, load in loads.items():
            if f"(queue_{name})" in promql:
                vector("1" if "count" in promql else f"{load:g}")(server, handler, promql)
                return
        vector()(server, handler, promql)

    async with AsyncExitStack() as stack:
        server = stack.enter_context(prometheus(answer))
        api = await stack.enter_async_context(
            EmbeddedApiServer(now=lambda: datetime.now(UTC), directory=directory / "apiserver")
        )
        kubeconfig = api.kubeconfig(directory / "admin.yaml")
        kube = await stack.enter_async_context(await client.connect(str(kubeconfig)))
        made = World(api, directory, kube, server, free_port(), loads)
        for collection, body in manifests.installed(made.port):
            await kube.create(collection, body)
        await stack.enter_async_context(_going(*_surroundings(made, pods_a_node)))
        yield made


def _surroundings(made: World, pods_a_node: int) -> Iterator[Coroutine[Any, Any, None]]:
    """What makes pods of Deployments, and replicas of HPAs; and who writes down what came of it."""
    inside = made.api.kube
    kubelet = Kubelet(inside, IPv4Network("127.200.0.0/16"), Starts(0.0), REAL.wall)
    kubelet.is_in_a_hurry, kubelet.pods_a_node = True, pods_a_node
    machinery = Machinery(inside, WorkloadControllers(inside), kubelet, REAL)
    yield machinery.run()

    def ready(namespace: str, name: str) -> int:
        found = machinery.deployments.objects.get((namespace, name))
        return int(((found or {}).get("status") or {}).get("readyReplicas") or 0)

    recorder = Recorder(inside, "horizontal-pod-autoscaler", "1")
    yield recorder.run()
    yield _synced(HpaLoop(made.kube, REAL, recorder, ready))

    def asked_for(raw: Json, _: int | None) -> int:
        return int(raw["spec"]["replicas"])

    seen = Cache(inside, DEPLOYMENTS.collection(NAMESPACE), asked_for)

    def write_down(key: Key, _: int | None, new: int | None) -> None:
        if new is not None:
            made.replicas[key[1]].append(new)

    seen.subscribe(write_down)
    yield seen.run()


async def _synced(hpas: HpaLoop) -> None:
    while True:
        await hpas.sync_all()
        await asyncio.sleep(HPA_SYNC_S)


@asynccontextmanager
async def _going(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def until(
    holds: Callable[[], Awaitable[bool]], what: str, hint: Callable[[], str] = str
) -> None:
    """Wait until something holds; while the API server cannot tell, it does not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DEADLINE_S):
            while True:
                with contextlib.suppress(KubeError):
                    if await holds():
                        return
                await asyncio.sleep(0.01)
    raise AssertionError(f"waited {DEADLINE_S:g} s in vain for {what}; {hint()}")


async def touch(kube: Kube, path: str) -> None:
    """Change an object in a way that nobody minds, so that its version moves."""
    change = {"metadata": {"annotations": {"example.com/at": datetime.now(UTC).isoformat()}}}
    await kube.patch(path, change, PatchType.MERGE)
