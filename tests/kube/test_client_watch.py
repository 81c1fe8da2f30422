"""Watches over a real HTTP server: lines become events, and everything else an error."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from budaiscaler.domain.errors import (
    ExpiredError,
    ForbiddenError,
    KubeUnreachableError,
    OverloadedError,
)
from budaiscaler.kube.client import KubeClient
from budaiscaler.kube.port import WatchEvent
from tests.kube.apiserver import Answer, always, connected, hang, lines

PATH = "/api/v1/pods"


def event(kind: str, name: str) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": {"name": name}}}


def error(code: int, message: str = "too old resource version") -> dict[str, Any]:
    status = {"kind": "Status", "code": code, "reason": "Expired", "message": message}
    return {"type": "ERROR", "object": status}


async def collect(kube: KubeClient, into: list[WatchEvent]) -> None:
    """Watch, and keep what is told after the word that the watch is open."""
    stream = kube.watch(PATH, {"resourceVersion": "7"}, 60)
    assert await anext(stream) == WatchEvent("BOOKMARK", {"metadata": {}})
    async for told in stream:
        into.append(told)  # noqa: PERF401 - those before a failure count


async def test_events(tmp_path: Path) -> None:
    """Every line is an event, in order, until the server ends the watch."""
    told: list[WatchEvent] = []
    answer = lines(event("ADDED", "a"), event("DELETED", "a"), event("BOOKMARK", ""))
    async with connected(tmp_path, answer) as (kube, server):
        await collect(kube, told)

    assert [(seen.type, seen.object["metadata"]["name"]) for seen in told] == [
        ("ADDED", "a"),
        ("DELETED", "a"),
        ("BOOKMARK", ""),
    ]
    assert server.seen[0].query == {
        "resourceVersion": "7",
        "watch": "true",
        "timeoutSeconds": "60",
    }


async def test_a_large_object(tmp_path: Path) -> None:
    """An object of the greatest size that etcd keeps comes through in one line."""
    told: list[WatchEvent] = []
    large = {"type": "ADDED", "object": {"data": "x" * 1_500_000}}
    async with connected(tmp_path, lines(large)) as (kube, _):
        await collect(kube, told)

    assert len(told[0].object["data"]) == 1_500_000


async def test_expired_midway(tmp_path: Path) -> None:
    """An ERROR event with code 410 is raised as expired, after the events before it."""
    told: list[WatchEvent] = []
    async with connected(tmp_path, lines(event("ADDED", "a"), error(410))) as (kube, _):
        with pytest.raises(ExpiredError, match="too old"):
            await collect(kube, told)

    assert len(told) == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(always(410, '{"message": "too old"}'), ExpiredError, id="410"),
        pytest.param(always(403, '{"message": "no"}'), ForbiddenError, id="403"),
        pytest.param(always(429, "slow down", "text/plain"), OverloadedError, id="429"),
        pytest.param(lines(error(500, "etcd")), OverloadedError, id="error-event-500"),
        pytest.param(
            lines({"type": "ERROR", "object": {}}), OverloadedError, id="error-event-without-code"
        ),
        pytest.param(
            lines({"type": "ERROR", "object": {"code": None}}),
            OverloadedError,
            id="error-event-with-null",
        ),
        pytest.param(
            lines({"type": "ERROR", "object": {"code": "?"}}),
            OverloadedError,
            id="error-event-with-text",
        ),
        pytest.param(lines(b"<html>"), KubeUnreachableError, id="no-json"),
        pytest.param(lines(b'{"type": "ADD'), KubeUnreachableError, id="cut-off-line"),
        pytest.param(lines([1]), KubeUnreachableError, id="no-object"),
        pytest.param(lines({"kind": "Status"}), KubeUnreachableError, id="no-event"),
        pytest.param(lines({"type": "ADDED"}), KubeUnreachableError, id="event-of-nothing"),
        pytest.param(
            lines({"type": "ADDED", "object": None}), KubeUnreachableError, id="event-of-null"
        ),
    ],
)
async def test_failures(tmp_path: Path, answer: Answer, kind: type[Exception]) -> None:
    """A refusal, an error event and nonsense each end the watch by the class a cache retries on."""
    async with connected(tmp_path, answer) as (kube, _):
        with pytest.raises(kind) as raised:
            await collect(kube, [])

    assert type(raised.value) is kind


async def test_connection_lost(tmp_path: Path) -> None:
    """A connection that breaks in the middle of a watch is told, not taken for its end."""

    async def break_off(response: web.StreamResponse) -> None:
        assert response._req is not None
        assert response._req.transport is not None
        response._req.transport.abort()

    told: list[WatchEvent] = []
    async with connected(tmp_path, lines(event("ADDED", "a"), then=break_off)) as (kube, _):
        with pytest.raises(KubeUnreachableError, match=PATH):
            await collect(kube, told)

    assert len(told) <= 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("answer", "watched_s", "given_up_s"),
    [
        pytest.param(hang, 60, 75, id="no-answer"),
        pytest.param(lines(then=hang), 60, 75, id="never-ended"),
        pytest.param(lines(event("ADDED", "a"), then=hang), 300, 120, id="silence"),
    ],
)
async def test_half_open(
    tmp_path: Path, answer: Answer, watched_s: float, given_up_s: float
) -> None:
    """A watch on which nothing more comes is given up, though the connection looks alive."""
    async with connected(tmp_path, answer) as (kube, _):
        with pytest.raises(KubeUnreachableError):
            async for _ in kube.watch(PATH, {}, watched_s):
                pass

    assert asyncio.get_running_loop().time() == pytest.approx(given_up_s, abs=3)


async def test_left_early(tmp_path: Path) -> None:
    """Who is cancelled while watching leaves no connection behind at the server."""
    began, ended = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(json.dumps(event("ADDED", "a")).encode() + b"\n")
                began.set()
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    async with connected(tmp_path, answer) as (kube, _):
        task = asyncio.ensure_future(collect(kube, []))
        await began.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with asyncio.timeout(2):
            await ended.wait()

    assert task.cancelled()
