"""Says if a difference between two statuses is worth a write, and how long it can wait.

Writes are the scarce thing: a thousand steady scalers must not keep an API server busy, so a change
that no reader acts on waits for up to a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from budaiscaler.domain import conditions, times
from budaiscaler.evaluator.restoring import value_of

MINOR_WRITE_EVERY_S = 60.0
JITTER_WAITS_S = 240.0
"""A load that only jitters is rewritten every five minutes: the writes of a large steady fleet took
a tenth of the adapter's time."""
VALUE_MOVED = 0.05
PERCENT_MOVED = 5
"""Of GPUs: the busiest numbers there are, which nobody reads but people."""
NEXT_MOVED = timedelta(minutes=1)
"""A bound that is measured anew with each start is about the same."""

_READ_BY_PEOPLE = (conditions.PAUSED, conditions.CONTESTED)
"""Conditions whose message somebody waits for, and in which nothing jitters."""

_ACTED_ON = ("observedGeneration", "actualScale", "desiredScale", "holdingSince")


def is_significant(
    old: Mapping[str, Any], new: Mapping[str, Any], is_read: Callable[[str], bool]
) -> bool:
    """Tell whether a reader acts on the difference, so that it cannot wait.

    Args:
        old: the status as last written.
        new: the status as it would be written.
        is_read: whether some HPA selects a source metric of that name.
    """
    if any(old.get(key) != new.get(key) for key in _ACTED_ON) or _verdicts(old) != _verdicts(new):
        return True
    if any((key in old) != (key in new) for key in ("desiredLoad", "gpuStatus")):
        return True
    if _active_hint(old) != _active_hint(new):
        return True
    before = {entry["name"]: entry for entry in old.get("sources") or ()}
    after = {entry["name"]: entry for entry in new.get("sources") or ()}
    return before.keys() != after.keys() or any(
        _source_changed(before[name], after[name], is_read) for name in after
    )


def is_changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether anything differs but times that a little more or less of makes no difference."""
    untimed = {"decisionTime": None, "next": None}
    return {**old, **untimed} != {**new, **untimed} or _is_next_moved(old, new)


def is_jitter(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether the two differ in nothing but figures that moved a little, and their wording."""
    before = {entry["name"]: value_of(entry) for entry in old.get("sources") or ()}
    after = {entry["name"]: value_of(entry) for entry in new.get("sources") or ()}
    return (
        is_changed(old, new)
        and _course(old) == _course(new)
        and before.keys() == after.keys()
        and not any(_moved(before[name], after[name]) for name in after)
        and not _gpus_moved(old.get("gpuStatus") or {}, new.get("gpuStatus") or {})
    )


def _active_hint(status: Mapping[str, Any]) -> Any:
    return (status.get("predictionStatus") or {}).get("activeScheduleHint")


def _verdicts(status: Mapping[str, Any]) -> set[tuple[str, str, str, str]]:
    return {
        (c["type"], c["status"], c["reason"], c["message"] if c["type"] in _READ_BY_PEOPLE else "")
        for c in status.get("conditions") or ()
    }


def _source_changed(
    old: Mapping[str, Any], new: Mapping[str, Any], is_read: Callable[[str], bool]
) -> bool:
    if (old.get("noDataSince") is None) != (new.get("noDataSince") is None):
        return True
    if old.get("value") == new.get("value") or not is_read(str(new["metric"])):
        return False
    return _moved(value_of(old), value_of(new))


def _moved(before: float | None, after: float | None) -> bool:
    if before is None or after is None:
        return before is not after
    return abs(after - before) > VALUE_MOVED * abs(before)


def _gpus_moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.keys() != new.keys() or any(
        abs(new[key] - told) > PERCENT_MOVED if key.startswith("average") else new[key] != told
        for key, told in old.items()
    )


def _is_next_moved(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    before, after = (times.parse((s.get("next") or {}).get("time")) for s in (old, new))
    if before is None or after is None:
        return before is not after
    return abs(after - before) > NEXT_MOVED


def _course(status: Mapping[str, Any]) -> tuple[Any, ...]:
    """How a decision came about, without its figures."""
    steps = [(rung["stage"], rung["code"]) for rung in status.get("reasons") or ()]
    return status.get("boundBy"), steps, _verdicts(status)
