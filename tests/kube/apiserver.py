"""A tiny HTTP server that answers as it is told, and a client that reads a kubeconfig for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from budaiscaler.kube import client
from budaiscaler.kube.client import KubeClient

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class ApiServer:
    """Answers every request by `answer`, and remembers what came."""

    answer: Answer
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.seen.append(
            Seen(
                request.method,
                request.path,
                dict(request.query),
                dict(request.headers),
                json.loads(text) if text else None,
            )
        )
        return await self.answer(request)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.01)  # 0 would wait for ever
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield
        finally:
            await runner.cleanup()


def kubeconfig(directory: Path, server: str) -> str:
    """Write a kubeconfig with a token, and give its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": "t0ken"}}],
    }
    path = directory / "kubeconfig"
    path.write_text(json.dumps(content))
    return str(path)


@asynccontextmanager
async def connected(directory: Path, answer: Answer) -> AsyncIterator[tuple[KubeClient, ApiServer]]:
    """Give a client that is connected to a server that answers so."""
    server = ApiServer(answer)
    async with (
        server.running(),
        await client.connect(kubeconfig(directory, f"http://127.0.0.1:{server.port}")) as kube,
    ):
        yield kube, server


def always(status: int, body: str | bytes, content_type: str = "application/json") -> Answer:
    """Give the same answer to everything."""
    raw = body.encode() if isinstance(body, str) else body

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=raw, content_type=content_type)

    return answer


def lines(
    *events: Any, then: Callable[[web.StreamResponse], Awaitable[object]] | None = None
) -> Answer:
    """Answer a watch by one JSON line an event."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for event in events:
            raw = event if isinstance(event, bytes) else json.dumps(event).encode()
            await response.write(raw + b"\n")
        if then is not None:
            await then(response)
        return response

    return answer


async def hang(_: object) -> web.Response:
    """Never answer."""
    await asyncio.Event().wait()
    raise AssertionError
