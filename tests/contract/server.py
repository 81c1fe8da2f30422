"""An API server as the stories of this suite see it; which one it is, they do not know."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import yaml
from multidict import CIMultiDictProxy

from budaiscaler.domain.errors import ConflictError
from budaiscaler.kube import client
from budaiscaler.kube.client import KubeClient
from budaiscaler.kube.port import Json, WatchEvent
from budaiscaler.kube.resources import Resource
from tests.contract import crds
from tests.contract.waiting import DEADLINE_S

NAMESPACES = Resource("", "v1", "namespaces")
JSON = "application/json"


class Lack(Enum):
    """What an API server deliberately does not do; stories assert what it does instead."""

    CEL = "x-kubernetes-validations are not evaluated: our servers say Ready=False instead"
    RBAC = "whoever is known may do everything"
    KUBELETS = "pods go at once, since nobody runs them"


@dataclass(frozen=True, slots=True)
class Reach:
    """How to get at a server, as its administrator.

    Attributes:
        lacks: what it deliberately does not do.
        token: gives a token of an existing ServiceAccount, by namespace and name.
        forget: makes it forget what happened, so that the version "1" is too old to watch from; a
            collection that is younger than the server has always forgotten it.
    """

    kubeconfig: Path
    token: Callable[[str, str], Awaitable[str]]
    lacks: frozenset[Lack] = frozenset()
    forget: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def refusal(self, code: int, reason: str) -> Json:
        """Check that this is a failure in the shape that every client reads; gives the Status."""
        status: Json = self.json
        assert self.status == code, self.text
        assert (status["kind"], status["apiVersion"], status["metadata"]) == ("Status", "v1", {})
        assert (status["status"], status["code"]) == ("Failure", code)
        assert status["reason"] == reason, self.text
        assert status["message"]
        return status


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A server, and a namespace of the story's own.

    Attributes:
        kube: the port that all of us use.
        session: for what the port hides: headers, content types, the shape of a failure.
    """

    reach: Reach
    kube: KubeClient
    session: aiohttp.ClientSession
    namespace: str

    @asynccontextmanager
    async def as_bearer(self, token: str) -> AsyncIterator[ApiServer]:
        """Ask as whoever has that token, and show nothing else."""
        credentials = replace(Credentials.read(self.reach.kubeconfig), client=None, token=token)
        async with credentials.session() as session:
            yield replace(self, session=session)

    def lacks(self, what: Lack) -> bool:
        return what in self.reach.lacks

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = JSON,
        content_type: str = JSON,
        **params: str,
    ) -> Answer:
        """Send a request, whatever comes of it; a text is sent as it is."""
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        sent = {"Accept": accept, **({"Content-Type": content_type} if data else {})}
        async with self.session.request(
            method, path, data=data, headers=sent, params=params
        ) as response:
            return Answer(response.status, response.headers, await response.text())

    def widgets(self) -> str:
        """Path of the story's widgets."""
        return crds.WIDGETS.collection(self.namespace)

    def widget_path(self, name: str = "one", subresource: str | None = None) -> str:
        """Path of one of them."""
        return crds.WIDGETS.item(self.namespace, name, subresource)

    async def widget(self, name: str = "one", *, labels: Json | None = None, **spec: Any) -> Json:
        """Create a widget and give it as the server made it."""
        return await self.kube.create(self.widgets(), crds.widget(name, labels=labels, **spec))

    @asynccontextmanager
    async def watching(
        self, path: str, version: str, **params: str
    ) -> AsyncIterator[Callable[[], Awaitable[WatchEvent]]]:
        """Watch from a version; gives what waits for the next event that is no bookmark."""
        query = {"resourceVersion": version, "allowWatchBookmarks": "true", **params}
        async with aclosing(self.kube.watch(path, query, DEADLINE_S)) as events:  # type: ignore[type-var]  # the port promises an iterator only

            async def following() -> WatchEvent:
                async with asyncio.timeout(DEADLINE_S):
                    async for event in events:
                        if event.type != "BOOKMARK":
                            return event
                raise AssertionError("the watch ended")

            yield following


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a kubeconfig says of its only cluster and user."""

    server: str
    authority: str
    token: str = ""
    client: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, path: Path) -> Credentials:
        document = yaml.safe_load(path.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        client = None
        if "client-key-data" in user:
            client = (
                base64.b64decode(user["client-certificate-data"]),
                base64.b64decode(user["client-key-data"]),
            )
        return cls(cluster["server"], authority, user.get("token", ""), client)

    def session(self) -> aiohttp.ClientSession:
        """Make a session that is whom the kubeconfig says."""
        context = ssl.create_default_context(cadata=self.authority)
        if self.client is not None:
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"\n".join(self.client))
                file.flush()
                context.load_cert_chain(file.name)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return aiohttp.ClientSession(
            self.server,
            headers=headers,
            connector=aiohttp.TCPConnector(ssl=context),
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            skip_auto_headers=("Accept", "Content-Type"),
        )


@asynccontextmanager
async def reached(reach: Reach) -> AsyncIterator[ApiServer]:
    """Connect, and give a story a namespace of its own, which goes when it ends."""
    credentials = Credentials.read(reach.kubeconfig)
    namespace = f"contract-{uuid4().hex[:12]}"
    async with (
        await client.connect(str(reach.kubeconfig)) as kube,
        credentials.session() as session,
    ):
        api = ApiServer(reach, kube, session, namespace)
        await crds.install(kube)
        metadata = {"name": namespace}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        await kube.create(NAMESPACES.collection(), body)
        try:
            yield api
        finally:
            with suppress(ConflictError):  # it is going already
                await kube.delete(NAMESPACES.item(None, namespace))
