"""Waiting for what a server does by itself, with a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 20.0


async def until(
    probe: Callable[[], Awaitable[T | None]], what: str, timeout_s: float = DEADLINE_S
) -> T:
    """Ask again and again until something other than None comes back."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            while True:
                found = await probe()
                if found is not None:
                    return found
                await asyncio.sleep(0.02)
    raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
