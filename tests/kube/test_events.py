"""Recording an event never waits, and a server in trouble costs events, not the process."""

from __future__ import annotations

import asyncio

import pytest

from budaiscaler.domain.errors import (
    ConflictError,
    ForbiddenError,
    KubeError,
    KubeUnreachableError,
    NotFoundError,
    OverloadedError,
)
from budaiscaler.kube.events import MAX_QUEUED, ObjectRef, Recorder
from tests.conftest import NOON
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

REF = ObjectRef("scaler.bud.studio/v1alpha1", "BudAIScaler", "ml", "chat", "uid-1")


@pytest.fixture
def recorder(kube: FakeKube) -> Recorder:
    return Recorder(kube, "budaiscaler-adapter", "pod-1", wall_clock=lambda: NOON)


def record(recorder: Recorder, reason: str = "NoData", note: str = "no data") -> None:
    recorder.record(REF, "Warning", reason, note, "Evaluate")


async def sending(recorder: Recorder, seconds: float) -> None:
    """Let it send for so long."""
    task = asyncio.ensure_future(recorder.run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def reasons(kube: FakeKube) -> list[str]:
    return [event["reason"] for path, event in kube.objects.items() if "/events/" in path]


async def test_what_is_sent(kube: FakeKube, recorder: Recorder) -> None:
    """An event names its object, what was done and who says so, in the object's namespace."""
    record(recorder)
    await sending(recorder, 0.1)

    ((path, event),) = kube.objects.items()

    assert path.startswith("/apis/events.k8s.io/v1/namespaces/ml/events/chat.")
    assert event["regarding"] == {
        "apiVersion": "scaler.bud.studio/v1alpha1",
        "kind": "BudAIScaler",
        "namespace": "ml",
        "name": "chat",
        "uid": "uid-1",
    }
    assert event["eventTime"] == "2026-01-05T12:00:00.000000Z"
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "NoData", "Evaluate")
    assert event["reportingController"] == "budaiscaler-adapter"
    assert event["reportingInstance"] == "pod-1"


async def test_names_differ(kube: FakeKube, recorder: Recorder) -> None:
    """The same news twice is two events."""
    record(recorder)
    record(recorder)

    await sending(recorder, 0.1)

    assert len(kube.objects) == 2


async def test_long_notes(kube: FakeKube, recorder: Recorder) -> None:
    """A note is cut to the bytes that the API server takes, and never inside a character."""
    record(recorder, note="é" * 2000)
    await sending(recorder, 0.1)

    (event,) = kube.objects.values()

    assert event["note"] == "é" * 512


async def test_a_full_queue_drops_the_newest(kube: FakeKube, recorder: Recorder) -> None:
    """What does not fit is counted and dropped; recording itself never waits and never fails."""
    for number in range(MAX_QUEUED + 7):
        record(recorder, f"R{number}")
    assert recorder.dropped == 7

    await sending(recorder, 1)

    assert reasons(kube) == [f"R{number}" for number in range(MAX_QUEUED)]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KubeUnreachableError("refused"), id="unreachable"),
        pytest.param(OverloadedError(503, "ServiceUnavailable", "busy"), id="busy"),
        pytest.param(OverloadedError(429, "TooManyRequests", "busy"), id="throttled"),
    ],
)
async def test_what_may_pass_is_retried(
    kube: FakeKube, recorder: Recorder, error: KubeError
) -> None:
    """A failure that may pass is retried twice; the event arrives when it passes meanwhile."""
    kube.fail("create", "/events", error)
    record(recorder)
    asyncio.get_running_loop().call_later(2, kube.heal)

    await sending(recorder, 10)

    assert reasons(kube) == ["NoData"]
    assert recorder.dropped == 0


async def test_given_up(kube: FakeKube, recorder: Recorder) -> None:
    """After the retries an event is dropped and counted, and the next one gets its turn."""
    kube.fail("create", "/events", KubeUnreachableError("refused"))
    record(recorder, "Lost")
    record(recorder, "Kept")
    asyncio.get_running_loop().call_later(4, kube.heal)

    await sending(recorder, 10)

    assert reasons(kube) == ["Kept"]
    assert recorder.dropped == 1


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ForbiddenError(403, "Forbidden", "it is being terminated"), id="forbidden"),
        pytest.param(NotFoundError(404, "NotFound", "no such namespace"), id="namespace-gone"),
    ],
)
async def test_what_will_not_pass(kube: FakeKube, recorder: Recorder, error: KubeError) -> None:
    """Events of a namespace that is going away do not hold up those of others."""
    kube.fail("create", "namespaces/gone/", error)
    for _ in range(100):
        recorder.record(
            ObjectRef("v1", "Pod", "gone", "p", "uid-2"), "Normal", "Lost", "", "Evaluate"
        )
    record(recorder)

    await sending(recorder, 0.5)

    assert reasons(kube) == ["NoData"]
    assert recorder.dropped == 100


async def test_a_lost_answer_is_no_loss(kube: FakeKube, recorder: Recorder) -> None:
    """A retry that finds the event already there means that only the answer was lost."""
    kube.fail("create", "/events", ConflictError(409, "AlreadyExists", "exists"))
    record(recorder)

    await sending(recorder, 1)

    assert recorder.dropped == 0
    assert len(kube.made("create")) == 1
