"""A TCP balancer: one address for several copies of a server, as a Service would give them.

An aggregated API server is reached here by a Service of type ExternalName, which has one address
and one port. Bytes pass through unread, so TLS stays between the API server and the copy.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Final, Self

from e2e.cluster import ports, waiting

CONNECT_TIMEOUT_S: Final = 2.0
START_TIMEOUT_S: Final = 30.0
CHUNK: Final = 65536
ROUNDS: Final = 10

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Balancer:
    """Spreads connections over backends, in turn; one that refuses is passed over.

    It runs in a thread of its own, so a test may block. As with a real Service, a connection
    that is open stays where it is until an end closes it, also when its backend is taken out.

    Args:
        backends: Loopback ports. `backends` may be assigned at any time.
    """

    def __init__(self, backends: Iterable[int] = ()) -> None:
        self.backends = tuple(backends)
        (self.port,) = ports.pick(1)
        self._turn = itertools.count()
        self._up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen."""
        self._up.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        if not self._up.wait(START_TIMEOUT_S):
            raise waiting.ClusterError(f"the balancer cannot listen on port {self.port}")

    def stop(self) -> None:
        """Stop listening, and cut every connection."""
        if self._thread and self._loop and self._stopping:
            if self._thread.is_alive():
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(START_TIMEOUT_S)
        self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._handle, "127.0.0.1", self.port)
        self._up.set()
        await self._stopping.wait()
        server.close()
        for _ in range(ROUNDS):  # until who was let in last is handled
            await asyncio.sleep(0)
        # asyncio.run then cancels the connections

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        streams: list[Stream] = [(reader, writer)]
        try:
            backend = await self._connect()
            if backend:
                streams.append(backend)
                await _until_first(_pump(reader, backend[1]), _pump(backend[0], writer))
        finally:
            for _, open_writer in streams:
                open_writer.close()

    async def _connect(self) -> Stream | None:
        backends, turn = self.backends, next(self._turn)
        for offset in range(len(backends)):
            port = backends[(turn + offset) % len(backends)]
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    return await asyncio.open_connection("127.0.0.1", port)
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # an end that resets has closed
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()


async def _until_first(*pumps: Coroutine[None, None, None]) -> None:
    """Run both directions until one ends: what is half dead is of no use to either side."""
    tasks = [asyncio.create_task(pump) for pump in pumps]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
