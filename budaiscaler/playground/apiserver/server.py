"""Puts the embedded API server together, and runs it."""

from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from aiohttp import web

from budaiscaler.kube.port import Kube
from budaiscaler.playground.apiserver import bootstrap, builtin
from budaiscaler.playground.apiserver.aggregating import Aggregator
from budaiscaler.playground.apiserver.http import Endpoint
from budaiscaler.playground.apiserver.in_process import InProcessKube
from budaiscaler.playground.apiserver.kinds import Kinds
from budaiscaler.playground.apiserver.registry import Registry
from budaiscaler.playground.apiserver.routing import Router
from budaiscaler.playground.apiserver.store import Store
from budaiscaler.playground.apiserver.users import Users
from budaiscaler.runtime import tls
from budaiscaler.runtime.tls import KeyPair

HOST = "127.0.0.1"
_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
_CLOSE_WITHIN_S = 0.01
"""Connections are dropped, not drained; 0 would wait for ever."""


class EmbeddedApiServer:
    """A Kubernetes API on loopback; see the package. Use as an async context manager.

    Args:
        now: the time that objects are stamped with; TLS and time-outs go by the real one.
        directory: where its certificates are put; made if it is not there.
        port: 0 takes a free one.
    """

    def __init__(self, *, now: Callable[[], datetime], directory: Path, port: int = 0) -> None:
        self._directory = directory
        self._port = port
        self._ca, self._front_proxy_ca = _authority("kube"), _authority("front-proxy")
        store, kinds, self._users = Store(), Kinds(), Users()
        for kind in builtin.kinds():
            kinds.add(kind)
        registry = Registry(store, kinds, now)
        self._aggregator = Aggregator(
            store, directory / "front-proxy.crt", directory / "front-proxy.key", now
        )
        self._router = Router(registry, kinds, self._users, self._aggregator, now)
        self._endpoint = Endpoint(self._router, self._users)
        self._connections: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._checks: asyncio.Task[None] | None = None
        bootstrap.fill(
            registry,
            client_ca=self._ca.certificate,
            front_proxy_ca=self._front_proxy_ca.certificate,
        )

    @property
    def url(self) -> str:
        """`https://127.0.0.1:<port>`; the port is known once it listens, and is kept."""
        return f"https://{HOST}:{self._port}"

    @property
    def kube(self) -> Kube:
        """The same API in this process, as administrator."""
        return InProcessKube(self._router)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._write_certificates)
        self._connections = self._endpoint.server()
        await self._listen(self._connections)
        # No TaskGroup: the fixture of a test enters and leaves us in two different tasks.
        self._checks = asyncio.create_task(self._aggregator.run(), name="apiservices")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._stop_listening()
            if self._checks is not None:
                self._checks.cancel()
                with suppress(asyncio.CancelledError):
                    await self._checks  # tells of its failure, if it had one
        finally:
            await self._aggregator.close()

    def kubeconfig(self, path: Path, user: str = "admin") -> Path:
        """Write a kubeconfig with our CA and a token of that user.

        Args:
            path: of the file; it is readable by its owner only.
            user: any name, `system:serviceaccount:<namespace>:<name>` for a service account.
        """
        cluster = {
            "server": self.url,
            "certificate-authority-data": b64encode(self._ca.certificate).decode(),
        }
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "embedded",
            "clusters": [{"name": "embedded", "cluster": cluster}],
            "contexts": [{"name": "embedded", "context": {"cluster": "embedded", "user": user}}],
            "users": [{"name": user, "user": {"token": self._users.token(user)}}],
        }
        path.touch(mode=0o600)
        path.chmod(0o600)  # also of one that was there
        path.write_text(json.dumps(content, indent=2))
        return path

    async def restart(self) -> None:
        """Drop every connection, and listen again on the same port; what is stored is kept."""
        await self._stop_listening()
        if self._connections is not None:
            await self._listen(self._connections)

    def compact(self) -> None:
        """Forget what happened so far: watches and continued lists from before get a 410."""
        self._router.registry.store.compact()
        self._router.lists.forget()

    @property
    def open_watches(self) -> int:
        """How many there are, in process and over HTTP."""
        return self._router.watches.count

    def disconnect_watches(self) -> None:
        """End every watch, in process and over HTTP."""
        self._router.watches.disconnect()

    async def _listen(self, connections: web.Server) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._directory / "server.crt", self._directory / "server.key")
        if self._connections is None:
            self._connections = self._endpoint.server()
        # Not by a runner of aiohttp's, which forgets connections whose handshake is under way.
        self._listener = await asyncio.get_running_loop().create_server(
            connections, HOST, self._port, ssl=context, reuse_address=True
        )
        self._port = self._listener.sockets[0].getsockname()[1]
        self._router.address = f"{HOST}:{self._port}"

    async def _stop_listening(self) -> None:
        self.disconnect_watches()
        if self._listener is not None:
            for one in self._listener.sockets:
                asyncio.get_running_loop().remove_reader(one.fileno())
            await asyncio.sleep(0)  # asyncio loses what it accepted just before it closes
            self._listener.close()
            self._listener = None
        if self._connections is not None:
            await self._connections.shutdown(_CLOSE_WITHIN_S)

    def _write_certificates(self) -> None:
        now = datetime.now(UTC)
        self._directory.mkdir(parents=True, exist_ok=True)
        pairs = {
            "server": tls.issue_leaf(self._ca, _NAMES, now, addresses=(HOST,)),
            "front-proxy": tls.issue_client(self._front_proxy_ca, bootstrap.FRONT_PROXY, now),
        }
        for name, pair in pairs.items():
            (self._directory / f"{name}.crt").write_bytes(pair.certificate)
            key = self._directory / f"{name}.key"
            key.touch(mode=0o600)
            key.write_bytes(pair.key)
        (self._directory / "ca.crt").write_bytes(self._ca.certificate)


def _authority(name: str) -> KeyPair:
    return tls.make_ca(f"budaiscaler-embedded-{name}", datetime.now(UTC))
