"""Kubernetes' look-back: of the recommendations of a window, the safest is taken.

Source: the HPA controller's `stabilizeRecommendationWithBehaviors`. Going up the smallest of the
window counts, going down the largest, so a spike shorter than the window moves nothing. It looks at
raw recommendations, before policies: what policies have cut would else hold itself up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from budaiscaler.domain.decision import Code, Rung, Stage

LONGEST_WINDOW = timedelta(seconds=3600)
"""That the API accepts for either direction."""

Recommendations = tuple[tuple[datetime, int], ...]
"""See `State.recommendations`."""


def stabilize(
    current: int,
    wanted: int,
    past: Recommendations,
    *,
    up: timedelta,
    down: timedelta,
    now: datetime,
) -> tuple[int, Rung | None]:
    """Keep an answer from following what was asked for only for a moment.

    Args:
        current: the replicas that stand.
        wanted: what is recommended now.
        past: what was recommended before, each at its time.
        up: window for growing.
        down: window for shrinking.
        now: time of the decision.
    """
    smallest = min([wanted, *(count for at, count in past if now - at < up)])
    largest = max([wanted, *(count for at, count in past if now - at < down)])
    answer = min(max(current, smallest), largest)
    if answer == wanted:
        return wanted, None
    window = (up if wanted > answer else down).total_seconds()
    extreme = "fewest" if wanted > answer else "most"
    message = f"{wanted} are wanted, and the {extreme} that were in {window:g} s are {answer}"
    return answer, Rung(Stage.STABILIZATION, Code.STABILIZED, wanted, answer, message)


def remember(
    past: Recommendations, wanted: int, longest: timedelta, now: datetime
) -> Recommendations:
    """Add a recommendation, and drop what no look back can find.

    A window ends now, so an entry matters only while it is above or below all that came after it.
    """
    kept = [(now, wanted)]
    smallest = largest = wanted
    for at, count in reversed(past):
        if now - at < longest and not smallest <= count <= largest:
            kept.append((at, count))
            smallest, largest = min(smallest, count), max(largest, count)
    return tuple(reversed(kept))


def ends(
    current: int, wanted: int, past: Recommendations, window: timedelta, now: datetime
) -> datetime | None:
    """Tell when a window that holds a step up its way lets the first of it through."""
    holding = [
        at
        for at, count in past
        if now - at < window and (count > wanted if wanted < current else count < wanted)
    ]
    return max(holding) + window if holding else None
