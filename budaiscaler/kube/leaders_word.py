"""What a leader vouches for, as everybody who reads its Lease knows it.

The annotation `data-as-of` of the record is the leader's word that everything it reports is true as
of then. Readers judge freshness by it, not by the renewal alone: a leader that has just taken over,
or cannot write its reports, renews but does not vouch. The leader's clock can only make its word
older: a word counts at most from when it was first read here. Taken as written, that of a leader
whose clock was half an hour ahead would keep the figures fresh for half an hour after its death.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from budaiscaler.domain import times
from budaiscaler.domain.errors import KubeError, NotFoundError
from budaiscaler.kube.port import Json, Kube
from budaiscaler.kube.resources import LEASES

AS_OF_ANNOTATION = "scaler.bud.studio/data-as-of"

_DRIFT = timedelta(milliseconds=1)
"""Two clocks of one machine do not pass the same time to the microsecond."""

_log = structlog.get_logger()


@dataclass(slots=True)
class LeadersWord:
    """The last word that was read.

    Attributes:
        wall_clock: to tell what of the future is in it.
        clock: monotonic seconds.
    """

    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    _said: str | None = None
    _read_at_s: float = 0.0
    _as_of: datetime | None = None

    @property
    def as_of(self) -> datetime | None:
        """When the leader last vouched for its reports; None if nobody is known to have.

        By the leader's clock, but never later than by ours when we first read it.
        """
        return self._as_of

    def hear(self, lease: Json) -> None:
        """Take the word from a Lease as it was read."""
        said = (lease["metadata"].get("annotations") or {}).get(AS_OF_ANNOTATION)
        if said != self._said:
            self._said, self._as_of, self._read_at_s = said, times.parse(said), self.clock()
        self.bound()

    def bound(self) -> None:
        """Make the word at least as old as it is known here; again, since our clock may be set."""
        if self._as_of is None:
            return
        read_at = self.wall_clock() - timedelta(seconds=self.clock() - self._read_at_s)
        if self._as_of - read_at >= _DRIFT:
            self._as_of = read_at


async def follow(
    kube: Kube, namespace: str, name: str, word: LeadersWord, *, every_s: float
) -> None:
    """Read somebody else's Lease until cancelled; who cannot be heard falls silent."""
    while True:
        word.bound()
        try:
            word.hear(await kube.get(LEASES.item(namespace, name)))
        except NotFoundError:
            pass  # nobody of that role was ever there
        except KubeError as error:
            _log.warning("lease_not_read", lease=name, error=str(error))
        await asyncio.sleep(every_s)
