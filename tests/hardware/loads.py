"""Loads on the GPU of this machine."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

LOAD = Path(__file__).with_name("cuda_load.py")


@asynccontextmanager
async def load(gib: int, *how: str) -> AsyncIterator[None]:
    """A process that holds that much of the first GPU."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(LOAD), str(gib), *how, stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"holding\n"
        yield
    finally:
        process.stdin.close()
        await process.wait()
