"""The plain HPA beside our scalers: its pods, its metrics and its HPA are those of the cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from budaiscaler.kube.events import Recorder
from budaiscaler.kube.resources import DEPLOYMENTS, HPAS
from budaiscaler.playground import manifests
from budaiscaler.playground.cluster import objects
from budaiscaler.playground.cluster.hpa_loop import HpaLoop
from budaiscaler.playground.fleet.fleet import Fleet
from budaiscaler.playground.fleet.scraping import Scraper
from budaiscaler.playground.manifests import TWIN
from budaiscaler.runtime.clock import Clock
from tests.playground.cluster import world as worlds
from tests.playground.cluster.world import NAMESPACE, World

SYNC_S = 15


@dataclass(slots=True)
class Story:
    world: World
    fleet: Fleet = field(default_factory=Fleet)
    is_broken: bool = False
    scraper: Scraper = field(init=False)
    loop: HpaLoop = field(init=False)
    second: int = 0

    def __post_init__(self) -> None:
        self.scraper = Scraper(self.fleet)
        clock = Clock(wall=lambda: self.world.now)
        self.loop = HpaLoop(
            self.world.kube,
            clock,
            Recorder(self.world.kube, "hpa", "test", clock.wall),
            ready=lambda _, __: len(self.fleet.engines),
            of_pods=lambda _, __, metric: self.scraper.read(metric),
        )

    async def follow(self) -> None:
        """Have a server in each ready pod."""
        await self.world.passes(2)
        pods = await self.world.pods(TWIN)
        self.fleet.follow([pod["metadata"]["name"] for pod in pods if objects.is_ready(pod)])

    async def minutes(self, count: float, requests_per_s: float) -> int:
        """Let them pass with so many requests; gives the replicas asked for then."""
        for _ in range(int(count * 60 / SYNC_S)):
            for _ in range(SYNC_S):
                self.fleet.step(requests_per_s, 1.0)
                self.scraper.look(self.second, is_broken=self.is_broken)
                self.second += 1
            await self.world.passes(1, after_s=SYNC_S)
            await self.loop.sync_all()
            await self.follow()
        raw = await self.world.kube.get(DEPLOYMENTS.item(NAMESPACE, TWIN))
        return int(raw["spec"]["replicas"])


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """Three replicas under eight requests a second, which is what they are for."""
    async with worlds.world(tmp_path) as world:
        world.kubelet.is_in_a_hurry = True
        await world.add(TWIN, 3)
        await world.passes()
        world.kubelet.is_in_a_hurry = False
        await world.kube.create(HPAS.collection(NAMESPACE), manifests.plain_hpa())
        found = Story(world)
        await found.follow()
        found.fleet.settle(8.0)
        yield found


async def test_it_grows_with_a_crowd_and_shrinks_five_minutes_after(story: Story) -> None:
    """By the stock behaviour, on the figures of the pods alone."""
    assert await story.minutes(4, 8.0) == 3
    most = await story.minutes(2, 20.0)
    assert most > 5, "for the requests that queued up while pods started"
    assert await story.minutes(4, 20.0) == most
    assert await story.minutes(2, 20.0) <= 5

    hpa = await story.world.kube.get(HPAS.item(NAMESPACE, TWIN))
    assert [one["pods"]["metric"]["name"] for one in hpa["status"]["currentMetrics"]] == [
        "requests_running",
        "requests_waiting",
    ]


async def test_without_metrics_it_freezes(story: Story) -> None:
    """Neither up nor down, however much comes, until they are back."""
    story.is_broken = True
    assert await story.minutes(20, 30.0) == 3
    hpa = await story.world.kube.get(HPAS.item(NAMESPACE, TWIN))
    conditions = {one["type"]: one for one in hpa["status"]["conditions"]}
    assert conditions["ScalingActive"]["reason"] == "FailedGetPodsMetric"
    story.is_broken = False
    assert await story.minutes(3, 30.0) > 3
