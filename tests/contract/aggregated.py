"""An aggregated API of the stories' own: a server behind a Service, and its registration."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from budaiscaler.domain.errors import NotFoundError
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import API_SERVICES, CONFIG_MAPS, Resource
from budaiscaler.runtime import tls
from tests.adapter import pki
from tests.contract.server import ApiServer
from tests.contract.waiting import until

SERVICES = Resource("", "v1", "services")
SERVICE = "backend"
FRONT_PROXY = CONFIG_MAPS.item("kube-system", "extension-apiserver-authentication")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived.

    Attributes:
        proxy: common name of the client certificate, empty without one.
    """

    method: str
    path: str
    query: str
    headers: dict[str, list[str]]
    body: str
    proxy: str


@dataclass(slots=True)
class Backend:
    """Serves a group of the story's own, and remembers what came.

    Attributes:
        status: of every answer but discovery's.
    """

    api: ApiServer
    group: str
    authority: pki.Authority
    port: int = 0
    status: int = 200
    seen: list[Seen] = field(default_factory=list)
    _runner: web.AppRunner | None = None
    _context: ssl.SSLContext | None = None

    @property
    def root(self) -> str:
        """Path of what it serves."""
        return f"/apis/{self.group}/v1"

    @property
    def api_service(self) -> str:
        """Path of its registration."""
        return API_SERVICES.item(None, f"v1.{self.group}")

    async def register(self, **spec: Any) -> None:
        """Make the Service and the APIService that lead to it."""
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE},
            "spec": {
                "type": "ExternalName",
                "externalName": "localhost",
                "ports": [{"port": self.port, "protocol": "TCP"}],
            },
        }
        await self.api.kube.create(SERVICES.collection(self.api.namespace), service)
        registration: Json = {
            "apiVersion": API_SERVICES.api_version,
            "kind": "APIService",
            "metadata": {"name": f"v1.{self.group}"},
            "spec": {
                "group": self.group,
                "version": "v1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": {
                    "name": SERVICE,
                    "namespace": self.api.namespace,
                    "port": self.port,
                },
                "caBundle": base64.b64encode(self.authority.pair.certificate).decode(),
                **spec,
            },
        }
        await self.api.kube.create(API_SERVICES.collection(), registration)

    async def available(self, wanted: str) -> Json:
        """Wait for the condition Available of the registration; gives it."""

        async def probe() -> Json | None:
            found = await self.api.kube.get(self.api_service)
            conditions = (found.get("status") or {}).get("conditions") or ()
            for one in conditions:
                if one["type"] == "Available" and one["status"] == wanted:
                    return dict(one)
            return None

        return await until(probe, f"Available={wanted}")

    async def start(self) -> None:
        """Listen, on the port that it always had."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def prepare(self) -> None:
        """Take a certificate of the Service's name, and trust the cluster's front proxy alone."""
        name = f"{SERVICE}.{self.api.namespace}.svc"
        pair = tls.issue_leaf(self.authority.pair, (name,), pki.NOW)
        trusted = (await self.api.kube.get(FRONT_PROXY))["data"]["requestheader-client-ca-file"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(pair.certificate + pair.key)
            file.flush()
            context.load_cert_chain(file.name)
        context.load_verify_locations(cadata=trusted)
        context.verify_mode = ssl.CERT_OPTIONAL
        self._context = context

    async def _answer(self, request: web.Request) -> web.Response:
        certificate = request.get_extra_info("peercert") or {}
        subject = dict(part[0] for part in certificate.get("subject", ()))
        headers = {name: request.headers.getall(name) for name in request.headers}
        seen = Seen(
            request.method,
            request.path,
            request.query_string,
            headers,
            await request.text(),
            subject.get("commonName", ""),
        )
        if request.path == self.root:
            return web.json_response(
                {
                    "kind": "APIResourceList",
                    "apiVersion": "v1",
                    "groupVersion": f"{self.group}/v1",
                    "resources": [
                        {
                            "name": "things",
                            "singularName": "",
                            "namespaced": True,
                            "kind": "ThingList",
                            "verbs": ["get"],
                        }
                    ],
                }
            )
        if not request.path.startswith(self.root):
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        self.seen.append(seen)
        return web.json_response({"kind": "Thing", "said": request.path}, status=self.status)


@asynccontextmanager
async def backend(api: ApiServer) -> AsyncIterator[Backend]:
    """Start one; its registration goes when the story ends."""
    made = Backend(api, f"{api.namespace}.example", pki.authority("backend"))
    await made.prepare()
    await made.start()
    try:
        yield made
    finally:
        await made.stop()
        with suppress(NotFoundError):  # the story had none
            await api.kube.delete(made.api_service)
