"""What the threads of a source are busy with."""

from __future__ import annotations

import asyncio
import sys
import threading

PATIENCE_S = 10.0
"""Far more than anything here takes that ends by itself, on however busy a machine."""


def busy_threads() -> int:
    """How many threads of the pool wait for a server."""
    frames = sys._current_frames()
    count = 0
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while thread.name.startswith("prometheus") and frame is not None:
            if frame.f_code.co_name == "custom_query":
                count += 1
                break
            frame = frame.f_back
    return count


async def freed() -> bool:
    """Whether all threads become free by themselves."""
    for _ in range(1000):
        if not busy_threads():
            return True
        await asyncio.sleep(PATIENCE_S / 1000)
    return False
