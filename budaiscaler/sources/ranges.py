"""What a range of points says of a total: only times to which as much contributed as ever did."""

from __future__ import annotations

import math
from collections.abc import Sequence

from budaiscaler.sources.base import PastTotal
from budaiscaler.sources.results import Point


def totals(points: Sequence[Point], counts: Sequence[Point] | None = None) -> tuple[PastTotal, ...]:
    """Add up the series of each time.

    A sum over half of the pods looks like half of the load, and `or vector(0)` makes a 0 of a time
    without any. So a time counts only if as much contributed as at the fullest of them: before a
    scale-up that leaves out what was whole, too, and an average over less is all that it costs.

    Args:
        points: of the expression.
        counts: how many series contributed, at the same times; None where they are the points' own.
    """
    contributed = {
        one.at_s: float(len(one.values)) if counts is None else sum(one.values)
        for one in (points if counts is None else counts)
    }
    fullest = max(filter(math.isfinite, contributed.values()), default=math.inf)
    found = (
        PastTotal(one.at_s, sum(one.values))
        for one in points
        if contributed.get(one.at_s) == fullest
    )
    return tuple(one for one in found if math.isfinite(one.total) and one.total >= 0)
