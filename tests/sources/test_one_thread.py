"""One thread for calls that may block for ever."""

from __future__ import annotations

import asyncio
import threading

import pytest

from budaiscaler.sources.gpu.threads import OneThread


async def test_calls_are_made_in_one_thread_of_their_own() -> None:
    """Their results and errors come back."""
    thread = OneThread("worker")
    names = [await thread.call(lambda: threading.current_thread().name, 10) for _ in range(3)]
    with pytest.raises(ZeroDivisionError):
        await thread.call(lambda: 1 // 0, 10)
    thread.end()
    assert names == ["worker"] * 3


async def test_no_call_is_made_behind_one_that_hangs() -> None:
    """It would be made much later, when nobody wants to know any more."""
    thread, go = OneThread("worker"), threading.Event()
    made: list[str] = []

    def note(name: str) -> str:
        made.append(name)
        return name

    assert await thread.call(go.wait, 0.01) is None
    assert await thread.call(lambda: note("behind"), 0.01) is None
    go.set()
    for _ in range(1000):
        if await thread.call(lambda: note("after"), 10):
            break
        await asyncio.sleep(0.01)
    thread.end()
    assert made == ["after"]


async def test_one_that_never_called_ends_as_well() -> None:
    """No thread is started before the first call."""
    OneThread("never").end()
    assert "never" not in {thread.name for thread in threading.enumerate()}
