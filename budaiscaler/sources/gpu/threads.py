"""One thread for calls that block, and may do so for ever."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class OneThread:
    """Makes calls, one after the other, in a thread that does not keep the process from ending.

    A thread of an executor would: the interpreter waits for those at its end.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread: threading.Thread | None = None
        self._under_way: Future[Any] | None = None

    async def call(self, function: Callable[[], T], deadline_s: float) -> T | None:
        """Call it there; None when it takes too long, or another call still does.

        Raises:
            Exception: what `function` raises.
        """
        if self._under_way is not None and not self._under_way.done():
            return None
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._under_way = future
        self._work.put((future, function))
        waiting = asyncio.wrap_future(future)
        done, _ = await asyncio.wait((waiting,), timeout=deadline_s)
        return waiting.result() if done else None

    def end(self) -> None:
        """Have the thread end once it is free."""
        if self._thread is not None:
            self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            future, function = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
                future.set_exception(error)
            else:
                future.set_result(result)
