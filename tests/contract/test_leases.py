"""Leases and events: what our elections and recorders write."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from budaiscaler.domain import times
from budaiscaler.domain.errors import ConflictError, InvalidObjectError
from budaiscaler.kube.events import ObjectRef, Recorder
from budaiscaler.kube.lease import Election, LeaseTiming
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import EVENTS, LEASES, Resource
from tests.contract import crds
from tests.contract.server import ApiServer
from tests.contract.waiting import until

CORE_EVENTS = Resource("", "v1", "events")
TIMING = LeaseTiming(duration_s=2.0, renew_deadline_s=1.5, retry_s=0.05)


def lease(holder: str, **spec: Any) -> Json:
    return {
        "apiVersion": LEASES.api_version,
        "kind": "Lease",
        "metadata": {"name": "one"},
        "spec": {"holderIdentity": holder, **spec},
    }


async def test_one_of_two_wins(api: ApiServer) -> None:
    """Of two who claim a Lease that they both read, one wins and the other is told."""
    path = LEASES.item(api.namespace, "one")
    read = await api.kube.create(LEASES.collection(api.namespace), lease(""))
    first = {**read, "spec": {"holderIdentity": "a"}}
    second = {**read, "spec": {"holderIdentity": "b"}}
    outcomes = await asyncio.gather(
        api.kube.update(path, first), api.kube.update(path, second), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in outcomes) == ["ConflictError", "dict"]
    (winner,) = (one for one in outcomes if isinstance(one, dict))
    found = await api.kube.get(path)
    assert found["spec"]["holderIdentity"] == winner["spec"]["holderIdentity"]


async def test_must_be_compared(api: ApiServer) -> None:
    """A Lease cannot be replaced by who has not read it."""
    await api.kube.create(LEASES.collection(api.namespace), lease("a"))
    with pytest.raises(InvalidObjectError, match="resourceVersion"):
        await api.kube.update(LEASES.item(api.namespace, "one"), lease("b"))


async def test_times(api: ApiServer) -> None:
    """Times of a Lease keep their microseconds, also when these are 0."""
    path = LEASES.item(api.namespace, "one")
    written = [
        times.micro_time(datetime(2026, 1, 5, 12, 0, 0, fraction, UTC)) for fraction in (0, 120_345)
    ]
    spec = {"acquireTime": written[0], "renewTime": written[1], "leaseDurationSeconds": 15}
    made = await api.kube.create(LEASES.collection(api.namespace), lease("a", **spec))

    assert made["spec"] == {"holderIdentity": "a", **spec}
    assert await api.kube.get(path) == made


async def test_our_election(api: ApiServer) -> None:
    """Of two copies one leads; when it stops, the other does, and never both."""
    leading: list[str] = []

    def copy(name: str) -> asyncio.Task[None]:
        async def lead() -> None:
            leading.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                leading.remove(name)

        election = Election(api.kube, api.namespace, "one", name, timing=TIMING)
        return asyncio.ensure_future(election.run(lead))

    async def leads(name: str) -> bool | None:
        assert len(leading) <= 1
        return True if leading == [name] else None

    first = copy("a")
    await until(lambda: leads("a"), "a to lead")
    second = copy("b")
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await until(lambda: leads("b"), "b to lead")
    found = await api.kube.get(LEASES.item(api.namespace, "one"))
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)

    assert found["spec"]["holderIdentity"] == "b"
    assert found["spec"]["leaseTransitions"] >= 2
    released = await api.kube.get(LEASES.item(api.namespace, "one"))
    assert released["spec"].get("holderIdentity", "") == ""


async def test_our_recorder(api: ApiServer) -> None:
    """An event that we record shows in both groups, on the object that it is about."""
    made = await api.widget()
    ref = ObjectRef(
        crds.WIDGETS.api_version, "Widget", api.namespace, "one", made["metadata"]["uid"]
    )
    recorder = Recorder(api.kube, "contract", "copy-1")
    running = asyncio.ensure_future(recorder.run())
    recorder.record(ref, "Warning", "NoData", "nothing came", "Evaluate")

    async def seen() -> Json | None:
        selector = "regarding.kind=Widget,regarding.name=one"
        found = await api.kube.get(EVENTS.collection(api.namespace), {"fieldSelector": selector})
        return found["items"][0] if found["items"] else None

    try:
        event = await until(seen, "the event")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert recorder.dropped == 0
    assert (event["type"], event["reason"], event["note"]) == ("Warning", "NoData", "nothing came")
    assert (event["reportingController"], event["action"]) == ("contract", "Evaluate")
    assert event["regarding"]["uid"] == ref.uid
    core = await api.kube.get(CORE_EVENTS.item(api.namespace, event["metadata"]["name"]))
    assert core["metadata"]["uid"] == event["metadata"]["uid"]
    assert (core["message"], core["reportingComponent"]) == ("nothing came", "contract")
    assert core["involvedObject"] == event["regarding"]
    assert core["eventTime"] == event["eventTime"]


async def test_events_of_an_object(api: ApiServer) -> None:
    """`kubectl describe` finds an object's events by the fields of the core group."""
    base = {"apiVersion": "v1", "kind": "Event", "reason": "Made", "message": "it is", "count": 2}
    involved = {"kind": "Widget", "name": "one", "namespace": api.namespace, "uid": "u-1"}
    times_ = {"firstTimestamp": "2026-01-05T12:00:00Z", "lastTimestamp": "2026-01-05T12:01:00Z"}
    for name, uid in (("a", "u-1"), ("b", "u-2")):
        body = {
            **base,
            **times_,
            "metadata": {"name": name},
            "type": "Normal",
            "involvedObject": {**involved, "uid": uid},
            "source": {"component": "old"},
        }
        await api.kube.create(CORE_EVENTS.collection(api.namespace), body)
    selector = (
        f"involvedObject.uid=u-1,involvedObject.name=one,involvedObject.namespace={api.namespace}"
    )
    found = await api.kube.get(CORE_EVENTS.collection(api.namespace), {"fieldSelector": selector})

    assert [one["metadata"]["name"] for one in found["items"]] == ["a"]
    new = await api.kube.get(EVENTS.item(api.namespace, "a"))
    assert (new["note"], new["deprecatedCount"]) == ("it is", 2)
    assert new["deprecatedSource"] == {"component": "old"}
    assert new["deprecatedLastTimestamp"] == "2026-01-05T12:01:00Z"


async def test_event_twice(api: ApiServer) -> None:
    """An event that got through although nobody heard so is there already the second time."""
    body = {
        "apiVersion": EVENTS.api_version,
        "kind": "Event",
        "metadata": {"name": "a"},
        "eventTime": "2026-01-05T12:00:00.000000Z",
        "reportingController": "contract",
        "reportingInstance": "copy-1",
        "action": "Evaluate",
        "type": "Normal",
        "reason": "Made",
        "regarding": {"kind": "Widget", "name": "one", "namespace": api.namespace},
    }
    await api.kube.create(EVENTS.collection(api.namespace), body)
    with pytest.raises(ConflictError):
        await api.kube.create(EVENTS.collection(api.namespace), body)
