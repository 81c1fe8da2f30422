"""Somebody else who writes what we write: versions conflict, decisions go on, no replica falls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.errors import ConflictError
from budaiscaler.kube.port import Json, Kube, PatchType
from budaiscaler.kube.resources import LEASES
from budaiscaler.playground.manifests import ADAPTER, CONTROLLER, SYSTEM
from tests.fakes.link import Link
from tests.integration.world import World, touch, until


@dataclass(slots=True)
class Contested(Link):
    """A line on which somebody else is faster: of Leases and statuses, by turns or always.

    Attributes:
        is_hopeless: every write conflicts, and not only each second.
        conflicts: that the API server told of.
    """

    is_hopeless: bool = False
    conflicts: list[str] = field(default_factory=list)
    _turns: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    async def update(self, path: str, body: Json) -> Json:
        if "/leases/" in path and self._is_slower("lease"):
            await touch(self.server, path)
        try:
            return await self.server.update(path, body)
        except ConflictError:
            self.conflicts.append(path)
            raise

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        if isinstance(body, dict) and path.endswith("/status") and self._is_slower("status"):
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": "1"}}
        try:
            return await self.server.patch(path, body, kind, params)
        except ConflictError:
            self.conflicts.append(path)
            raise

    def _is_slower(self, what: str) -> bool:
        self._turns[what] += 1
        return self.is_hopeless or self._turns[what] % 2 == 0


@pytest.mark.parametrize("strategy", [Strategy.HPA, Strategy.BUD_SCALER])
async def test_now_and_then(cluster: World, strategy: Strategy) -> None:
    """With every second write of the Lease and of a status in conflict, all goes on as ever."""
    lines: list[Contested] = []

    def wrap(kube: Kube) -> Kube:
        lines.append(Contested(kube))
        return lines[-1]

    await cluster.deploy()
    await cluster.scale(strategy=strategy)
    async with cluster.adapter(wrap=wrap), cluster.controller(wrap=wrap):
        for replicas in (3, 4, 5):
            cluster.load["chat"] = replicas * 10
            await cluster.until_replicas(replicas)
        told = [path for line in lines for path in line.conflicts]

    assert cluster.replicas["chat"] == [2, 3, 4, 5]
    assert any("/leases/" in path for path in told)
    assert any(path.endswith("/status") for path in told)


@pytest.mark.parametrize(
    ("strategy", "role"),
    [
        pytest.param(Strategy.HPA, ADAPTER, id="adapter"),
        pytest.param(Strategy.BUD_SCALER, CONTROLLER, id="controller"),
    ],
)
async def test_a_lease_that_cannot_be_kept(cluster: World, strategy: Strategy, role: str) -> None:
    """A leader that cannot renew stops, and replicas stand; it leads again once it can."""
    lines: list[Contested] = []

    def wrap(kube: Kube) -> Kube:
        lines.append(Contested(kube))
        return lines[-1]

    await cluster.deploy()
    await cluster.scale(strategy=strategy)
    async with cluster.adapter(wrap=wrap), cluster.controller(wrap=wrap):
        await cluster.until_replicas(3)
        for line in lines:
            line.is_hopeless = True
        await cluster.until_given_up(role)
        cluster.load["chat"] = 10
        told = sum(len(line.conflicts) for line in lines)

        async def goes_on() -> bool:
            return sum(len(line.conflicts) for line in lines) > told + 20

        await until(goes_on, "more conflicts")
        cluster.load["chat"] = 50
        for line in lines:
            line.is_hopeless = False
        await cluster.until_replicas(5)

    assert cluster.replicas["chat"] == [2, 3, 5]
    lease = await cluster.kube.get(LEASES.item(SYSTEM, role))
    assert lease["spec"]["leaseTransitions"] == 1
