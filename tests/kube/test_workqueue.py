"""A key is worked on once however often it is asked for, and never twice at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from budaiscaler.kube.workqueue import WorkQueue

pytestmark = pytest.mark.looptime


@dataclass(slots=True)
class Work:
    """Takes `lasts_s` a key, fails where told to, and remembers when it began which key."""

    lasts_s: float = 0.0
    failing: set[str] = field(default_factory=set)
    hanging: set[str] = field(default_factory=set)
    began: list[tuple[float, str]] = field(default_factory=list)
    running: set[str] = field(default_factory=set)

    async def __call__(self, key: str) -> None:
        assert key not in self.running, f"{key} is worked on twice at once"
        self.running.add(key)
        self.began.append((asyncio.get_running_loop().time(), key))
        try:
            await asyncio.sleep(self.lasts_s)
            if key in self.hanging:
                await asyncio.Event().wait()
            if key in self.failing:
                raise RuntimeError("a bug")
        finally:
            self.running.discard(key)

    def times(self, key: str) -> list[float]:
        return [at for at, began in self.began if began == key]


@asynccontextmanager
async def running(queue: WorkQueue[str], workers: int = 2) -> AsyncIterator[None]:
    task = asyncio.ensure_future(queue.run(workers))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_asked_for_twice_done_once() -> None:
    """What is asked for again before it is begun is done once, in the order first asked."""
    work = Work()
    queue = WorkQueue(work)
    for key in ("a", "b", "a", "a"):
        queue.add(key)

    async with running(queue, workers=1):
        await asyncio.sleep(1)

    assert [key for _, key in work.began] == ["a", "b"]


async def test_asked_for_while_working() -> None:
    """What is asked for while it is done is done once more afterwards, however often."""
    work = Work(lasts_s=10)
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("a")
        await asyncio.sleep(1)
        for _ in range(5):
            queue.add("a")
        await asyncio.sleep(60)

    assert work.times("a") == [0, 10]


async def test_done_again_later() -> None:
    """A key that was done and is asked for again is done again."""
    work = Work()
    queue = WorkQueue(work)

    async with running(queue):
        for _ in range(3):
            queue.add("a")
            await asyncio.sleep(5)

    assert work.times("a") == [0, 5, 10]


async def test_delayed() -> None:
    """Of several wishes for later the latest counts, and a wish for now does not wait for it."""
    work = Work()
    queue = WorkQueue(work)

    async with running(queue):
        queue.add_after("a", 5)
        queue.add_after("a", 30)
        queue.add("b")
        queue.add_after("b", 10)
        await asyncio.sleep(60)

    assert work.times("a") == [30]
    assert work.times("b") == [0, 10]


async def test_failures_back_off() -> None:
    """A key that fails comes back ever later, at most a minute, for as long as it fails."""
    work = Work(failing={"bad"})
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("bad")
        await asyncio.sleep(600)

    pauses = [b - a for a, b in zip(work.times("bad"), work.times("bad")[1:], strict=False)]
    assert 0.5 <= pauses[0] <= 1
    assert all(pause <= 60 for pause in pauses)
    assert all(pause >= 30 for pause in pauses[7:])
    assert 10 <= len(pauses) <= 30


async def test_success_forgets_failures() -> None:
    """After a success the next failure is retried as fast as the first."""
    work = Work(failing={"a"})
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("a")
        await asyncio.sleep(300)
        work.failing.clear()
        await asyncio.sleep(100)
        work.failing.add("a")
        work.began.clear()
        queue.add("a")
        await asyncio.sleep(1.1)

    assert len(work.times("a")) == 2


async def test_others_are_not_disturbed() -> None:
    """Keys that fail or hang keep no other key from being done on time."""
    work = Work(failing={"bad"}, hanging={"stuck"})
    queue = WorkQueue(work, timeout_s=30)

    async with running(queue, workers=2):
        queue.add("bad")
        queue.add("stuck")
        for _ in range(10):
            await asyncio.sleep(5)
            queue.add("good")
        await asyncio.sleep(1)

    assert work.times("good") == [5 * number for number in range(1, 11)]


async def test_takes_too_long() -> None:
    """A key that takes longer than allowed is cut off and retried like a failure."""
    work = Work(hanging={"stuck"})
    queue = WorkQueue(work, timeout_s=30)

    async with running(queue):
        queue.add("stuck")
        await asyncio.sleep(20)
        work.hanging.clear()
        await asyncio.sleep(55)

    first, second = work.times("stuck")
    assert first == 0
    assert 30.5 <= second <= 31


async def test_asked_for_while_failing() -> None:
    """What was asked for while it failed is tried again at once, since something has changed."""
    work = Work(lasts_s=1, failing={"a"})
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("a")
        await asyncio.sleep(0.5)
        queue.add("a")
        work.failing.clear()
        await asyncio.sleep(0.6)
        work.failing.add("a")
        await asyncio.sleep(0.3)

    assert work.times("a") == [0, 1]


async def test_forgotten() -> None:
    """A key that was forgotten does not come back by itself."""
    work = Work(failing={"bad"})
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("bad")
        queue.add_after("later", 5)
        await asyncio.sleep(0.1)
        queue.forget("bad")
        queue.forget("later")
        queue.forget("never-seen")
        await asyncio.sleep(600)

    assert [key for _, key in work.began] == ["bad"]


async def test_made_again() -> None:
    """A key that was forgotten and comes back is retried as fast as one never seen."""
    work = Work(failing={"a"})
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("a")
        await asyncio.sleep(300)
        queue.forget("a")
        work.began.clear()
        queue.add("a")
        await asyncio.sleep(1.1)

    assert len(work.times("a")) == 2


async def test_cancelled() -> None:
    """Ending the queue cancels what is under way and what was meant for later."""
    work = Work(lasts_s=10)
    queue = WorkQueue(work)

    async with running(queue):
        queue.add("a")
        queue.add_after("b", 5)
        await asyncio.sleep(1)
    await asyncio.sleep(60)
    async with running(queue):
        await asyncio.sleep(1)

    assert [key for _, key in work.began] == ["a"]
    assert not work.running
