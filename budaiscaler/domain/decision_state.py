"""`status.decisionState`: what the next leader needs of a `State`, small enough for a status.

It is written along with what readers see, so it may be of some time ago. What the leader saw since
then is not in it, and in between nobody may have led at all. Such a gap hides no change of the
replicas, which is written at once, but it may hide any reading. So after one, nothing is let go for
what was seen before: the replicas stay for a whole window, panic begins as for a new decider, and
what was a part or idle is so since now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError

from budaiscaler.domain import windows
from budaiscaler.domain.algorithms import knative, kpa_source, needs
from budaiscaler.domain.api.base import ApiModel
from budaiscaler.domain.api.budaiscaler import ScaleTargetRef
from budaiscaler.domain.decision import Coverage, Replicas, State
from budaiscaler.domain.memories import Activity, KpaState, Memory
from budaiscaler.domain.schedules import LONGEST_START
from budaiscaler.domain.windows import Window

MAX_BYTES = 4096
"""As JSON: it is a part of every event of its scaler."""

UNKNOWN = 2**31 - 1
"""A recommendation of which nobody knows how large it was: nothing is let go before it is old."""

ON_TIME = 1.2
"""Intervals within which the next decision is made: a tenth is jitter."""

_MOST_BUCKETS = 1000
_LONGEST_BUCKET_S = 3600
"""More than any window of ours has."""

_MOST_SEEN = 60
"""Counts of ready replicas: of the last two minutes, and older ones tell nothing of a sample."""


class _Written(ApiModel):
    """What stands in the status; times are seconds since 1970.

    Attributes:
        at: time of the decision that the state is of.
        target: the workload it is about; of another one it says nothing.
        state: None where not even the least of it was small enough.
    """

    model_config = ConfigDict(
        ser_json_temporal="seconds", val_temporal_unit="seconds", allow_inf_nan=False
    )

    version: Literal[1] = 1
    at: datetime
    target: str
    state: State | None = None

    def to_text(self) -> str:
        """Write it down, without what an empty state has."""
        raw = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps({"version": self.version, **raw}, separators=(",", ":"))


def to_text(state: State, target: ScaleTargetRef, at: datetime) -> str:
    """Write a state down, in one line: whoever describes a scaler is not to scroll past it.

    What is too large is thinned, such that by what is left nothing is let go that the whole would
    have kept. A need above what stands may be forgotten, as after a gap.

    Args:
        state: what a decision returned.
        target: what it is about.
        at: time of that decision.

    Returns:
        At most `MAX_BYTES` of JSON without spaces, in ASCII.
    """
    tries = (
        _Written(at=at, target=_name(target), state=less).to_text()
        for less in _less_and_less(state, at)
    )
    return next(text for text in tries if len(text) <= MAX_BYTES)


def restored(
    text: Any,
    target: ScaleTargetRef,
    replicas: Replicas,
    now: datetime,
    *,
    interval_s: float,
    anew: State | None = None,
) -> State:
    """Take over what was written down, so that nothing is decided lower than without a restart.

    Args:
        text: what stands in the status, which somebody may have edited.
        target: of the spec as it is now.
        replicas: as they are now.
        now: time of the first decision from here on.
        interval_s: between two decisions.
        anew: to begin with where nothing can be taken over; left out, an empty one.
    """
    written = _read(text)
    if (
        written is None
        or written.state is None
        or written.target != _name(target)
        or not all(_is_sound(written.state, written.at, now))
    ):
        return anew if anew is not None else State()
    state = written.state
    is_late = now - written.at > timedelta(seconds=ON_TIME * interval_s)
    return _after_gap(state, replicas, now) if is_late else state


def _after_gap(state: State, replicas: Replicas, now: datetime) -> State:
    """Forget what would let replicas go, and begin anew to wait."""
    # Fewer than were asked for is a change that gives policies something to put back. That there
    # are more is none of theirs: it may be of long ago.
    asked = state.asked if state.asked is not None and replicas.current < state.asked else None
    return replace(
        state,
        # What moved below a whole replica was not written at once.
        recommended_load=None
        if state.recommended_load is None
        else float(needs.ceil(state.recommended_load)),
        current=None,
        shortfall=None,
        coverage={name: _still_partial(known, now) for name, known in state.coverage.items()},
        recommendations=(*state.recommendations, (now, UNKNOWN)) if state.recommendations else (),
        asked=asked,
        kpa={name: _resumed(one, replicas, now) for name, one in state.kpa.items()},
        activity=Activity(state.activity.is_initialized),
    )


def _still_partial(known: Coverage, now: datetime) -> Coverage:
    return known if known.partial_since is None else replace(known, partial_since=now)


def _resumed(state: KpaState, replicas: Replicas, now: datetime) -> KpaState:
    return replace(state, memory=knative.resume(state.memory, replicas, now))


def _less_and_less(state: State, at: datetime) -> Iterator[State | None]:
    yield state
    yield _without_windows(state, at)
    yield _without_history(state, at)
    yield None


def _without_windows(state: State, at: datetime) -> State:
    """Leave samples out, and begin in panic until they are made up for."""
    ready = state.ready_seen[-1][1] if state.ready_seen else 0
    replicas = Replicas(state.current or 0, ready)
    kpa = {
        name: KpaState(
            sampled_at=one.sampled_at,
            memory=_with_peak_only(knative.resume(one.memory, replicas, at)),
        )
        for name, one in state.kpa.items()
    }
    return replace(state, kpa=kpa)


def _with_peak_only(memory: Memory) -> Memory:
    """Of a delay of scale-down, keep the largest verdict as if it were the newest."""
    (*_, (newest, _)), peak = memory.verdicts.buckets, windows.largest(memory.verdicts) or 0.0
    verdicts = replace(memory.verdicts, buckets=((newest, peak),), first=newest)
    return replace(memory, verdicts=verdicts)


def _without_history(state: State, at: datetime) -> State:
    """Hold for a whole window, and have policies put back all that ever went."""
    gone = sum(by for _, by in state.changes if by < 0)
    return replace(
        _without_windows(state, at),
        ready_seen=state.ready_seen[-_MOST_SEEN:],
        recommendations=((at, UNKNOWN),) if state.recommendations else (),
        changes=((at, gone),) if gone else (),
    )


def _name(target: ScaleTargetRef) -> str:
    return f"{target.api_version}/{target.kind}/{target.name}"


def _read(text: Any) -> _Written | None:
    if not isinstance(text, str):
        return None
    try:
        return _Written.model_validate_json(text)
    except ValidationError:
        return None


def _is_sound(state: State, at: datetime, now: datetime) -> Iterator[bool]:
    """Whether it could be ours; of one that could not, nobody knows what comes of it."""
    yield all(moment.tzinfo is not None for moment in (at, *_moments(state)))
    yield at <= now
    yield all(moment <= at for moment in _moments(replace(state, begun={})))
    yield all(ahead <= at + LONGEST_START for ahead in state.begun.values())
    counts = [state.recommended_load, state.current, state.asked]
    counts += [count for _, count in (*state.ready_seen, *state.recommendations)]
    counts += [abs(by) for _, by in state.changes]
    for known in state.coverage.values():
        counts += [known.answered, known.expected, known.ready]
    if state.shortfall is not None:
        counts += [state.shortfall.missing, state.shortfall.most]
    for one in state.kpa.values():
        yield (one.memory.panic_since is None) == (one.memory.over_at is None)
        counts.append(one.memory.peak)
        yield _is_sound_window(one.samples, at, kpa_source.MOST_LOAD)
        yield _is_sound_window(one.memory.verdicts, at, needs.MAX_NEED)
    yield all(count is None or 0 <= count <= needs.MAX_NEED for count in counts)


def _is_sound_window(window: Window, at: datetime, most: float) -> bool:
    numbers = [number for number, _ in window.buckets]
    return (
        1 <= window.bucket_s <= _LONGEST_BUCKET_S
        and 0 < window.length <= _MOST_BUCKETS
        and len(numbers) <= window.length
        and numbers == sorted(set(numbers))
        and all(0 <= number <= at.timestamp() / window.bucket_s for number in numbers)
        and all(0 <= value <= most for _, value in window.buckets)
    )


def _moments(part: Any) -> Iterator[datetime]:
    """Every time in a state, however deep."""
    if isinstance(part, datetime):
        yield part
    elif is_dataclass(part):
        for one in fields(part):
            yield from _moments(getattr(part, one.name))
    elif isinstance(part, Mapping):
        for inside in part.values():
            yield from _moments(inside)
    elif isinstance(part, tuple):
        for inside in part:
            yield from _moments(inside)
