"""What became of scalings that we made ourselves, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from budaiscaler.domain import conditions, times
from budaiscaler.domain.api.status_features import MAX_HISTORY
from budaiscaler.domain.decision import Decision
from budaiscaler.evaluator.acting import Acted
from budaiscaler.kube.port import Json


def follow(
    before: Sequence[Json],
    acted: Acted,
    current: int,
    decision: Decision,
    strategy: str,
    now: datetime,
) -> list[Json]:
    """Add what was done, or could not be; tries that fail alike are one entry.

    Args:
        before: the entries so far.
        acted: what came of the decision.
        current: replicas that stood.
        decision: with why.
        strategy: that decided.
        now: time of the act.
    """
    entries = list(before)
    wanted = acted.failed_to if acted.scaled_to is None else acted.scaled_to
    if wanted is None:
        return entries
    entry: Json = {
        "timestamp": times.rfc3339(now),
        "previousScale": current,
        "newScale": wanted,
        "reason": _reason(decision),
        "algorithm": strategy,
        "success": acted.scaled_to is not None,
    }
    if acted.scaled_to is None:
        entry["error"] = conditions.shorten(acted.condition.message)
        last = entries[-1] if entries else {}
        alike = ("previousScale", "newScale", "success")
        if all(last.get(key) == entry[key] for key in alike):
            return entries
    return [*entries, entry][-MAX_HISTORY:]


def _reason(decision: Decision) -> str:
    rungs = [rung for rung in decision.rungs if rung.stage is decision.bound_by]
    said = rungs[-1].message if rungs else decision.rungs[-1].message
    return conditions.shorten(f"{decision.bound_by}: {said}")
