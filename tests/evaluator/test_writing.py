"""The writer of statuses: one field manager's share, and whether it gets through."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain.errors import (
    ConflictError,
    InvalidObjectError,
    KubeError,
    KubeUnreachableError,
    NotFoundError,
)
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.evaluator.writing import StatusWriter
from budaiscaler.kube.port import Json, PatchType
from tests import samples
from tests.evaluator.world import NAMESPACE, scaler_path
from tests.fakes.kube import FakeKube

DOWN = KubeUnreachableError("connection refused")


class Clock:
    """Seconds that pass when told to."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def writer(kube: FakeKube, clock: Clock) -> StatusWriter:
    """A writer in its first term."""
    return StatusWriter(kube, "evaluator", clock)


def _scaler(kube: FakeKube, name: str) -> Scaler:
    return project_scaler(kube.put(scaler_path(name), samples.scaler(name)), None)


def _status(kube: FakeKube, name: str) -> Any:
    return kube.objects[scaler_path(name)].get("status")


async def test_a_share_is_applied_under_its_manager(kube: FakeKube, writer: StatusWriter) -> None:
    """Server-side, by force, to the status and to nothing else."""
    assert await writer.write(_scaler(kube, "chat"), {"desiredScale": 3})
    (call,) = kube.made("patch")
    assert call.path == scaler_path("chat") + "/status"
    assert call.params == {"fieldManager": "evaluator", "force": "true"}
    assert _status(kube, "chat") == {"desiredScale": 3}
    assert (writer.writes, writer.errors) == (1, 0)


async def test_the_share_of_another_writer_stays(kube: FakeKube, writer: StatusWriter) -> None:
    """Two writers each take back only what they said themselves."""
    scaler = _scaler(kube, "chat")
    other = StatusWriter(kube, "controller", writer.clock)
    await writer.write(scaler, {"desiredScale": 3, "conditions": [{"type": "Ready"}]})
    await other.write(scaler, {"lastScaleTime": "t", "conditions": [{"type": "AbleToScale"}]})
    await writer.write(scaler, {"conditions": []})
    assert _status(kube, "chat") == {"lastScaleTime": "t", "conditions": [{"type": "AbleToScale"}]}


async def test_a_scaler_made_again_does_not_get_the_status_of_the_one_before(
    kube: FakeKube, writer: StatusWriter
) -> None:
    """It has landed on whatever has that name now, and is taken back."""
    old = _scaler(kube, "chat")
    kube.remove(scaler_path("chat"))
    _scaler(kube, "chat")
    assert not await writer.write(old, {"desiredScale": 3})
    assert not _status(kube, "chat")
    assert not writer.is_refused(1)


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        pytest.param(NotFoundError(404, "NotFound", "gone"), 0, id="it-is-gone"),
        pytest.param(ConflictError(409, "Conflict", "it changed"), 0, id="it-changed"),
        pytest.param(InvalidObjectError(422, "Invalid", "too long"), 1, id="refused"),
        pytest.param(DOWN, 1, id="nobody-answers"),
    ],
)
async def test_what_does_not_get_there_is_no_success(
    kube: FakeKube, writer: StatusWriter, error: KubeError, counts: int
) -> None:
    """A scaler that is gone is nobody's fault; anything else is counted."""
    scaler = _scaler(kube, "chat")
    kube.fail("patch", "chat", error)
    assert not await writer.write(scaler, {"desiredScale": 3})
    assert (writer.writes, writer.errors) == (0, counts)
    assert writer.is_refused(1) == bool(counts)


async def _write(kube: FakeKube, writer: StatusWriter, *names: str) -> None:
    for name in names:
        await writer.write(_scaler(kube, name), {})


