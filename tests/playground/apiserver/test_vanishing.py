"""Clients that go in the middle of a request, as whoever presses Ctrl-C in `kubectl get -w`."""

from __future__ import annotations

import asyncio
from typing import Any

from structlog.testing import capture_logs

from budaiscaler.playground.apiserver.http import Endpoint
from tests.playground.apiserver.world import CONFIG_MAPS, World


class Gone(asyncio.Transport):
    """A connection whose client went a moment ago: the server was not told yet."""

    def is_closing(self) -> bool:
        return True

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        """It is closed already."""


async def test_a_watch_that_cannot_begin_is_no_error_and_is_not_kept(world: World) -> None:
    """Nobody logs a traceback for a client that went, and no events pile up for it."""
    token = world.users.token("admin")
    head = f"GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    protocol = Endpoint(world.router, world.users).server()()
    with capture_logs() as logged:
        protocol.connection_made(Gone())
        protocol.data_received(head.encode())
        await asyncio.sleep(0.05)
        protocol.connection_lost(None)

    assert logged == []
    assert world.router.watches.count == 0
