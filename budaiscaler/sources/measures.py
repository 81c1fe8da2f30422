"""Ways to make one number of a pod's series: as they stand, as a rate, as a mean, as a quantile.

What only grows tells something by what it rose between two looks at the same process. After a
restart there is no such rise once, and nobody guesses one: the pod is silent for that look.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum

from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.sources.exposition import Labels
from budaiscaler.sources.pages import Look, Page

STARTED = "process_start_time_seconds"
"""Where it is told, a restart shows in it at once."""

RANKS = frozenset({"tp_rank", "pp_rank", "moe_ep_rank", "pid"})
"""Labels of processes that work on the same requests, each of which tells of all of them."""


_TOTAL = ("priority", "")
"""So SGLang tells a total; beside it stand the shares of each priority."""


class Unit(StrEnum):
    """What a number is; several engines of a pod add up, unless each has a share or a time."""

    COUNT = "count"
    FRACTION = "fraction"
    PERCENT = "percent"
    SECONDS = "seconds"
    OTHER = "other"
    """Nobody knows; several such series of a pod are its mean, as the original has it."""

    @property
    def is_share(self) -> bool:
        """Whether that of two engines together is the mean and not the sum."""
        return self in {Unit.FRACTION, Unit.PERCENT, Unit.SECONDS}


class Kind(Enum):
    """How a number is made."""

    GAUGE = "gauge"
    RATE = "rate"
    MEAN = "mean"
    QUANTILE = "quantile"


@dataclass(frozen=True, slots=True)
class Measure:
    """One way to a number.

    Attributes:
        series: the name on the page; of a mean the sum, of a quantile the buckets.
        per: of a mean what the sum is divided by.
        quantile: between 0 and 1.
        scale: to get from the series' unit to ours.
        where: labels that a series must have.
    """

    kind: Kind
    series: str
    unit: Unit = Unit.COUNT
    per: str = ""
    quantile: float = 0.0
    scale: float = 1.0
    where: Labels = ()

    @property
    def names(self) -> frozenset[str]:
        """What must be read off a page for it."""
        if self.kind is Kind.GAUGE:
            return frozenset({self.series})
        return frozenset({self.series, self.per or self.series, STARTED})

    @property
    def adds_up(self) -> bool:
        """Whether that of two servers together is the sum of theirs."""
        return self.kind in {Kind.GAUGE, Kind.RATE} and not self.unit.is_share

    def read(self, look: Look) -> float | NoData | None:
        """Make the number; None where the page does not have the series."""
        now = _labelled(look.now, self.series, self.where)
        if isinstance(now, NoData):
            return now
        if not now:
            return None
        if self.kind is Kind.GAUGE:
            return _joined(now, self.unit) * self.scale
        return _FIRST_LOOK if look.before is None else self._risen(look.before, look.now)

    def _risen(self, before: Page, now: Page) -> float | NoData:
        rises = _rises(before, now, self.series, self.where)
        counts = _rises(before, now, self.per, self.where) if self.per else rises
        if isinstance(rises, NoData) or isinstance(counts, NoData):
            return rises if isinstance(rises, NoData) else _RESTARTED
        if self.kind is Kind.RATE:
            return _joined(rises, self.unit) * self.scale / (now.at_s - before.at_s)
        value = quantile(rises, self.quantile) if self.kind is Kind.QUANTILE else None
        if self.kind is Kind.MEAN and (count := total(counts.values())) > 0:
            value = total(rises.values()) / count
        return _IDLE if value is None else value * self.scale


_FIRST_LOOK = NoData(
    NoDataReason.NOT_YET_READ, "a rate needs two looks at a pod, and this is the first"
)
_RESTARTED = NoData(
    NoDataReason.NOT_YET_READ, "it was restarted, so a rate needs one more look at it"
)
_IDLE = NoData(
    NoDataReason.EMPTY_RESULT,
    "it finished no request since the last look, so there is no mean or quantile; set optional "
    "with a fallback, or add a source that has a value when idle",
)


def _labelled(page: Page, name: str, where: Labels) -> Mapping[Labels, float] | NoData:
    """The series of that name by their labels; of duplicates the last."""
    found = page.found.get(name, ())
    if isinstance(found, NoData):
        return found
    if any(_TOTAL in one.labels for one in found):
        where = (*where, _TOTAL)
    wanted = set(where)
    return {one.labels: one.value for one in found if wanted.issubset(one.labels)}


def _joined(series: Mapping[Labels, float], unit: Unit) -> float:
    """One number of several series: of ranks the largest, of what is left the sum or the mean."""
    groups: dict[Labels, list[float]] = defaultdict(list)
    for labels, value in series.items():
        groups[tuple(pair for pair in labels if pair[0] not in RANKS)].append(value)
    # `max` of NaN and a number is either, by their order.
    tops = [math.nan if any(map(math.isnan, ranks)) else max(ranks) for ranks in groups.values()]
    return total(tops) if unit is Unit.COUNT else total(tops) / len(tops)


def total(values: Iterable[float]) -> float:
    """Add up exactly; infinities of both signs are no number."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return math.nan


def _rises(before: Page, now: Page, name: str, where: Labels) -> Mapping[Labels, float] | NoData:
    """What each series rose by; one that was not there began at 0, in the same process."""
    old, new = _labelled(before, name, where), _labelled(now, name, where)
    if isinstance(old, NoData) or isinstance(new, NoData):
        return new if isinstance(new, NoData) else _FIRST_LOOK
    starts = [_labelled(page, STARTED, ()) for page in (before, now)]
    if starts[0] != starts[1]:
        return _RESTARTED
    rises = {labels: value - old.get(labels, 0.0) for labels, value in new.items()}
    return _RESTARTED if any(rise < 0 for rise in rises.values()) else rises


def quantile(rises: Mapping[Labels, float], at: float) -> float | None:
    """Estimate a quantile from what cumulative buckets rose by; None when nothing was counted.

    Within a bucket the observations are taken as spread evenly. What lies beyond the last finite
    bound is told as that bound, since nobody knows more.
    """
    by_bound: dict[float, float] = defaultdict(float)
    for labels, rise in rises.items():
        try:
            by_bound[float(dict(labels)["le"])] += rise
        except (KeyError, ValueError):
            return None
    bounds = sorted(by_bound)
    if len(bounds) < 2 or not math.isinf(bounds[-1]):  # noqa: PLR2004 - a finite one and +Inf
        return None
    count = by_bound[bounds[-1]]
    if not count > 0:
        return None
    rank, low, below = at * count, min(0.0, bounds[0]), 0.0
    for bound in bounds:
        inside = by_bound[bound]
        if inside >= rank:
            if math.isinf(bound):
                return low
            return (
                bound
                if inside <= below
                else low + (bound - low) * (rank - below) / (inside - below)
            )
        low, below = bound, max(below, inside)
    return low
