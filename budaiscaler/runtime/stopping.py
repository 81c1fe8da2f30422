"""A process that ends when it is asked to, and not before what it does has ended."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any


async def run_until_signalled(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` until it ends, or cancel it on SIGTERM or SIGINT and wait for its clean-up.

    `main` does its draining in `finally` blocks; an error in it propagates.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
