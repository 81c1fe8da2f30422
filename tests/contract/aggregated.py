"""An aggregated API of the stories' own: a server behind a Service, and its registration."""

from __future__ import annotations

import base64
import json
import ssl
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

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
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None
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
        """Wait for the condition Available of the registration; gives it.

        An API server passes requests on only some time after it has said that it would.
        """

        async def probe() -> Json | None:
            found = await self.api.kube.get(self.api_service)
            conditions = (found.get("status") or {}).get("conditions") or ()
            for one in conditions:
                if one["type"] == "Available" and one["status"] == wanted:
                    return dict(one)
            return None

        async def passes_on() -> bool | None:
            return True if (await self.api.ask("GET", self.root)).status == 200 else None

        found = await until(probe, f"Available={wanted}")
        if wanted == "True":
            await until(passes_on, "a first request to be passed on")
        return found

    def start(self) -> None:
        """Listen, on the port that it always had."""
        handler = type("Handler", (_Handler,), {"backend": self})
        self._server = _Server(("127.0.0.1", self.port), handler)
        if self._context is not None:  # the handshake is made by the thread of the connection
            self._server.socket = self._context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = self._thread = None

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

    def answer(self, handler: BaseHTTPRequestHandler) -> tuple[int, Json]:
        """Answer a request; what is no discovery is remembered."""
        parts = urlsplit(handler.path)
        path = unquote(parts.path)
        if path == self.root:
            return 200, self._resources
        if not path.startswith(self.root):
            return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
        connection: Any = handler.connection
        subject = dict(part[0] for part in (connection.getpeercert() or {}).get("subject", ()))
        length = int(handler.headers.get("Content-Length") or 0)
        seen = Seen(
            handler.command,
            path,
            parts.query,
            {name: handler.headers.get_all(name) or [] for name in set(handler.headers)},
            handler.rfile.read(length).decode() if length else "",
            subject.get("commonName", ""),
        )
        self.seen.append(seen)
        return self.status, {"kind": "Thing", "said": path}

    @property
    def _resources(self) -> Json:
        things = {
            "name": "things",
            "singularName": "",
            "namespaced": True,
            "kind": "ThingList",
            "verbs": ["get"],
        }
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{self.group}/v1",
            "resources": [things],
        }


class _Server(ThreadingHTTPServer):
    """In threads, since who connects at the end of a story must not be left to its loop."""

    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that break off, as those do that do not trust us."""


class _Handler(BaseHTTPRequestHandler):
    backend: Backend
    timeout = 5.0

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        status, body = self.backend.answer(self)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""


@asynccontextmanager
async def backend(api: ApiServer) -> AsyncIterator[Backend]:
    """Start one; its registration goes when the story ends."""
    made = Backend(api, f"{api.namespace}.example", pki.authority("backend"))
    await made.prepare()
    made.start()
    try:
        yield made
    finally:
        made.stop()
        with suppress(NotFoundError):  # the story had none
            await api.kube.delete(made.api_service)
