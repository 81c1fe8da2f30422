"""The servers as a network sees them: each at an address of its own, on this machine's loopback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import structlog
from aiohttp import web

from budaiscaler.playground.fleet import page
from budaiscaler.playground.fleet.engine import Engine

PORT = 8000
"""That of vLLM, and of all servers: what differs is the address."""

STOP_WITHIN_S = 0.1

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Server:
    """What answers at an address.

    Attributes:
        engine: whose page it is.
        model: that it serves.
        started_at_s: in seconds since the epoch.
    """

    engine: Engine
    model: str
    started_at_s: float


@dataclass(slots=True)
class Servers:
    """All of them, behind one application. Use as an asynchronous context manager.

    Attributes:
        by_address: who answers where; `follow` opens and closes what that takes.
        port: of all of them.
        is_broken: whether all of them answer errors instead of their page.
    """

    port: int = PORT
    is_broken: bool = False
    by_address: Mapping[str, Server] = field(default_factory=dict)
    _sites: dict[str, web.TCPSite] = field(default_factory=dict)
    _runner: web.AppRunner = field(init=False)

    def __post_init__(self) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", self._health)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_WITHIN_S)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def follow(self, by_address: Mapping[str, Server]) -> None:
        """Answer at these addresses, and at no others.

        An address that cannot be had is tried again the next time; meanwhile whoever asks there is
        refused, as by a server that hangs in its start.
        """
        self.by_address = by_address
        for address in self._sites.keys() - by_address.keys():
            await self._sites.pop(address).stop()
        for address in by_address.keys() - self._sites.keys():
            site = web.TCPSite(self._runner, address, self.port)
            try:
                await site.start()
            except OSError as error:
                await site.stop()
                _log.warning("server_not_started", address=address, error=str(error))
            else:
                self._sites[address] = site

    def answers(self, address: str) -> bool:
        """Whether somebody answers there."""
        return address in self._sites

    async def _metrics(self, request: web.Request) -> web.Response:
        server = self._asked(request)
        if self.is_broken or server is None:
            return web.Response(status=503, text="the metrics are broken, as you wished\n")
        text = page.render(server.engine, model=server.model, started_at_s=server.started_at_s)
        return web.Response(body=text.encode(), headers={"Content-Type": page.CONTENT_TYPE})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self._asked(request) is not None else 503)

    def _asked(self, request: web.Request) -> Server | None:
        socket = request.transport.get_extra_info("sockname") if request.transport else None
        return self.by_address.get(socket[0]) if socket else None
