"""A cache of the label `v` of ConfigMaps, and what its listener was told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from budaiscaler.kube.backoff import Backoff
from budaiscaler.kube.cache import Cache, Key
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import CONFIG_MAPS

COLLECTION = CONFIG_MAPS.collection()
Told = tuple[str, str | None, str | None]


def project(raw: Json, _: str | None) -> str | None:
    """Keep the label `v`; an object without it is none of ours."""
    found: str | None = raw["metadata"].get("labels", {}).get("v")
    return found


def item(name: str) -> str:
    return CONFIG_MAPS.item("ns", name)


def body(value: str | None) -> Json:
    return {"metadata": {"labels": {} if value is None else {"v": value}}}


@dataclass(slots=True)
class Listener:
    """Remembers what it was told: name, before, after."""

    told: list[Told] = field(default_factory=list)

    def __call__(self, key: Key, old: str | None, new: str | None) -> None:
        self.told.append((key[1], old, new))

    def take(self) -> list[Told]:
        """What was told since the last time."""
        told = self.told.copy()
        self.told.clear()
        return told


def make(kube: Kube, field_selector: str | None = None) -> Cache[str]:
    return Cache(
        kube,
        COLLECTION,
        project,
        field_selector=field_selector,
        backoff=Backoff(random=random.Random(1)),
        clock=asyncio.get_running_loop().time,
    )


@asynccontextmanager
async def running(cache: Cache[str]) -> AsyncIterator[asyncio.Task[None]]:
    """Run it, wait until it was listed once, and cancel it at the end."""
    task = asyncio.ensure_future(cache.run())
    try:
        await cache.synced.wait()
        await settle()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)
