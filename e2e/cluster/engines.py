"""Simulated inference servers: one at each pod of a Deployment, at that pod's own address.

They come and go with the pods. A load for all of them is shared evenly among those that are ready,
as behind a Service; a pod can be made to misbehave, in each of the ways that servers do.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import partial
from types import TracebackType
from typing import Final, Self

from budaiscaler.kube.resources import PODS
from e2e.cluster import ports, waiting
from e2e.cluster.api import Api, Object
from e2e.cluster.engine_pages import PAGES, Load
from e2e.cluster.workloads import is_ready

POLL_S: Final = 0.05
SHIFT_S: Final = 1.0
"""Until a pod that became ready is given any load: who counts ready pods knows of it by then."""
JOIN_TIMEOUT_S: Final = 5.0
ROUNDS: Final = 10
WAIT_TIMEOUT_S: Final = 45.0
HUGE_BYTES: Final = 2**30
_CHUNK: Final = b"x" * 65536

Page = Callable[[Load], str]


class Manner(Enum):
    """How a server answers."""

    WELL = auto()
    HANGS = auto()
    REFUSES = auto()
    DRIPS = auto()
    HUGE = auto()
    NAN = auto()
    HTML = auto()


@dataclass(frozen=True, slots=True)
class _Server:
    """What answers at a pod's address."""

    address: str
    listener: asyncio.Server


@dataclass(slots=True)
class Engines:
    """The servers of one Deployment. Use as a context manager.

    Attributes:
        page: what a pod writes of its load; by name that of an engine.
        port: of all of them.
        load: of all together, or of each if `is_shared` is false.
        own: load of pods by name that have one of their own.
        manners: of pods by name; others answer well.
        asked: how often each pod was.
        poll_s: between two looks at which pods there are.
    """

    api: Api
    namespace: str
    deployment: str
    page: Page
    port: int = field(default_factory=lambda: ports.pick(1)[0])
    load: Load = field(default_factory=Load)
    is_shared: bool = True
    own: dict[str, Load] = field(default_factory=dict)
    manners: dict[str, Manner] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    poll_s: float = POLL_S
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _servers: dict[str, _Server] = field(default_factory=dict)
    _ready: dict[str, float] = field(default_factory=dict)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    @classmethod
    def of(cls, api: Api, namespace: str, deployment: str, engine: str) -> Self:
        """Servers that write what an engine does."""
        return cls(api, namespace, deployment, PAGES[engine])

    def share(self, load: Load) -> None:
        """Share a load evenly among all ready pods, however many there are."""
        self.load, self.is_shared = load, True

    def give_each(self, load: Load) -> None:
        """Give each pod this load, however many there are."""
        self.load, self.is_shared = load, False

    def behave(self, manner: Manner, *pods: str) -> None:
        """Have these pods, or all there are, answer so."""
        self.manners |= dict.fromkeys(pods or self.pods(), manner)

    def pods(self) -> list[str]:
        """The pods that have a server now."""
        return sorted(self._servers)

    def wait_for(self, count: int) -> list[str]:
        """Wait until so many pods have a server."""
        return waiting.until(
            lambda: self.pods() if len(self.pods()) == count else None,
            what=f"{count} servers of {self.deployment}",
            timeout_s=WAIT_TIMEOUT_S,
            hint=lambda: f"--- there are {self.pods()}; {self._error!r}",
        )

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join(JOIN_TIMEOUT_S)

    async def _run(self) -> None:
        while not self._ended.is_set():
            try:
                found = await asyncio.to_thread(self.api.get, PODS.collection(self.namespace))
            except (waiting.ClusterError, AssertionError) as error:
                self._error = error
            else:
                await self._follow(found["items"])
            await self._sleep(self.poll_s)
        for server in self._servers.values():
            server.listener.close()
        for _ in range(ROUNDS):  # until who was let in last is served
            await asyncio.sleep(0)
        while self._writers:
            for writer in list(self._writers):
                writer.transport.abort()
            await asyncio.sleep(POLL_S)
        await asyncio.sleep(POLL_S)  # a connection is gone a round after it was told to

    async def _follow(self, pods: list[Object]) -> None:
        live = {
            pod["metadata"]["name"]: (pod["status"]["podIP"], is_ready(pod))
            for pod in pods
            if pod["metadata"].get("labels", {}).get("app") == self.deployment
            and pod["status"].get("podIP")
            and not pod["metadata"].get("deletionTimestamp")
        }
        now_s = time.monotonic()
        self._ready = {
            name: self._ready.get(name, now_s) for name, (_, ready) in live.items() if ready
        }
        for name, server in list(self._servers.items()):
            # A StatefulSet's next pod has the name of the last, and may come between two looks.
            if name not in live or live[name][0] != server.address:
                self._servers.pop(name).listener.close()
        for name in live.keys() - self._servers.keys():
            address, _ = live[name]
            serve = partial(self._serve, name)
            try:
                listener = await asyncio.start_server(serve, address, self.port)
            except OSError as error:  # of a pod that was there before with this address
                self._error = error
            else:
                self._servers[name] = _Server(address, listener)

    async def _serve(
        self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                self.asked[name] = self.asked.get(name, 0) + 1
                await self._answer(name, writer)
                await writer.drain()
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _answer(self, name: str, writer: asyncio.StreamWriter) -> None:
        manner = self.manners.get(name, Manner.WELL)
        if manner is Manner.REFUSES:
            return
        if manner is Manner.HANGS:
            await self._sleep(60)
        elif manner is Manner.HTML:
            writer.write(_head("text/html") + b"<html>num_requests_running 1</html>")
        elif manner is Manner.DRIPS:
            writer.write(_head("text/plain"))
            while await self._sleep(0.2):
                writer.write(b"#")
                await writer.drain()
        elif manner is Manner.HUGE:
            writer.write(_head("text/plain"))
            for _ in range(HUGE_BYTES // len(_CHUNK)):
                writer.write(_CHUNK)
                await writer.drain()
        else:
            body = self._text(name, manner).encode()
            writer.write(_head("text/plain; version=0.0.4", length=len(body)) + body)

    def _text(self, name: str, manner: Manner) -> str:
        if manner is Manner.NAN:
            return self.page(Load(float("nan"), float("nan"), float("nan")))
        if name in self.own:
            return self.page(self.own[name])
        load, part = self.load, 1.0
        if self.is_shared:
            # A pod that just became ready has nothing to do before the others have less.
            carrying = self._carrying()
            part = 1 / len(carrying) if name in carrying else 0.0
        return self.page(
            replace(
                load,
                running=load.running * part,
                waiting=load.waiting * part,
                tokens_per_s=load.tokens_per_s * part,
            )
        )

    def _carrying(self) -> list[str]:
        """The ready pods among which the load is; all of them where none is older."""
        before_s = time.monotonic() - SHIFT_S
        return [n for n, since_s in self._ready.items() if since_s <= before_s] or [*self._ready]

    async def _sleep(self, for_s: float) -> bool:
        """Sleep unless this ends; says whether to go on."""
        for _ in range(int(for_s / POLL_S) or 1):
            if self._ended.is_set():
                return False
            await asyncio.sleep(POLL_S)
        return True


def _head(content_type: str, *, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {content_type}", "Connection: close"]
    lines += [f"Content-Length: {length}"] if length is not None else []
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()
