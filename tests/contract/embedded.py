"""The embedded API server in a thread with a loop of its own, for whoever asks it over HTTP."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from budaiscaler.playground.apiserver import EmbeddedApiServer
from tests.contract.server import Credentials, Lack, Reach

START_S = 20.0

LACKS = frozenset(Lack)
"""It is small on purpose."""


@contextmanager
def running(directory: Path) -> Iterator[Reach]:
    """Run one until the end of the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded-api-server")
    thread.start()
    server = EmbeddedApiServer(now=lambda: datetime.now(UTC), directory=directory / "server")

    async def token(namespace: str, name: str) -> str:
        user = f"system:serviceaccount:{namespace}:{name}"
        path = server.kubeconfig(directory / f"{namespace}.{name}.yaml", user)
        return Credentials.read(path).token

    def forget() -> None:
        async def compact() -> None:
            server.compact()

        asyncio.run_coroutine_threadsafe(compact(), loop).result(START_S)

    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(START_S)
        try:
            yield Reach(
                server.kubeconfig(directory / "admin.yaml"),
                token,
                LACKS,
                forget=forget,
            )
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(START_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
