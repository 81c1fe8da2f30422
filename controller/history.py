"""What became of scalings: the last ones of a scaler's HPAs, with those that failed.

The HPA controller tells the time of a scaling, what stood and what it wanted, in one write of an
HPA's status. It tells a failure by a condition, anew at each try: one entry stands for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from budaiscaler.domain import conditions
from budaiscaler.domain.api.budaiscaler import Strategy
from budaiscaler.domain.api.status_features import MAX_HISTORY
from budaiscaler.kube.port import Json
from controller.hpas import Hpa, Rescale

FAILED = "FailedUpdateScale"
"""Reason of the condition AbleToScale of an HPA that could not write the scale."""

_UNKNOWN = "the HPA scaled the workload"


def last_scale_time(children: Iterable[Hpa]) -> str | None:
    """When one of the HPAs last scaled; None if none ever did."""
    scaled = (hpa.rescale.at for hpa in children if hpa.rescale is not None)
    return max(scaled, default=None)


def follow(
    before: Sequence[Json],
    scaled_at: str | None,
    children: Iterable[Hpa],
    status: Mapping[str, Any],
) -> list[Json]:
    """Add what happened since.

    Args:
        before: the entries so far, oldest first.
        scaled_at: the last scaling that they are known to be about.
        children: the scaler's HPAs.
        status: of the scaler, with why it wants what it wants.

    Returns:
        The last entries, oldest first.
    """
    entries = list(before)
    for hpa in children:
        entries += _scaling(hpa.rescale, scaled_at, status)
        entries += _failure(hpa, entries, status)
    return sorted(entries, key=lambda entry: str(entry["timestamp"]))[-MAX_HISTORY:]


def _scaling(
    rescale: Rescale | None, scaled_at: str | None, status: Mapping[str, Any]
) -> Iterator[Json]:
    # Seen only when the HPA had moved on, it does not tell any more what stood before.
    if rescale is None or rescale.before == rescale.after:
        return
    if scaled_at is None or rescale.at > scaled_at:
        yield _entry(rescale.at, rescale.before, rescale.after, status) | {"success": True}


def _failure(hpa: Hpa, before: Sequence[Json], status: Mapping[str, Any]) -> Iterator[Json]:
    told = hpa.condition("AbleToScale")
    if told is None or (told.get("status"), told.get("reason")) != ("False", FAILED):
        return
    current = int(hpa.status.get("currentReplicas") or 0)
    entry = _entry(
        str(told.get("lastTransitionTime")),
        current,
        int(status.get("desiredScale", current)),
        status,
    )
    error = conditions.shorten(str(told.get("message", "")))
    last = before[-1] if before else None
    if last is None or last["success"] or not _is_same(last, entry, error):
        yield entry | {"success": False, "error": error}


def _is_same(last: Json, entry: Json, error: str) -> bool:
    scales = ("previousScale", "newScale")
    return last.get("error") == error or all(last[key] == entry[key] for key in scales)


def _entry(at: str, before: int, after: int, status: Mapping[str, Any]) -> Json:
    return {
        "timestamp": at,
        "previousScale": before,
        "newScale": after,
        "reason": _reason(status),
        "algorithm": str(Strategy.HPA),
    }


def _reason(status: Mapping[str, Any]) -> str:
    """What determined the last decision, in the words of its rung."""
    bound_by = status.get("boundBy")
    rungs = [rung for rung in status.get("reasons") or () if rung.get("stage") == bound_by]
    if not rungs:
        return _UNKNOWN
    return conditions.shorten(f"{bound_by}: {rungs[-1].get('message')}")
