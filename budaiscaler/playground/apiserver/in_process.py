"""The `Kube` port onto the embedded server, without HTTP, as its administrator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from adapter.identity import User
from budaiscaler.kube.port import Json, PatchType, WatchEvent
from budaiscaler.playground.apiserver import failures
from budaiscaler.playground.apiserver.requests import Request
from budaiscaler.playground.apiserver.routing import JSON, Answer, Router, Stream
from budaiscaler.playground.apiserver.users import ADMIN


@dataclass(frozen=True, slots=True)
class InProcessKube:
    """`Kube` on a router; what it gives may be changed by whoever gets it."""

    router: Router
    user: User = ADMIN
    agent: str = "budaiscaler"

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        """Read an object or a list."""
        return await self._ask("GET", path, params)

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in the collection at `path`."""
        return await self._ask("POST", path, body=body)

    async def patch(
        self,
        path: str,
        body: Json | list[Json],
        kind: PatchType,
        params: Mapping[str, str] | None = None,
    ) -> Json:
        """Change an object, or a subresource of it."""
        return await self._ask("PATCH", path, params, body, str(kind))

    async def update(self, path: str, body: Json) -> Json:
        """Replace an object; compares versions."""
        return await self._ask("PUT", path, body=body)

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        """Delete an object; with `uid`, only if it is still that one."""
        options: Json = {"propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        await self._ask("DELETE", path, body=options)

    async def watch(
        self, path: str, params: Mapping[str, str], timeout_s: float
    ) -> AsyncIterator[WatchEvent]:
        """Watch the collection at `path`."""
        query = {**params, "watch": "true", "timeoutSeconds": str(timeout_s)}
        stream = await self.router.answer(Request("GET", path, query, self.user, agent=self.agent))
        if not isinstance(stream, Stream):
            raise failures.bad_request(f"{path} cannot be watched")
        yield WatchEvent("BOOKMARK", {"metadata": {}})
        async for event in stream.watch.events():
            yield WatchEvent(event.type, json.loads(json.dumps(event.object)))

    async def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = JSON,
    ) -> Json:
        raw = b"" if body is None else json.dumps(body).encode()
        request = Request(
            method, path, params or {}, self.user, raw, content_type, agent=self.agent
        )
        answer = await self.router.answer(request)
        if not isinstance(answer, Answer):
            raise failures.bad_request(f"{path} is watched by `watch`")
        # Through JSON, so that nobody can change what is stored; it is faster than a deep copy.
        told = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body)
        decoded: Json = json.loads(told)
        if answer.status >= 400:  # noqa: PLR2004 - HTTP
            raise failures.of_status(answer.status, decoded)
        return decoded
