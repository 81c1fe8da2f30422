"""The story itself: second after second, the same requests for every workload.

Requests come by whole seconds of the story, so that they are the same for the same seed. Workloads
are as real as their API server, that of the plain HPA too: which pods are ready is looked up in
between, about twenty times a real second.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from budaiscaler.domain import times
from budaiscaler.kube.port import Json
from budaiscaler.playground.cluster import objects
from budaiscaler.playground.cluster.machinery import Machinery
from budaiscaler.playground.fleet.fleet import Account, Fleet
from budaiscaler.playground.fleet.scraping import Scraper
from budaiscaler.playground.fleet.serving import Server, Servers
from budaiscaler.playground.manifests import NAMESPACE
from budaiscaler.playground.scenarios import Incident, Scenario
from budaiscaler.playground.traffic.arrivals import Arrivals
from budaiscaler.runtime.clock import Clock

TICK_REAL_S = 0.05
MOST_STEPS = 600
"""In a row, before others get a turn."""
STEP_S = 1.0
GRACE_REAL_S = 0.5


@dataclass(slots=True)
class Workload:
    """One that is scaled.

    Attributes:
        fleet: the servers in its pods.
        account: what they cost, and how they serve.
        asked: replicas asked for.
        pods: live ones, those that start included.
        is_settled: whether its servers are as after a while of the first requests.
    """

    fleet: Fleet
    account: Account = field(default_factory=Account)
    asked: int = 0
    pods: int = 0
    is_settled: bool = False


@dataclass(slots=True)
class Play:
    """Everything that moves.

    Attributes:
        clock: of the story.
        machinery: where pods are looked up.
        servers: where they answer.
        workloads: by name.
        scraper: has the figures that the plain HPA goes by.
        arrivals: requests.
        scenario: what goes wrong.
        happens: does an incident to the cluster.
        second: of the story, since it began.
        sent: requests in the last second.
    """

    clock: Clock
    machinery: Machinery
    servers: Servers
    workloads: dict[str, Workload]
    scraper: Scraper
    arrivals: Arrivals
    scenario: Scenario
    happens: Callable[[Incident], Awaitable[None]]
    second: int = 0
    sent: int = 0
    _began_s: float | None = None
    _here: dict[str, Server] = field(default_factory=dict)
    _leaving: dict[str, tuple[Server, float]] = field(default_factory=dict)
    _idle: dict[str, Fleet] = field(default_factory=lambda: defaultdict(Fleet))

    async def run(self, for_s: float | None) -> None:
        """Let the story go on, for ever or for so many seconds of it."""
        self._began_s = self.clock.monotonic()
        while for_s is None or self.second < int(for_s):
            await self.look()
            due = int(self.clock.monotonic() - self._began_s)
            due = due if for_s is None else min(due, int(for_s))
            for _ in range(min(MOST_STEPS, due - self.second)):
                for incident in self.scenario.at(self.second):
                    await self.happen(incident)
                self._step()
            await asyncio.sleep(TICK_REAL_S)

    async def settle(self) -> None:
        """Have requests come as at the beginning, before the story begins and is counted.

        The servers that decide are started with it: they must not see a load of nothing first.
        """
        await self.look()
        per_s = self.arrivals.rate(0.0)
        for workload in self.workloads.values():
            is_whole = 0 < workload.asked == len(workload.fleet.engines)
            if is_whole and not workload.is_settled:
                workload.fleet.settle(per_s)
                workload.is_settled = True

    async def happen(self, incident: Incident) -> None:
        """Let something go wrong, for all alike."""
        if incident in (Incident.BREAK_METRICS, Incident.MEND_METRICS):
            self.servers.is_broken = incident is Incident.BREAK_METRICS
        await self.happens(incident)

    async def look(self) -> None:
        """See which pods there are, and have servers in them."""
        by_workload = self._pods()
        by_address: dict[str, Server] = {}
        for name, pods in by_workload.items():
            workload = self.workloads.get(name)
            fleet = workload.fleet if workload is not None else self._idle[name]
            # A server answers before its pod is told ready, or it would look broken for a moment.
            ready = {pod["metadata"]["name"] for pod in pods if objects.is_ready(pod)}
            fleet.follow(ready, {pod["metadata"]["name"] for pod in pods} - ready)
            if workload is not None:
                workload.pods = len(pods)
            for pod in pods:
                address = (pod.get("status") or {}).get("podIP")
                engine = fleet.engine(pod["metadata"]["name"])
                if address and engine is not None:
                    by_address[address] = Server(engine, name, _started_at_s(pod))
        for name, workload in self.workloads.items():
            if name not in by_workload:
                workload.fleet.follow(())
                workload.pods = 0
            deployment = self.machinery.deployments.objects.get((NAMESPACE, name))
            spec = deployment["spec"] if deployment is not None else {"replicas": 0}
            workload.asked = int(spec.get("replicas", 1))
        await self.servers.follow(self._with_leaving(by_address))

    def _with_leaving(self, by_address: dict[str, Server]) -> dict[str, Server]:
        """Add those that went just now.

        A pod that is told to end answers for a while, and who asks has not yet heard that it went.
        """
        now_s = time.monotonic()
        for address, server in self._here.items():
            if address not in by_address:
                self._leaving[address] = (server, now_s + GRACE_REAL_S)
        self._here = by_address
        self._leaving = {
            address: (server, until_s)
            for address, (server, until_s) in self._leaving.items()
            if until_s > now_s and address not in by_address
        }
        return by_address | {address: server for address, (server, _) in self._leaving.items()}

    def _pods(self) -> dict[str, list[Json]]:
        """Live pods by the name of their workload: of what owns what owns them."""
        owners = {
            one["metadata"]["uid"]: objects.owner_name(one)
            for _, one in self.machinery.replica_sets
        }
        found: dict[str, list[Json]] = defaultdict(list)
        for _, pod in self.machinery.pods:
            if objects.is_live(pod):
                owner = owners.get(objects.owner_uid(pod)) or objects.owner_name(pod)
                found[owner].append(pod)
        return found

    def _step(self) -> None:
        self.sent = self.arrivals.next()
        for workload in self.workloads.values():
            workload.fleet.step(self.sent, STEP_S)
            workload.account.note(
                asked=workload.asked,
                paid=workload.pods,
                is_over=workload.fleet.is_over_target,
                for_s=STEP_S,
            )
        self.scraper.look(self.second * STEP_S, is_broken=self.servers.is_broken)
        self.second += 1


def _started_at_s(pod: Json) -> float:
    started = times.parse((pod.get("status") or {}).get("startTime"))
    return started.timestamp() if started is not None else 0.0
