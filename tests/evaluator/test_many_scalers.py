"""A thousand scalers: what they cost the API server."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.kube.port import Json, PatchType
from tests.evaluator.world import World, loop_s
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime(noop_cycles=2)

SCALERS = 1000


@dataclass(slots=True)
class _CountingKube(FakeKube):
    """Counts statuses by second and keeps only the last: ten thousand copies take too long."""

    written_at_s: list[float] = field(default_factory=list)

    async def patch(
        self, path: str, body: Json | list[Json], kind: PatchType, params: Any = None
    ) -> Json:
        assert isinstance(body, dict)
        self.written_at_s.append(loop_s())
        found = self.objects[path.removesuffix("/status")]
        found["status"] = body["status"]
        return found


@pytest.mark.timeout(120)
async def test_a_thousand_steady_scalers_stay_below_twenty_writes_a_second() -> None:
    """Loads that wobble in the dead band, for ten minutes: below it in every ten seconds."""
    kube = _CountingKube()
    world = World(kube)
    wobble = itertools.cycle([1.0, 1.04, 0.96, 1.02])
    for i in range(SCALERS):
        world.add(f"s{i}", replicas=1, says=1.0)
    async with world.leading() as evaluator:
        await asyncio.sleep(15)
        assert evaluator.vouches()
        kube.written_at_s.clear()
        for _ in range(60):
            for name in world.source.answers:
                world.source.answers[name] = next(wobble)
            await asyncio.sleep(10)
    by_ten_seconds = Counter(int(at_s // 10) for at_s in kube.written_at_s)
    assert 0 < len(kube.written_at_s) / 600 < 20
    assert max(by_ten_seconds.values()) < 200
