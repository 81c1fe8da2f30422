"""Pretended servers on loopback, each at its own address."""

from __future__ import annotations

import aiohttp

from budaiscaler.playground.fleet.engine import Engine
from budaiscaler.playground.fleet.serving import Server, Servers

A, B = "127.11.0.1", "127.11.0.2"


def server(running: float) -> Server:
    return Server(Engine(running=running), "chat", 1_790_000_000)


async def ask(servers: Servers, address: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{address}:{servers.port}/metrics") as answer,
    ):
        return answer.status, await answer.text()


async def test_each_address_tells_of_its_own_server() -> None:
    """Two pods at the same port are two servers, and one that goes does not answer any more."""
    async with Servers(port=18_371) as servers:
        await servers.follow({A: server(1.0), B: server(2.0)})
        assert 'num_requests_running{model_name="chat"} 1.0' in (await ask(servers, A))[1]
        assert 'num_requests_running{model_name="chat"} 2.0' in (await ask(servers, B))[1]
        await servers.follow({B: server(3.0)})
        assert 'num_requests_running{model_name="chat"} 3.0' in (await ask(servers, B))[1]
        try:
            status, _ = await ask(servers, A)
        except aiohttp.ClientConnectionError:
            status = 0
        assert status == 0


async def test_broken_metrics_are_an_error_and_no_number() -> None:
    """While they are broken every server answers 503, and after that as before."""
    async with Servers(port=18_372) as servers:
        await servers.follow({A: server(1.0)})
        servers.is_broken = True
        assert (await ask(servers, A))[0] == 503
        servers.is_broken = False
        assert (await ask(servers, A))[0] == 200


async def test_an_address_that_cannot_be_had_is_tried_again() -> None:
    """Somebody else has it for a while; nothing else is the worse for it."""
    async with Servers(port=18_373) as other, Servers(port=18_373) as servers:
        await other.follow({A: server(9.0)})
        await servers.follow({A: server(1.0), B: server(2.0)})
        assert "running" in (await ask(servers, B))[1]
        await other.follow({})
        await servers.follow({A: server(1.0), B: server(2.0)})
        assert 'num_requests_running{model_name="chat"} 1.0' in (await ask(servers, A))[1]
