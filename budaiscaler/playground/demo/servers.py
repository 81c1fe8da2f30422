"""The real adapter and the real controller, each a process of its own, and what they log.

They are in sessions of their own, so that Ctrl-C in the terminal reaches the demo alone, which then
ends them in order. A demo that is killed cannot, so the kernel does (`tied`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from budaiscaler.domain.errors import PlaygroundError
from budaiscaler.playground.demo import tied

STOP_WITHIN_S = 5.0
LONGEST_LINE = 2**22
"""A decision is logged with all it was made of."""
LAST_LINES, LONGEST_WORDS = 12, 400

_TIED = (sys.executable, "-I", "-S", tied.__file__)
"""Without site-packages, for which it has no use: it costs 25 ms."""

_ERRORS = frozenset({"error", "critical", "exception"})


@dataclass(slots=True)
class Log:
    """What servers logged, as far as somebody asks.

    Attributes:
        decisions: changed decisions, by the name of the scaler.
        scaler_errors: errors about a scaler, by its name.
        errors: all errors.
    """

    decisions: Counter[str] = field(default_factory=Counter)
    scaler_errors: Counter[str] = field(default_factory=Counter)
    errors: int = 0

    def take(self, line: str) -> None:
        """Count one line; what is no JSON is a traceback, or a library's last words."""
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            return
        level, name = told.get("level"), told.get("name")
        if told.get("event") == "decision":
            self.decisions[str(name)] += 1
        if level in _ERRORS:
            self.errors += 1
            self.scaler_errors[str(name)] += name is not None


@dataclass(slots=True)
class Server:
    """One process.

    Attributes:
        name: of its module.
        arguments: its flags.
        log: where its lines go.
    """

    name: str
    arguments: Sequence[str]
    log: Log
    _last: deque[str] = field(default_factory=lambda: deque(maxlen=LAST_LINES))
    _ended: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def running(self, directory: Path) -> AsyncIterator[Server]:
        """Run it, and end it at the end, gently first."""
        process = await asyncio.create_subprocess_exec(
            *_TIED,
            *(str(os.getpid()), sys.executable, "-m", self.name, *self.arguments),
            cwd=directory,  # so that no folder of the user's is taken for a package of ours
            env=_environment(directory),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        reading = asyncio.create_task(self._read(process))
        try:
            yield self
        finally:
            await _end(process)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def watch(self) -> None:
        """Never end; raise `PlaygroundError` when the process has ended."""
        await self._ended.wait()
        words = "\n".join(self._last)
        raise PlaygroundError(f"the {self.name} ended by itself; its last words:\n{words}")

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:
                continue  # longer than anything that is of use
            if not line:
                break
            text = line.decode(errors="replace").rstrip()
            self._last.append(text[:LONGEST_WORDS])
            self.log.take(text)
        await process.wait()
        self._ended.set()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            process.kill()
    await process.wait()


def _environment(directory: Path) -> dict[str, str]:
    """Ours, without settings that are meant for servers in a cluster, and without proxies.

    Temporary files, such as those that the client makes of a kubeconfig, go where ours go: a server
    that is killed does not take them away.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BUDAISCALER_")}
    local = "127.0.0.1,localhost"
    return kept | {"NO_PROXY": local, "no_proxy": local, "TMPDIR": str(directory)}
