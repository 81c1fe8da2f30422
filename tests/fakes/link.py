"""One client's connection to an API server: it can be slow, lose answers, or be cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from budaiscaler.domain.errors import KubeUnreachableError
from budaiscaler.kube.port import Json, Kube, PatchType, WatchEvent

T = TypeVar("T")


@dataclass(slots=True)
class Link:
    """A `Kube` with a line of its own to the server that others see too.

    Attributes:
        is_cut: requests are refused at once.
        is_hanging: requests are never answered and never arrive.
        answer_after_s: how long a request that was carried out takes to be answered.
    """

    server: Kube
    is_cut: bool = False
    is_hanging: bool = False
    answer_after_s: dict[str, float] = field(default_factory=dict)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        return await self._through("get", self.server.get(path, params))

    async def create(self, path: str, body: Json) -> Json:
        return await self._through("create", self.server.create(path, body))

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        return await self._through("patch", self.server.patch(path, body, kind, params))

    async def update(self, path: str, body: Json) -> Json:
        return await self._through("update", self.server.update(path, body))

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        return await self._through("delete", self.server.delete(path, uid=uid))

    async def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        async for event in self.server.watch(path, params, timeout_s):
            yield event

    async def _through(self, verb: str, request: Awaitable[T]) -> T:
        if self.is_cut or self.is_hanging:
            asyncio.ensure_future(request).cancel()
            if self.is_hanging:
                await asyncio.Event().wait()
            raise KubeUnreachableError("the line is cut")
        answer = await request
        await asyncio.sleep(self.answer_after_s.get(verb, 0.0))
        return answer
