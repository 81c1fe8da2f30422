"""Probes and metrics of a server without an API of its own."""

from __future__ import annotations

import socket

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from budaiscaler.runtime import probes


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def test_probes() -> None:
    """Live says that it runs; ready says what is missing, until nothing is."""
    problem: str | None = "not the leader yet"
    port, registry = free_port(), CollectorRegistry()
    Gauge("depth", "Depth.", registry=registry).set(7)

    async with (
        probes.serving("127.0.0.1", port, registry, lambda: problem),
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):

        async def get(path: str) -> tuple[int, str]:
            async with session.get(path) as response:
                return response.status, await response.text()

        assert await get("/livez") == await get("/healthz") == (200, "ok")
        assert await get("/readyz") == (503, "not the leader yet")
        problem = None
        assert await get("/readyz") == (200, "ok")
        status, metrics = await get("/metrics")
        assert status == 200
        assert "depth 7.0" in metrics
        assert (await get("/other"))[0] == 404


async def test_ends() -> None:
    """Outside nothing listens any more, also when what was inside failed."""
    port = free_port()
    with pytest.raises(ZeroDivisionError):
        async with probes.serving("127.0.0.1", port, CollectorRegistry(), lambda: None):
            raise ZeroDivisionError

    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
