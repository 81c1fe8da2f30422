"""The file of stories: types as they are written, and what must fit together in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from budaiscaler.domain.api import strict
from budaiscaler.domain.api.base import ApiModel
from budaiscaler.domain.decision import Stage
from budaiscaler.domain.errors import InvalidInputError, InvalidSpecError, Path, Problem
from budaiscaler.domain.explaining import subjects
from budaiscaler.domain.explaining.observations import Count
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.stories import notation
from budaiscaler.domain.stories.bounds import Bound

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""When a story begins that does not say."""

LONGEST_S = 14 * 86400.0

GPU_READINGS = ("memory", "compute")

_TRUTH = re.compile(r"True|False|Unknown|Absent")

Resolve = Callable[[str], Subject]
"""Reads the scaler of another file."""


def _series(text: object) -> str:
    try:
        notation.expand(str(text))
    except InvalidSpecError as error:
        raise ValueError(str(error)) from error
    return str(text)


def _truth(text: object) -> str:
    found = str(text)
    if not _TRUTH.fullmatch(found):
        raise ValueError(f"{found!r} is no status; write True, False, Unknown or Absent")
    return found


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
    price: SeriesText | None = None


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
    conditions: Mapping[str, Truth] | None = None
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


@dataclass(frozen=True, slots=True)
class Story:
    """One story with its scaler.

    Attributes:
        at: where it stands in its file.
    """

    given: StoryGiven
    subject: Subject
    at: Path

    @property
    def name(self) -> str:
        """How it is called."""
        return self.given.name

    def ends_s(self) -> float:
        """Seconds from its start to the last thing that is expected of it."""
        return max(one.span[1] for one in self.given.expect)


def read(raw: Any, resolve: Resolve) -> tuple[Story, ...]:
    """Read a file of stories.

    Args:
        raw: as parsed from YAML.
        resolve: gives the scaler that a story names by its file.

    Raises:
        InvalidInputError: with all problems of all stories.
    """
    if not isinstance(raw, Mapping):
        raise InvalidInputError([Problem((), "no stories; write stories: and a list of them")])
    file = strict.read(StoriesGiven, raw)
    problems: list[Problem] = []
    found = []
    for index, given in enumerate(file.stories):
        at: Path = ("stories", index)
        try:
            if isinstance(given.scaler, str):
                subject = resolve(given.scaler)
            else:
                subject = subjects.read(given.scaler, (*at, "scaler"))
        except InvalidInputError as error:
            problems += error.problems
            continue
        problems += _misfits(given, subject, at)
        found.append(Story(given, subject, at))
    if problems:
        raise InvalidInputError(problems)
    return tuple(found)


def _misfits(given: StoryGiven, subject: Subject, at: Path) -> Iterator[Problem]:
    keys = [source.key for source in subject.spec.metrics_sources]
    for index, one in enumerate(given.inputs):
        yield from _of_input(one, keys, (*at, "inputs", index))
    for index, event in enumerate(given.events):
        yield from _of_event(event, (*at, "events", index))
    for index, expectation in enumerate(given.expect):
        yield from _of_expectation(expectation, given, (*at, "expect", index))


def _of_input(one: InputGiven, keys: list[str], at: Path) -> Iterator[Problem]:
    kinds = [kind for kind in ("source", "gpu", "price") if getattr(one, kind) is not None]
    if len(kinds) != 1:
        yield Problem(at, "write one of source, gpu (memory or compute) and price")
        return
    forms = [form for form in ("total", "values") if getattr(one, form) is not None]
    if one.price is not None:
        if forms:
            yield Problem(at, "a price has neither total nor values: write price: and its series")
        return
    if one.source is not None and one.source not in keys:
        yield strict.unknown(one.source, keys, (*at, "source"))
    if one.gpu is not None and (one.gpu not in GPU_READINGS or one.total is not None):
        yield Problem((*at, "gpu"), "write gpu: memory or gpu: compute, and values in percent")
    if len(forms) != 1:
        yield Problem(at, "write either total (spread over the ready replicas) or values")


def _of_event(event: EventGiven, at: Path) -> Iterator[Problem]:
    said = event.model_fields_set - {"at"}
    if len(said) != 1:
        yield Problem(at, "write one thing that happens: lose, unschedulable, restart, pause, "
                      "resume or edit")  # fmt: skip
    if event.restart not in (None, "evaluator"):
        yield Problem((*at, "restart"), f"{event.restart!r} cannot be restarted; write evaluator")


def _of_expectation(one: ExpectationGiven, story: StoryGiven, at: Path) -> Iterator[Problem]:
    said = one.model_fields_set
    if sum(({"at"} <= said, {"from_", "to"} <= said, {"over"} <= said)) != 1 or (
        bool({"from_", "to"} & said) != ({"from_", "to"} <= said)
    ):
        yield Problem(at, "write one time: at, from and to, or over")
        return
    if not said - {"at", "from_", "to", "over"}:
        yield Problem(
            at, "nothing is expected; write desired, reasons, conditions, actions or cost"
        )
    first, last = one.span
    if last < first:
        yield Problem((*at, "to"), "it ends before it begins")
    if one.cost is not None and not any(given.price is not None for given in story.inputs):
        yield Problem((*at, "cost"), "nobody knows what a replica costs; add an input price")
    sums = {"actions", "cost"} & said
    if "at" in said and sums:
        yield Problem(at, f"{' and '.join(sorted(sums))} are of a span; write over, or from and to")
    for given in story.inputs:
        if not (given.price or given.total or given.values):
            continue  # told of the input itself
        ends_s = end_s(given, story.interval)
        if last > ends_s:
            name = given.source or given.gpu or "price"
            message = (
                f"it is of {last:g} s, and the input of {name} ends at {ends_s:g} s: write more "
                "samples, _xn for samples without data"
            )
            yield Problem(at, message)


def end_s(given: InputGiven, interval_s: float) -> float:
    """Seconds from the start to the end of an input; a price that is one number never ends."""
    samples = series(given)
    if given.price is not None and len(samples) == 1:
        return float("inf")
    return len(samples) * interval_s


def series(given: InputGiven) -> notation.Series:
    """The samples of an input."""
    return notation.expand(given.price or given.total or given.values or "")
