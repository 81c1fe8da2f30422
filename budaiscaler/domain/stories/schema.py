"""The file of stories: its types, as they are written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from budaiscaler.domain import conditions
from budaiscaler.domain.api import strict
from budaiscaler.domain.api.base import ApiModel
from budaiscaler.domain.decision import Stage
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.explaining.observations import Count
from budaiscaler.domain.stories import notation
from budaiscaler.domain.stories.bounds import Bound

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a story begins that does not say."""

LONGEST_S = 14 * 86400.0

MOST_AN_HOUR = 1e9
"""No replica costs more."""

GPU_READINGS = ("memory", "compute")

_TRUTH = re.compile(r"True|False|Unknown|Absent")


def _series(text: object) -> str:
    try:
        notation.expand(str(text))
    except InvalidSpecError as error:
        raise ValueError(str(error)) from error
    return str(text)


def _price(text: str) -> str:
    for price in notation.expand(text):
        if price is not None and not 0 <= price <= MOST_AN_HOUR:
            raise ValueError(f"{price:g} is no price; write what a replica costs an hour")
    return text


def _truth(text: object) -> str:
    found = str(text)
    if not _TRUTH.fullmatch(found):
        raise ValueError(f"{found!r} is no status; write True, False, Unknown or Absent")
    return found


def _condition(text: str) -> str:
    if text not in conditions.TYPES:
        raise ValueError(f"{text!r} is no condition; known are {', '.join(conditions.TYPES)}")
    return text


def _bound(text: object) -> str:
    try:
        Bound.parse(str(text))
    except InvalidSpecError as error:
        raise ValueError(str(error)) from error
    return str(text)


def _duration(seconds: float) -> float:
    if seconds > LONGEST_S:
        raise ValueError("a story lasts two weeks at most")
    return seconds


Seconds = Annotated[strict.Seconds, AfterValidator(_duration)]
SeriesText = Annotated[str, BeforeValidator(_series)]
BoundText = Annotated[str, BeforeValidator(_bound)]
Truth = Annotated[str, BeforeValidator(_truth)]
ConditionType = Annotated[str, AfterValidator(_condition)]


class WorkloadGiven(ApiModel):
    """The pretended workload."""

    current: Count
    startup: Seconds = 0.0


class InputGiven(ApiModel):
    """What a source, the GPUs, or a price list says in the course of a story."""

    source: str | None = None
    gpu: str | None = None
    total: SeriesText | None = None
    values: SeriesText | None = None
    price: Annotated[SeriesText, AfterValidator(_price)] | None = None


class EventGiven(ApiModel):
    """What happens at a time."""

    at: Seconds
    lose: Count | None = None
    unschedulable: Count | None = None
    restart: str | None = None
    pause: str | bool | None = None
    resume: bool | None = None
    edit: Mapping[str, Any] | None = None


class ExpectationGiven(ApiModel):
    """What must hold at a time, in a span, or over the first part of a story."""

    at: Seconds | None = None
    from_: Annotated[Seconds | None, Field(alias="from")] = None
    to: Seconds | None = None
    over: Seconds | None = None
    desired: BoundText | None = None
    reasons: tuple[Stage, ...] | None = None
    conditions: Mapping[ConditionType, Truth] | None = None
    actions: BoundText | None = None
    cost: BoundText | None = None

    @property
    def span(self) -> tuple[float, float]:
        """First and last second of what it is about."""
        if self.at is not None:
            return self.at, self.at
        if self.over is not None:
            return 0.0, self.over
        return self.from_ or 0.0, self.to or 0.0


class StoryGiven(ApiModel):
    """One story."""

    name: Annotated[str, Field(min_length=1)]
    scaler: Any
    start: AwareDatetime = MONDAY
    interval: Annotated[Seconds, Field(gt=0)] = 15.0
    replicas: WorkloadGiven
    fresh: bool = False
    inputs: tuple[InputGiven, ...] = ()
    events: tuple[EventGiven, ...] = ()
    expect: Annotated[tuple[ExpectationGiven, ...], Field(min_length=1)]


class StoriesGiven(ApiModel):
    """A file of stories."""

    stories: Annotated[tuple[StoryGiven, ...], Field(min_length=1)]


def end_s(given: InputGiven, interval_s: float) -> float:
    """Seconds from the start to the end of an input; a price that is one number never ends."""
    samples = series(given)
    if given.price is not None and len(samples) == 1:
        return float("inf")
    return len(samples) * interval_s


def series(given: InputGiven) -> notation.Series:
    """The samples of an input."""
    return notation.expand(given.price or given.total or given.values or "")
