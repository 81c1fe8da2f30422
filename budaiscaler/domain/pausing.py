"""What is paused as of now: by the spec, and by an annotation that can end by itself.

The annotation is for hands at a command line: a field of the spec would be put back by whatever
keeps the scaler as it stands in Git. Its value is `<directions>` or `<directions> until <time>`,
one text, so that no end of an earlier pause is ever left beside a new one.

Who mistypes it wanted replicas to stay, and nobody can know which way. So they do not fall until it
is mended or taken away, and may still rise, as while data is missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from budaiscaler.domain import conditions, times
from budaiscaler.domain.api import naming
from budaiscaler.domain.api.budaiscaler import Pause
from budaiscaler.domain.conditions import Condition, Truth

NOT_PAUSED = "NotPaused"
EXPIRED = "PauseExpired"
NOT_UNDERSTOOD = "PauseNotUnderstood"
BY_SPEC = "PausedBySpec"
BY_ANNOTATION = "PausedByAnnotation"

SHOWN = 80
"""Characters of a text that is not understood."""

_TRUTH: Mapping[str, Truth] = {NOT_PAUSED: "False", EXPIRED: "False", NOT_UNDERSTOOD: "Unknown"}
_VALUE = re.compile(r"\s*(\w+)(?:\s+until\s+(\S+(?:\s\S+)?))?\s*", re.IGNORECASE)
_DIRECTIONS = {str(pause).lower(): pause for pause in Pause}
_WORDS = {
    Pause.BOTH: "scaling up and down is",
    Pause.SCALE_UP: "scaling up is",
    Pause.SCALE_DOWN: "scaling down is",
}


@dataclass(frozen=True, slots=True)
class Pausing:
    """What is paused.

    Attributes:
        up: replicas do not rise.
        down: replicas do not fall.
        until: when less of it will be; None while only an edit changes it.
        reason: why, as a condition has it.
        message: the same in words, with what to do.
    """

    up: bool = False
    down: bool = False
    until: datetime | None = None
    reason: str = NOT_PAUSED
    message: str = "scaling is not paused"

    @property
    def condition(self) -> Condition:
        """What is told of it; Unknown where a pause was meant that nobody understands."""
        truth = _TRUTH.get(self.reason, "True")
        return Condition(conditions.PAUSED, truth, self.reason, self.message)


NOTHING = Pausing()


@dataclass(frozen=True, slots=True)
class _Annotated:
    """A value of the annotation that is understood."""

    pause: Pause
    until: datetime | None


def is_understood(text: str) -> bool:
    """Whether a value of the annotation says what is paused."""
    return _read(text) is not None


def effective(paused: Pause, annotations: Mapping[str, str], now: datetime) -> Pausing:
    """Tell what is paused: whatever the spec or the annotation pauses.

    Args:
        paused: `spec.paused`.
        annotations: of the scaler.
        now: an annotation's pause is over from its end on.
    """
    text = annotations.get(naming.PAUSED_ANNOTATION)
    said = _read(text) if text is not None else _Annotated(Pause.NONE, None)
    if said is None:
        return _not_understood(paused, text or "")
    if said.until is not None and said.until <= now:
        return _expired(paused, said.until)
    if said.pause is Pause.NONE:
        return _by_spec(paused)
    return _annotated(paused, said)


def _annotated(paused: Pause, said: _Annotated) -> Pausing:
    by_spec = _by_spec(paused)
    up, down = by_spec.up or said.pause.up, by_spec.down or said.pause.down
    if (up, down) == (by_spec.up, by_spec.down):
        return _by_spec(paused, f"; annotation {naming.PAUSED_ANNOTATION} adds nothing to it")
    if said.until is None:
        end = 'until it is taken away; with " until <time>" it ends by itself'
    else:
        end = f"until {times.rfc3339(said.until)}"
    message = f"{_WORDS[said.pause]} paused by annotation {naming.PAUSED_ANNOTATION} {end}"
    if paused is not Pause.NONE:
        message = f"{message}; {by_spec.message}"
    return Pausing(up, down, said.until, BY_ANNOTATION, message)


def _expired(paused: Pause, at: datetime) -> Pausing:
    over = f"the pause of annotation {naming.PAUSED_ANNOTATION} ended at {times.rfc3339(at)}"
    if paused is Pause.NONE:
        return Pausing(reason=EXPIRED, message=f"{over}; it has no effect any more")
    return _by_spec(paused, f"; {over}")


def _by_spec(paused: Pause, also: str = "") -> Pausing:
    if paused is Pause.NONE:
        return NOTHING
    message = f"{_WORDS[paused]} paused by spec.paused: {paused}{also}"
    return Pausing(paused.up, paused.down, reason=BY_SPEC, message=message)


def _not_understood(paused: Pause, text: str) -> Pausing:
    shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    problem = f"annotation {naming.PAUSED_ANNOTATION}: {shown!r} is not understood"
    remedy = (
        'write Both, ScaleUp or ScaleDown, and for an end " until <time>" with its zone, for '
        'example "ScaleDown until 2030-01-31T18:00:00Z", or take it away'
    )
    if paused.down:
        return _by_spec(paused, f"; {problem}: {remedy}")
    held = f"{problem}, so scaling down is held until it is: {remedy}"
    message = held if paused is Pause.NONE else f"{held}; {_by_spec(paused).message}"
    return Pausing(paused.up, down=True, reason=NOT_UNDERSTOOD, message=message)


def _read(text: str) -> _Annotated | None:
    found = _VALUE.fullmatch(text)
    pause = _DIRECTIONS.get(found[1].lower()) if found is not None else None
    if found is None or pause is None:
        return None
    if found[2] is None:
        return _Annotated(pause, None)
    until = _read_time(found[2])
    return _Annotated(pause, until) if until is not None else None


def _read_time(text: str) -> datetime | None:
    """Read a time that says its zone: without one it would end hours off."""
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
