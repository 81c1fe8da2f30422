"""What every source has in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from budaiscaler.domain.api.budaiscaler import MetricsSource
from budaiscaler.domain.readings import NoData


@dataclass(frozen=True, slots=True)
class Sample:
    """The raw numbers of one fetch, before they are made into one.

    Attributes:
        values: every number answered, NaN included.
        at_s: monotonic time at which the answer came.
    """

    values: tuple[float, ...]
    at_s: float


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """One source of one scaler.

    Attributes:
        namespace: of the scaler; a source may read nothing of another.
        source: as the user wrote it.
        max_age_s: an answer this old that another scaler fetched will do.
    """

    namespace: str
    source: MetricsSource
    max_age_s: float


class Source(Protocol):
    """A kind of source."""

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Fetch now, or share what was fetched within `max_age_s`; ends within a time limit."""
        ...
