"""One leader among several copies, by a `coordination.k8s.io` Lease.

The rules of client-go, on a monotonic clock: a candidate takes a Lease whose record it has not seen
change for the lease's duration (its own observation; the holder's wall clock is never trusted), the
holder renews every `retry_s`, and a holder that could not renew for `renew_deadline_s` stops acting
before anybody else may take over. Writes compare resourceVersions, so two cannot both win. A claim
counts from when it was sent, since that is how early others may have seen it.

Beside leading, every copy observes what the leader vouches for (`leaders_word`).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from budaiscaler.domain import times
from budaiscaler.domain.errors import ConflictError, KubeError, NotFoundError
from budaiscaler.kube.leaders_word import AS_OF_ANNOTATION, LeadersWord
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import LEASES

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """Durations in seconds; the defaults are those of client-go.

    Attributes:
        duration_s: after so long without a change of the record, anybody may take it.
        renew_deadline_s: after so long without a renewal the holder stops; below `duration_s`.
        retry_s: between two attempts to take or renew.
    """

    duration_s: float = 15.0
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


@dataclass(slots=True)
class Election:
    """A candidate for one Lease, and an observer of it.

    Attributes:
        identity: of this copy; unique, since a holder recognises itself by it.
        vouches: asked at every renewal whether all reports are true as of now.
        wall_clock: for what is written into the record, and to tell what in it is of the future.
        clock: monotonic seconds.
    """

    kube: Kube
    namespace: str
    name: str
    identity: str
    timing: LeaseTiming = field(default_factory=LeaseTiming)
    vouches: Callable[[], bool] = lambda: False
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    leading: bool = False
    _record: tuple[Any, ...] | None = None
    _seen_at_s: float = 0.0
    _holders_duration_s: float = 0.0
    _word: LeadersWord = field(init=False)

    def __post_init__(self) -> None:
        self._word = LeadersWord(self.wall_clock, self.clock)

    @property
    def as_of(self) -> datetime | None:
        """When a leader last vouched for its reports; None if nobody is known to have.

        By the leader's clock, but never later than by ours when we first read it.
        """
        return self._word.as_of

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Take part until cancelled; run `lead` while leading and cancel it when leadership ends.

        On cancellation the Lease is given back at once, so that another copy need not wait.
        """
        try:
            while True:
                claimed_at_s = await self._claim(self.timing.renew_deadline_s)
                if claimed_at_s is not None:
                    await self._lead(lead, claimed_at_s)
                await asyncio.sleep(self.timing.retry_s)
        finally:
            if self.leading:
                await self._release()

    async def _lead(self, lead: Callable[[], Awaitable[None]], claimed_at_s: float) -> None:
        _log.info("leader_elected", lease=self.name, identity=self.identity)
        self.leading = True
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_must_not_end(lead), name=f"lead-{self.name}")
            await self._renew_until_lost(claimed_at_s)
            self.leading = False
            _log.warning("leader_lost", lease=self.name, identity=self.identity)
            work.cancel()

    async def _renew_until_lost(self, claimed_at_s: float) -> None:
        while (left_s := claimed_at_s + self.timing.renew_deadline_s - self.clock()) > 0:
            retry_s = min(self.timing.retry_s, left_s)
            await asyncio.sleep(retry_s)
            renewed_at_s = await self._claim(left_s - retry_s)
            if renewed_at_s is not None:
                claimed_at_s = renewed_at_s
            elif self._is_held_by_other():
                return

    async def _claim(self, within_s: float) -> float | None:
        """Take or renew the Lease if the rules allow.

        Returns:
            When the claim was sent, so at the earliest when others saw it; None if there is none,
            also when the API server fails.
        """
        self._word.bound()
        try:
            async with asyncio.timeout(within_s):
                lease = await self._read_or_create()
                self._observe(lease)
                if self._is_held_by_other() and not self._is_expired():
                    return None
                sent_at_s = self.clock()
                self._observe(await self.kube.update(self._path(), self._claimed(lease)))
        except ConflictError:
            return None  # somebody else was faster; the next round sees who
        except (KubeError, TimeoutError) as error:
            _log.warning("lease_not_reached", lease=self.name, error=str(error) or "no answer")
            return None
        return sent_at_s

    async def _read_or_create(self) -> Json:
        try:
            return await self.kube.get(self._path())
        except NotFoundError:
            metadata = {"name": self.name, "namespace": self.namespace}
            body = {
                "apiVersion": LEASES.api_version,
                "kind": "Lease",
                "metadata": metadata,
                "spec": {},
            }
            return await self.kube.create(LEASES.collection(self.namespace), body)

    def _claimed(self, lease: Json) -> Json:
        """Write ourselves as the holder into a copy of the record that was read."""
        now = self.wall_clock()
        spec = dict(lease.get("spec") or {})
        metadata = dict(lease["metadata"])
        if spec.get("holderIdentity") != self.identity:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = times.micro_time(now)
        spec["holderIdentity"] = self.identity
        spec["leaseDurationSeconds"] = math.ceil(self.timing.duration_s)
        spec["renewTime"] = times.micro_time(now)
        if self.leading and self.vouches():
            metadata["annotations"] = {
                **metadata.get("annotations", {}),
                AS_OF_ANNOTATION: times.rfc3339(now),
            }
        return {**lease, "metadata": metadata, "spec": spec}

    def _observe(self, lease: Json) -> None:
        spec = lease.get("spec") or {}
        record = (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions"))
        if record != self._record:
            self._record, self._seen_at_s = record, self.clock()
        self._holders_duration_s = float(spec.get("leaseDurationSeconds") or 0)
        self._word.hear(lease)

    def _is_held_by_other(self) -> bool:
        holder = self._record[0] if self._record else None
        return bool(holder) and holder != self.identity

    def _is_expired(self) -> bool:
        # The holder may be of a version, or have flags, with more patience than ours.
        patience_s = max(self.timing.duration_s, self._holders_duration_s)
        return self.clock() - self._seen_at_s > patience_s

    async def _release(self) -> None:
        """Empty the holder, so that the next copy leads within one retry."""
        self.leading = False
        try:
            async with asyncio.timeout(self.timing.retry_s):
                lease = await self.kube.get(self._path())
                if (lease.get("spec") or {}).get("holderIdentity") == self.identity:
                    lease["spec"]["holderIdentity"] = ""
                    await self.kube.update(self._path(), lease)
        except (KubeError, TimeoutError) as error:
            _log.warning("lease_not_released", lease=self.name, error=str(error))

    def _path(self) -> str:
        return LEASES.item(self.namespace, self.name)


async def _must_not_end(lead: Callable[[], Awaitable[None]]) -> None:
    """A leader's work that ends would leave a leader that does nothing."""
    await lead()
    raise RuntimeError("the leader's work ended although leadership did not")