@pytest.mark.parametrize(
    ("scalers", "refused", "waited_s", "is_refused"),
    [
        pytest.param(10, ["a"], 3600, False, id="one-of-ten-is-that-ones-trouble"),
        pytest.param(10, ["a", "b"], 59, False, id="two-of-ten-have-a-minute"),
        pytest.param(10, ["a", "b"], 61, True, id="two-of-ten-after-it"),
        pytest.param(1, ["a"], 59, False, id="the-only-one-has-a-minute"),
        pytest.param(1, ["a"], 61, True, id="the-only-one-after-it"),
        pytest.param(0, [], 3600, False, id="nothing-to-write"),
        pytest.param(10, [], 3600, False, id="nothing-refused"),
    ],
)
async def test_reports_in_general_are_refused_after_a_minute(
    kube: FakeKube,
    writer: StatusWriter,
    clock: Clock,
    *,
    scalers: int,
    refused: list[str],
    waited_s: float,
    is_refused: bool,
) -> None:
    """Two, or all there are, and no success since."""
    await _write(kube, writer, "good")
    clock.now_s += 1
    kube.fail("patch", "", DOWN)
    await _write(kube, writer, *refused)
    clock.now_s += waited_s
    assert writer.is_refused(scalers) is is_refused


async def test_a_minute_counts_from_the_first_refusal(
    kube: FakeKube, writer: StatusWriter, clock: Clock
) -> None:
    """Trying again does not win time."""
    await _write(kube, writer, "good")
    kube.fail("patch", "", DOWN)
    for _ in range(5):
        clock.now_s += 15
        await _write(kube, writer, "a", "b")
    assert not writer.is_refused(10)
    clock.now_s += 1
    assert writer.is_refused(10)


async def test_one_success_is_enough_to_believe_in_the_server_again(
    kube: FakeKube, writer: StatusWriter, clock: Clock
) -> None:
    """What was refused before it is taken for the trouble of single scalers."""
    await _write(kube, writer, "good")
    kube.fail("patch", "", DOWN)
    clock.now_s += 1
    await _write(kube, writer, "a", "b")
    clock.now_s += 100
    assert writer.is_refused(10)
    kube.heal()
    await _write(kube, writer, "good")
    assert not writer.is_refused(10)


async def test_before_the_first_success_there_is_no_minute(
    kube: FakeKube, writer: StatusWriter
) -> None:
    """A new leader that gets nothing through vouches for nothing, from the start."""
    kube.fail("patch", "", DOWN)
    await _write(kube, writer, "a")
    assert not writer.is_refused(10)
    await _write(kube, writer, "b")
    assert writer.is_refused(10)


async def test_a_new_term_knows_nothing_of_the_last(
    kube: FakeKube, writer: StatusWriter, clock: Clock
) -> None:
    """Neither what was refused nor what got through."""
    await _write(kube, writer, "good")
    clock.now_s += 1
    kube.fail("patch", "", DOWN)
    await _write(kube, writer, "a", "b")
    clock.now_s += 100
    writer.start_over()
    assert not writer.is_refused(10)
    await _write(kube, writer, "a", "b")
    assert writer.is_refused(10)


async def test_a_scaler_that_is_forgotten_counts_no_more(
    kube: FakeKube, writer: StatusWriter
) -> None:
    """Deleted while its reports were refused, it does not go on being refused."""
    kube.fail("patch", "", DOWN)
    await _write(kube, writer, "a", "b")
    writer.forget((NAMESPACE, "a"))
    assert not writer.is_refused(10)


@dataclass(slots=True)
class _Traffic(FakeKube):
    """Holds each request up on its way for as long as the next of `delays_s`."""

    delays_s: list[float] = field(default_factory=list)

    async def patch(
        self, path: str, body: Json | list[Json], kind: PatchType, params: Any = None
    ) -> Json:
        await asyncio.sleep(self.delays_s.pop(0))
        return await FakeKube.patch(self, path, body, kind, params)


@pytest.mark.looptime
async def test_what_is_said_later_arrives_later() -> None:
    """A report that was held up on its way does not overwrite the one after it."""
    kube = _Traffic(delays_s=[5, 0, 2, 0])
    writer = StatusWriter(kube, "evaluator", asyncio.get_running_loop().time)
    chat, other = _scaler(kube, "chat"), _scaler(kube, "other")
    async with asyncio.TaskGroup() as group:
        for scaler, status in (
            (chat, {"desiredScale": 3}),
            (other, {"desiredScale": 4}),
            (chat, {}),
        ):
            group.create_task(writer.write(scaler, status))
            await asyncio.sleep(0.1)
        assert _status(kube, "other") == {"desiredScale": 4}
    assert _status(kube, "chat") == {}
    assert not writer._turns
