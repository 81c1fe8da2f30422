"""What is published of scalers in a cluster in memory, at a time that tests set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from adapter.external_metrics import ExternalMetrics
from adapter.store import Store
from budaiscaler.domain import times
from budaiscaler.domain.api.base import API_VERSION
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.kube.cache import Cache
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import BUDAISCALERS
from tests import samples
from tests.conftest import NOON
from tests.fakes.kube import FakeKube

GRACE = timedelta(minutes=5)


def at(seconds: float) -> str:
    """A time on the wire, so long after noon."""
    return times.rfc3339(NOON + timedelta(seconds=seconds))


@dataclass(slots=True)
class Published:
    """The read side of an adapter.

    Attributes:
        now: what the clock shows.
        word: when a leader last vouched.
        controllers_word: when the leader of the controllers did.
    """

    kube: FakeKube
    now: datetime = NOON
    word: datetime | None = NOON
    controllers_word: datetime | None = NOON
    store: Store = field(init=False)

    def __post_init__(self) -> None:
        self.store = Store(lambda: self.now)

    def put(
        self,
        name: str = "chat",
        *,
        namespace: str = "ml",
        spec: Json | None = None,
        generation: int = 1,
        uid: str | None = None,
        **status: Any,
    ) -> None:
        """Put a scaler with a status."""
        metadata = {"name": name, "namespace": namespace, "generation": generation}
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {**metadata, "uid": uid or f"{namespace}-{name}"},
            "spec": spec or samples.raw_spec(),
            "status": {"observedGeneration": generation, **status},
        }
        self.kube.put(BUDAISCALERS.item(namespace, name), body)

    def remove(self, name: str, namespace: str = "ml") -> None:
        self.kube.remove(BUDAISCALERS.item(namespace, name))

    async def ask(
        self, metric: str = "desired-load", selector: str = "", namespace: str = "ml"
    ) -> list[Json]:
        """Ask, after everything that was put has become known; gives the items."""
        for _ in range(10):
            await asyncio.sleep(0)
        metrics = ExternalMetrics(
            self.store,
            leaders_word=lambda _: self.word,
            controllers_word=lambda _: self.controllers_word,
            grace=GRACE,
            wall_clock=lambda: self.now,
        )
        items: list[Json] = json.loads(metrics.answer(namespace, metric, selector))["items"]
        return items

    async def values(self, metric: str = "desired-load", selector: str = "") -> dict[str, str]:
        """The values by the name of the scaler."""
        items = await self.ask(metric, selector)
        return {item["metricLabels"]["scaler"]: item["value"] for item in items}


def source(name: str = "queue", value: object = "12", **fields: Any) -> Json:
    """What a status reports of a source."""
    return {"name": name, "metric": name, "value": value, **fields}


@asynccontextmanager
async def publishing(kube: FakeKube) -> AsyncIterator[Published]:
    """Follow the scalers of the cluster."""
    scalers: Cache[Scaler] = Cache(kube, BUDAISCALERS.collection(), project_scaler)
    published = Published(kube)
    published.store.follow(scalers)
    task = asyncio.ensure_future(scalers.run())
    await scalers.synced.wait()
    try:
        yield published
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
