"""Reads a file of stories: what stands in it must fit together, and its scalers must be valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from budaiscaler.domain import pausing
from budaiscaler.domain.api import durations, strict
from budaiscaler.domain.errors import InvalidInputError, Path, Problem
from budaiscaler.domain.explaining import subjects
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.stories import schema
from budaiscaler.domain.stories.schema import (
    EventGiven,
    ExpectationGiven,
    InputGiven,
    StoryGiven,
)

Resolve = Callable[[str], Subject]
"""Reads the scaler of another file."""


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
    file = strict.read(schema.StoriesGiven, raw)
    problems: list[Problem] = []
    found = []
    for index, given in enumerate(file.stories):
        at: Path = ("stories", index)
        try:
            subject = _subject(given.scaler, resolve, (*at, "scaler"))
        except InvalidInputError as error:
            problems += error.problems
            continue
        problems += _misfits(given, subject, at)
        found.append(Story(given, subject, at))
    if problems:
        raise InvalidInputError(problems)
    return tuple(found)


def _subject(scaler: Any, resolve: Resolve, at: Path) -> Subject:
    """Read the scaler of a story; what is wrong in another file is wrong where that is named."""
    if not isinstance(scaler, str):
        return subjects.read(scaler, at)
    try:
        return resolve(scaler)
    except InvalidInputError as error:
        raise InvalidInputError(Problem(at, str(one)) for one in error.problems) from error


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
    if one.gpu is not None and (one.gpu not in schema.GPU_READINGS or one.total is not None):
        yield Problem((*at, "gpu"), "write gpu: memory or gpu: compute, and values in percent")
    if len(forms) != 1:
        yield Problem(at, "write either total (spread over the ready replicas) or values")


def _of_event(event: EventGiven, at: Path) -> Iterator[Problem]:
    said = event.model_fields_set - {"at"}
    if len(said) != 1:
        yield Problem(at, "write one thing that happens: lose, unschedulable, restart, pause, "
                      "resume or edit")  # fmt: skip
    if isinstance(event.pause, str) and not pausing.is_understood(event.pause):
        message = (
            f"{event.pause!r} pauses nothing; write Both, ScaleUp or ScaleDown, or for example "
            "ScaleDown until 2026-01-05T00:10:00Z"
        )
        yield Problem((*at, "pause"), message)
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
        ends_s = schema.end_s(given, story.interval)
        if last > ends_s:
            name = given.source or given.gpu or "price"
            message = (
                f"it reaches to {durations.text(last)}, and the input of {name} ends at "
                f"{durations.text(ends_s)}: write more samples, _xn for samples without data"
            )
            yield Problem(at, message)
