"""Events on objects: for transitions, not for states.

Recording never waits: events go through a bounded queue that one task empties. When the API server
is down the newest are dropped and counted, since an event is news and not a record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

import structlog

from budaiscaler.domain import times
from budaiscaler.domain.errors import (
    ConflictError,
    KubeError,
    KubeUnreachableError,
    OverloadedError,
)
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import EVENTS

MAX_QUEUED = 1000
MAX_NOTE_BYTES = 1024
"""The API server refuses a longer one."""
RETRY_AFTER_S = (1.0, 2.0)
"""Only what may pass is tried again: a namespace that is going away must not hold up the others."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """What an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class Recorder:
    """Writes events of one reporting component.

    Attributes:
        controller: name of the component, for example `budaiscaler-adapter`.
        instance: name of this copy.
        dropped: how many were lost to a full queue or a refusing server.
    """

    kube: Kube
    controller: str
    instance: str
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    dropped: int = 0
    _queue: asyncio.Queue[Json] = field(default_factory=lambda: asyncio.Queue(MAX_QUEUED))

    def record(
        self,
        ref: ObjectRef,
        kind: Literal["Normal", "Warning"],
        reason: str,
        note: str,
        action: str,
    ) -> None:
        """Queue one event; `action` says what was being done, for example `Evaluate`."""
        event: Json = {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {
                "name": f"{ref.name[:200]}.{uuid4().hex[:16]}",
                "namespace": ref.namespace,
            },
            "eventTime": times.micro_time(self.wall_clock()),
            "reportingController": self.controller,
            "reportingInstance": self.instance[:128],
            "action": action,
            "type": kind,
            "reason": reason,
            "note": note.encode()[:MAX_NOTE_BYTES].decode(errors="ignore"),
            "regarding": {
                "apiVersion": ref.api_version,
                "kind": ref.kind,
                "namespace": ref.namespace,
                "name": ref.name,
                "uid": ref.uid,
            },
        }
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Send what is queued until cancelled."""
        while True:
            await self._send(await self._queue.get())

    async def _send(self, event: Json) -> None:
        path = EVENTS.collection(event["metadata"]["namespace"])
        for delay_s in (*RETRY_AFTER_S, None):
            try:
                await self.kube.create(path, event)
            except ConflictError:
                return  # only the answer to the attempt before was lost
            except KubeError as error:
                may_pass = isinstance(error, KubeUnreachableError | OverloadedError)
                if delay_s is None or not may_pass:
                    self.dropped += 1
                    _log.warning("event_dropped", reason=event["reason"], error=str(error))
                    return
                await asyncio.sleep(delay_s)
            else:
                return
