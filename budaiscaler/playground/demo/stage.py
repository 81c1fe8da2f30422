"""Sets a demo up, from the API server to the first requests, and takes all of it down again."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.errors import PlaygroundError
from budaiscaler.kube.events import Recorder
from budaiscaler.kube.port import Kube, PatchType
from budaiscaler.kube.resources import API_SERVICES, BUDAISCALERS, DEPLOYMENTS, HPAS
from budaiscaler.playground import manifests
from budaiscaler.playground.apiserver import EmbeddedApiServer
from budaiscaler.playground.cluster.hpa_loop import MANAGER, HpaLoop
from budaiscaler.playground.cluster.kubelet import Kubelet
from budaiscaler.playground.cluster.machinery import Machinery
from budaiscaler.playground.cluster.starts import Starts
from budaiscaler.playground.cluster.workloads import WorkloadControllers
from budaiscaler.playground.demo import export, shown
from budaiscaler.playground.demo.incidents import Incidents
from budaiscaler.playground.demo.options import Options
from budaiscaler.playground.demo.play import Play, Workload
from budaiscaler.playground.demo.servers import Log, Server
from budaiscaler.playground.fleet.fleet import Fleet
from budaiscaler.playground.fleet.scraping import EVERY_S, Scraper
from budaiscaler.playground.fleet.serving import Servers
from budaiscaler.playground.manifests import (
    ADAPTER,
    CONTROLLER,
    NAMESPACE,
    SCALERS,
    SYSTEM,
    TWIN,
    WORKLOADS,
)
from budaiscaler.playground.scenarios import Incident
from budaiscaler.playground.traffic.arrivals import Arrivals
from budaiscaler.runtime import clock as clocks
from budaiscaler.runtime.clock import Clock, Story

LOOPBACK = "127.0.0.1"
READY_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05
LEASE = ("--lease-retry-period=0.25s", "--lease-renew-deadline=5s", "--lease-duration=8s")
"""There are no other copies to wait for, and the first word of a leader comes with a renewal."""

LOOPBACKS = "127.0.0.0/8"

_RESOURCES = {
    "Deployment": DEPLOYMENTS,
    KIND: BUDAISCALERS,
    "HorizontalPodAutoscaler": HPAS,
}


@dataclass(slots=True)
class Stage:
    """Everything of a demo, running.

    Attributes:
        options: what is shown.
        kube: the API server, in this process.
        kubeconfig: for kubectl in a second terminal.
        story: its clock.
        play: what moves.
        log: what the servers told.
        servers: the real ones.
        kubelet: that makes pods ready; those of the beginning at once.
        hpas: acts on HPAs, from the beginning of the story on: what they remember must not depend
            on how long the machine took to set it up.
        began_at: when the story began; None before.
    """

    options: Options
    kube: Kube
    kubeconfig: Path
    story: Story
    play: Play
    log: Log
    servers: tuple[Server, ...]
    kubelet: Kubelet
    hpas: HpaLoop
    began_at: datetime | None = None

    async def run(self) -> None:
        """Wait for the servers, and let the story go on for as long as was asked for.

        Raises:
            ExceptionGroup: of a PlaygroundError: a server ended by itself, or does not get ready.
        """
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(server.watch()) for server in self.servers]
            await self._until_ready()
            self.kubelet.is_in_a_hurry = False
            self.began_at = self.story.now()
            await self._complete(self.options.scenario.fields(self.began_at))
            beside.append(group.create_task(self.hpas.run()))
            for_s = self.options.duration_s
            await self.play.run(None if for_s is None else for_s * self.options.speed)
            for task in beside:
                task.cancel()

    async def _complete(self, fields: dict[str, Any]) -> None:
        """Add what the scenario has the scalers say; some of it names times of the story."""
        if self.options.export is not None:
            export.write(self.options.export, self.options, fields)
        for name in SCALERS if fields else ():
            path = BUDAISCALERS.item(NAMESPACE, name)
            await self.kube.patch(path, {"spec": fields}, PatchType.MERGE)

    async def _until_ready(self) -> None:
        """Until each scaler was evaluated, and the API server reaches the adapter."""
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while not await self._is_ready():
                    await self.play.settle()
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError as error:
            raise PlaygroundError(
                f"adapter and controller did not evaluate every scaler within {READY_WITHIN_S:g} "
                "s: this machine is very busy, or they cannot start; --headless shows what they log"
            ) from error

    async def _is_ready(self) -> bool:
        scalers = (await self.kube.get(BUDAISCALERS.collection(NAMESPACE)))["items"]
        decided = [one for one in scalers if "desiredScale" in (one.get("status") or {})]
        if len(decided) < len(SCALERS):
            return False
        service = await self.kube.get(API_SERVICES.item(None, manifests.API_SERVICE))
        return any(
            condition.get("type") == "Available" and condition.get("status") == "True"
            for condition in (service.get("status") or {}).get("conditions") or ()
        )


@asynccontextmanager
async def opened(options: Options) -> AsyncIterator[Stage]:
    """Set it up; the story begins with `Stage.run`."""
    story = clocks.begin(options.speed)
    clock = story.clock
    async with AsyncExitStack() as stack:
        directory = options.directory
        api = await stack.enter_async_context(
            EmbeddedApiServer(now=story.now, directory=directory / "apiserver")
        )
        kube = api.kube
        port = _free_port()
        for collection, body in manifests.installed(port):
            await kube.create(collection, body)
        servers = await stack.enter_async_context(Servers())
        starts = Starts(options.start_up_s, options.seed)
        kubelet = Kubelet(kube, _network(), starts, story.now, servers.answers)
        kubelet.is_in_a_hurry = True
        names = random.Random(f"names-{options.seed}")  # noqa: S311 - a seed is the point
        machinery = Machinery(kube, WorkloadControllers(kube, names), kubelet, clock)
        incidents = Incidents(kube, Recorder(kube, "playground", "demo", clock.wall))
        play = _play(options, clock, machinery, servers, incidents.happen)
        recorder = Recorder(kube, MANAGER, "demo", clock.wall)
        hpas = HpaLoop(
            kube,
            clock,
            recorder,
            ready=lambda _, name: _ready(play, name),
            of_pods=lambda _, __, metric: play.scraper.read(metric),
        )
        await _show(kube, options)
        log = Log()
        real = _real_servers(api, directory, port, story, log)
        for server in real:
            await stack.enter_async_context(server.running(directory))
        await stack.enter_async_context(
            _going(machinery.run(), recorder.run(), incidents.recorder.run())
        )
        kubeconfig = api.kubeconfig(directory / "kubeconfig")
        yield Stage(options, kube, kubeconfig, story, play, log, real, kubelet, hpas)


@asynccontextmanager
async def _going(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run what does not end by itself while inside; an error in one of them ends all."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
        yield
        for task in tasks:
            task.cancel()


async def _show(kube: Kube, options: Options) -> None:
    """Make workloads and what scales them."""
    for body in (*shown.objects(options, {}), *shown.twin(options)):
        await kube.create(_RESOURCES[body["kind"]].collection(NAMESPACE), body)


def _play(
    options: Options,
    clock: Clock,
    machinery: Machinery,
    servers: Servers,
    happens: Callable[[Incident], Awaitable[None]],
) -> Play:
    rate, shape = shown.traffic(options)
    workloads = {name: Workload(Fleet(shape)) for name in WORKLOADS}
    # However fast a story runs, the plain HPA sees no more of it than our scalers do.
    every_s = max(EVERY_S, clock.least_interval_s)
    return Play(
        clock=clock,
        machinery=machinery,
        servers=servers,
        workloads=workloads,
        scraper=Scraper(workloads[TWIN].fleet, every_s),
        arrivals=Arrivals(rate, options.seed),
        scenario=options.scenario,
        happens=happens,
    )


def _real_servers(
    api: EmbeddedApiServer, directory: Path, port: int, story: Story, log: Log
) -> tuple[Server, ...]:
    def flags(name: str) -> tuple[str, ...]:
        account = f"system:serviceaccount:{SYSTEM}:{name}"
        return (
            f"--kubeconfig={api.kubeconfig(directory / name, account)}",
            f"--bind-address={LOOPBACK}",
            f"--playground-clock={story}",
            f"--allow-source-ranges={LOOPBACKS}",
            *LEASE,
        )

    return (
        Server("adapter", (*flags(ADAPTER), f"--secure-port={port}", "--shutdown-delay=0s"), log),
        Server("controller", (*flags(CONTROLLER), f"--probe-port={_free_port()}"), log),
    )


def _ready(play: Play, name: str) -> int:
    workload = play.workloads.get(name)
    return len(workload.fleet.engines) if workload is not None else 0


def _network() -> IPv4Network:
    """Addresses for pods, others for each demo on this machine."""
    return IPv4Network(f"127.{64 + os.getpid() % 64}.0.0/16")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
        return port
