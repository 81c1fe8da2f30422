"""An embedded API server without a socket, on a clock that a test sets."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from budaiscaler.kube.port import Json, WatchEvent
from budaiscaler.kube.resources import Resource
from budaiscaler.playground.apiserver import bootstrap, builtin
from budaiscaler.playground.apiserver.aggregating import Aggregator
from budaiscaler.playground.apiserver.in_process import InProcessKube
from budaiscaler.playground.apiserver.kinds import Kinds
from budaiscaler.playground.apiserver.registry import Registry
from budaiscaler.playground.apiserver.requests import Request
from budaiscaler.playground.apiserver.routing import Answer, Router, Stream
from budaiscaler.playground.apiserver.store import Store
from budaiscaler.playground.apiserver.users import ADMIN, Users
from tests.conftest import NOON

CONFIG_MAPS = Resource("", "v1", "configmaps").collection("default")
SERVICES = Resource("", "v1", "services")
DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions")
GADGETS = Resource("example.org", "v1", "gadgets")


@dataclass(slots=True)
class World:
    """The parts of a server, put together."""

    now: datetime = NOON
    store: Store = field(default_factory=Store)
    users: Users = field(default_factory=Users)
    router: Router = field(init=False)

    def __post_init__(self) -> None:
        kinds = Kinds()
        for kind in builtin.kinds():
            kinds.add(kind)
        registry = Registry(self.store, kinds, lambda: self.now)
        aggregator = Aggregator(self.store, Path("none"), Path("none"), lambda: self.now)
        self.router = Router(registry, kinds, self.users, aggregator, lambda: self.now)
        bootstrap.fill(registry, client_ca=b"", front_proxy_ca=b"")

    @property
    def kube(self) -> InProcessKube:
        return InProcessKube(self.router)

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        accept: str = "",
        content_type: str = "application/json",
        **query: str,
    ) -> Answer:
        """Send a request with what the port hides: headers and parameters."""
        raw = b"" if body is None else json.dumps(body).encode()
        answer = await self.router.answer(
            Request(method, path, query, ADMIN, raw, content_type, accept)
        )
        assert isinstance(answer, Answer)
        return answer

    async def document(self, path: str, **options: Any) -> Json:
        """GET an object or a document."""
        body = (await self.ask("GET", path, **options)).body
        assert isinstance(body, dict)
        return body

    async def config_map(self, name: str, **metadata: Any) -> Json:
        """Create a ConfigMap, the simplest object there is."""
        return await self.kube.create(CONFIG_MAPS, {"metadata": {"name": name, **metadata}})

    async def watched(self, path: str, **query: str) -> Stream:
        """Begin a watch."""
        request = Request("GET", path, {"watch": "true", **query}, ADMIN)
        stream = await self.router.answer(request)
        assert isinstance(stream, Stream)
        return stream


async def told(stream: Stream, count: int) -> list[tuple[str, str]]:
    """Type and name of the next events of a watch."""
    found: list[WatchEvent] = []
    async with asyncio.timeout(5):
        async for event in stream.watch.events():
            found.append(event)
            if len(found) == count:
                break
    return [(event.type, event.object["metadata"].get("name", "")) for event in found]


def owned_by(owner: Json) -> list[Json]:
    """The owner reference to an object."""
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
        }
    ]


def gadgets(**version: Any) -> Json:
    """A definition of somebody else's kind, whose replicas lie where we would not expect them."""
    text = {"type": "string"}
    size = {"type": "object", "properties": {"count": {"type": "integer"}}}
    status = {"type": "object", "properties": {"running": {"type": "integer"}, "pods": text}}
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": size}},
            "status": status,
        },
    }
    scale = {
        "specReplicasPath": ".spec.size.count",
        "statusReplicasPath": ".status.running",
        "labelSelectorPath": ".status.pods",
    }
    first = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }
    return {
        "metadata": {"name": "gadgets.example.org"},
        "spec": {
            "group": "example.org",
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gad"]},
            "versions": [{**first, **version}],
        },
    }
