"""The controller as a process: probes, figures, the Lease, and its end."""

from __future__ import annotations

import asyncio
import socket

import aiohttp
import pytest

from budaiscaler.domain.errors import ConfigurationError, OverloadedError
from budaiscaler.kube.resources import LEASES
from budaiscaler.runtime import settings
from controller import server
from controller.settings import ControllerSettings
from tests.controller.world import World
from tests.evaluator.world import running

LEASE = LEASES.item("budaiscaler-system", "budaiscaler-controller")


def options(**flags: str) -> ControllerSettings:
    """Settings on a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = {"bind-address": "127.0.0.1", "probe-port": str(port), "identity": "copy-1", **flags}
    return settings.read(ControllerSettings, [f"--{key}={value}" for key, value in given.items()])


async def get(chosen: ControllerSettings, path: str) -> tuple[int, str]:
    """Ask the probe server; status 0 while nothing listens."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{chosen.probe_port}{path}") as answer,
        ):
            return answer.status, await answer.text()
    except aiohttp.ClientConnectionError:
        return 0, ""


async def until(chosen: ControllerSettings, path: str, wanted: tuple[int, str]) -> None:
    """Wait until a probe answers so, at most five seconds."""
    last = (0, "")
    for _ in range(500):
        last = await get(chosen, path)
        if last[0] == wanted[0] and wanted[1] in last[1]:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{path} answers {last}, not {wanted}")


async def test_a_controller_from_start_to_end() -> None:
    """It is ready once it has listed, leads, makes a child, counts it, and gives its Lease back."""
    world, chosen = World(), options()
    world.add_scaler()
    world.kube.fail("get", "/horizontalpodautoscalers", OverloadedError(503, "", "not yet"))
    async with running(server.run(world.kube, chosen)):
        await until(chosen, "/readyz", (503, "not listed yet"))
        await until(chosen, "/livez", (200, "ok"))
        world.kube.heal()
        await until(chosen, "/readyz", (200, "ok"))
        await until(chosen, "/metrics", (200, "budaiscaler_owned_hpas 1.0"))
        _, figures = await get(chosen, "/metrics")
        assert "budaiscaler_leader 1.0" in figures
        assert "budaiscaler_hpa_applies_total 1.0" in figures
        assert world.kube.objects[LEASE]["spec"]["holderIdentity"] == "copy-1"

    assert world.kube.objects[LEASE]["spec"]["holderIdentity"] == ""
    assert (await get(chosen, "/livez"))[0] == 0


async def test_a_copy_that_does_not_lead_does_nothing() -> None:
    """While another copy holds the Lease, this one listens, is ready, and writes nothing."""
    world, chosen = World(), options()
    world.add_scaler()
    spec = {"holderIdentity": "copy-2", "renewTime": "2026-01-05T12:00:00.000000Z"}
    world.kube.put(LEASE, {"spec": spec})
    async with running(server.run(world.kube, chosen)):
        await until(chosen, "/readyz", (200, "ok"))
        await until(chosen, "/metrics", (200, "budaiscaler_leader 0.0"))

    assert world.writes() == []


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        pytest.param("workers", "0", "workers", id="workers"),
        pytest.param("resync-interval", "soon", "write for example", id="duration"),
        pytest.param("lease-duration", "5s", "lease needs", id="lease"),
        pytest.param("log-level", "loud", "log-level", id="log-level"),
    ],
)
def test_settings_that_cannot_work_are_named(flag: str, value: str, told: str) -> None:
    """A wrong flag is an error that names it and what to write."""
    with pytest.raises(ConfigurationError, match=told):
        options(**{flag: value})
