"""Whole copies of the adapter before a cluster in memory, with a Prometheus of a few lines."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from adapter import server
from adapter.request_header import NAME, NAMESPACE
from adapter.settings import AdapterSettings
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import (
    API_SERVICES,
    BUDAISCALERS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    LEASES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SUBJECT_ACCESS_REVIEWS,
)
from budaiscaler.runtime import settings
from tests import samples
from tests.adapter import pki
from tests.adapter.api import HEADERS, HPA, METRIC, PROXY
from tests.fakes.kube import FakeKube

API_SERVICE = API_SERVICES.item(None, "v1beta1.external.metrics.k8s.io")
FRONT_PROXY = CONFIG_MAPS.item(NAMESPACE, NAME)
LEASE = LEASES.item("budaiscaler-system", "budaiscaler-adapter")
SECRET = SECRETS.item("budaiscaler-system", "budaiscaler-adapter-tls")


def cluster() -> FakeKube:
    """A cluster with a Deployment of two pods, a scaler of it, and what the adapter needs."""
    kube = FakeKube()
    kube.put(FRONT_PROXY, {"data": HEADERS})
    service = {"name": "budaiscaler-adapter", "namespace": "budaiscaler-system"}
    kube.put(API_SERVICE, {"spec": {"group": "external.metrics.k8s.io", "service": service}})
    kube.put(DEPLOYMENTS.item("ml", "chat"), samples.deployment(replicas=2))
    kube.put(REPLICA_SETS.item("ml", "chat"), samples.replica_set("chat", replicas=2))
    for number in range(2):
        kube.put(PODS.item("ml", f"chat-{number}"), samples.pod("chat", number))
    kube.put(BUDAISCALERS.item("ml", "chat"), samples.scaler())
    kube.answers[SUBJECT_ACCESS_REVIEWS.collection()] = lambda _: {"status": {"allowed": True}}
    return kube


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(slots=True)
class Copy:
    """One copy of the adapter, as its process runs it."""

    kube: FakeKube
    options: AdapterSettings
    task: asyncio.Task[None] | None = None
    trusted: bytes = b""
    name: str = pki.SERVICE

    def tls(self, client: bytes | None) -> ssl.SSLContext:
        trusted = self.trusted or base64.b64decode(self.kube.objects[SECRET]["data"]["ca.crt"])
        context = pki.context(client)
        context.load_verify_locations(cadata=trusted.decode())
        return context

    async def get(self, path: str = METRIC, *, client: bytes | None = PROXY) -> tuple[int, str]:
        """Ask as kube-apiserver does, which verifies our certificate by our Service's name."""
        async with (
            aiohttp.ClientSession(f"https://127.0.0.1:{self.options.secure_port}") as session,
            session.get(
                path,
                ssl=self.tls(client),
                server_hostname=self.name,
                headers={"X-Remote-User": HPA} if client else {},
            ) as response,
        ):
            return response.status, await response.text()

    async def published(self) -> dict[str, str]:
        """The published loads by scaler; empty while they are refused."""
        status, text = await self.get()
        items: list[Any] = json.loads(text)["items"] if status == 200 else []
        return {item["metricLabels"]["scaler"]: item["value"] for item in items}

    async def ready(self) -> tuple[int, str]:
        return await self.get("/readyz?verbose", client=None)

    async def stop(self) -> None:
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def options(prometheus: str, *arguments: str) -> AdapterSettings:
    """Flags of a copy that is in a hurry."""
    flags = {
        "prometheus-url": prometheus,
        "bind-address": "127.0.0.1",
        "secure-port": str(free_port()),
        "evaluation-interval": "100ms",
        "shutdown-delay": "0",
        "lease-duration": "1s",
        "lease-renew-deadline": "800ms",
        "lease-retry-period": "20ms",
    }
    written = [f"--{flag}={value}" for flag, value in flags.items()]
    return settings.read(AdapterSettings, [*written, *arguments])


@asynccontextmanager
async def running(kube: FakeKube, prometheus: str, *arguments: str) -> AsyncIterator[Copy]:
    """Run a copy until it has been told to stop or the test is over."""
    copy = Copy(kube, options(prometheus, *arguments))
    copy.task = asyncio.ensure_future(server.run(kube, copy.options))
    try:
        await until(lambda: _is_alive(copy))
        yield copy
    finally:
        await copy.stop()


async def _is_alive(copy: Copy) -> bool:
    assert copy.task is not None
    if copy.task.done():
        copy.task.result()
    try:
        async with (
            aiohttp.ClientSession(f"https://127.0.0.1:{copy.options.secure_port}") as session,
            session.get("/livez", ssl=False) as response,
        ):
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


async def until(holds: Callable[[], Any]) -> None:
    """Wait until something holds, five seconds at most."""
    async with asyncio.timeout(5):
        while True:
            found = holds()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


def holder(kube: FakeKube) -> str:
    lease: Json = kube.objects.get(LEASE, {"spec": {}})
    return str(lease["spec"].get("holderIdentity", ""))
