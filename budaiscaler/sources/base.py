"""What every source has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.readings import NoData
from budaiscaler.kube.workloads import Workload


@dataclass(frozen=True, slots=True)
class Sample:
    """The raw numbers of one fetch, before they are made into one.

    Attributes:
        values: every number answered, NaN included.
        at_s: monotonic time at which the answer came.
        answered: how many answered, where that is not how many values there are: pods for a level,
            series for a total.
        of: how many there were to answer; None where the source does not know.
        by_pod: the numbers by the name of the pod, where pods were asked one by one.
    """

    values: tuple[float, ...]
    at_s: float
    answered: int | None = None
    of: int | None = None
    by_pod: Mapping[str, float] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """One source of one scaler.

    Attributes:
        namespace: of the scaler; a source may read nothing of another.
        source: as the user wrote it.
        max_age_s: an answer this old that another scaler fetched will do.
        workload: the target as this evaluation sees it.
    """

    namespace: str
    source: MetricsSource
    max_age_s: float
    workload: Workload


@dataclass(frozen=True, slots=True)
class PastTotal:
    """A total as it was.

    Attributes:
        at_s: seconds since 1970.
        total: what it was then, over all that contributed.
    """

    at_s: float
    total: float


class Past(Protocol):
    """What a server remembers of a source that is a total."""

    async def past(
        self, namespace: str, source: MetricsSource, length_s: float, step_s: float
    ) -> tuple[PastTotal, ...] | NoData:
        """Give the totals of the last `length_s`, oldest first; ends within a time limit.

        Left out are times without a number, and those to which fewer contributed than at others.
        """
        ...


class Source(Protocol):
    """A kind of source."""

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        """Fetch now, or share what was fetched within `max_age_s`; ends within a time limit."""
        ...
