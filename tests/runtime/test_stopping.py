"""A process ends when it is asked to, after what it does has cleaned up, and never silently."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from budaiscaler.runtime.stopping import run_until_signalled


async def running_then(number: signal.Signals, main: asyncio.Task[None]) -> None:
    """Send ourselves a signal once it runs."""
    await asyncio.sleep(0.01)
    os.kill(os.getpid(), number)
    await main


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals(number: signal.Signals) -> None:
    """Either signal cancels what runs, and its clean-up comes to its end first."""
    done: list[str] = []

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            done.append("cleaned up")

    await running_then(number, asyncio.ensure_future(run_until_signalled(main())))

    assert done == ["cleaned up"]


async def test_second_signal() -> None:
    """Who asks twice does not want to wait for the clean-up."""
    waiting = asyncio.Event()

    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            waiting.set()
            await asyncio.sleep(60)

    running = asyncio.ensure_future(run_until_signalled(main()))
    await asyncio.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
    await waiting.wait()
    os.kill(os.getpid(), signal.SIGTERM)

    async with asyncio.timeout(1):
        await running


async def test_ends_by_itself() -> None:
    """What ends by itself ends the run, and the handlers of signals are as before."""

    async def main() -> None:
        await asyncio.sleep(0)

    before = signal.getsignal(signal.SIGTERM)
    await run_until_signalled(main())

    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("when", ["running", "cleaning-up"])
async def test_errors(when: str) -> None:
    """An error is not swallowed, also when it happens while cleaning up."""

    async def main() -> None:
        try:
            if when == "cleaning-up":
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            raise ZeroDivisionError

    running = asyncio.ensure_future(run_until_signalled(main()))
    await asyncio.sleep(0.01)
    if when == "cleaning-up":
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(ZeroDivisionError):
        await running
