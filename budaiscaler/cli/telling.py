"""Reads files of stories, tells them, and keeps what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path as File

from budaiscaler.cli import files
from budaiscaler.cli.children import child
from budaiscaler.cli.files import STDIN, Document, FileError
from budaiscaler.domain.api.budaiscaler import KIND
from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.explaining import subjects
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.stories import reading, runner, timeline, verdicts
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.steps import Step
from budaiscaler.domain.stories.timeline import Row
from budaiscaler.domain.stories.verdicts import Failure
from budaiscaler.sources.engines import unit_factor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one story.

    Attributes:
        document: of its file.
        failures: what does not hold; none of a story that passed.
        warnings: what it teaches wrongly.
    """

    document: Document
    story: Story
    steps: tuple[Step, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """The course of the story."""
        return timeline.rows(self.story, self.steps)


def tell(names: Sequence[str]) -> list[Outcome]:
    """Tell all stories of some files.

    Raises:
        FileError: a file cannot be used; the message has file and line.
    """
    return [outcome for name in names for outcome in _of_file(name)]


def load_scaler(name: str) -> Subject:
    """Read the scaler of a file, the only one of its kind there.

    Raises:
        FileError: there is none, or it is wrong.
    """
    document = files.only(name, KIND)
    try:
        return subjects.read(document.raw)
    except InvalidInputError as error:
        raise FileError(document.tell(error)) from error


def _of_file(name: str) -> list[Outcome]:
    document = files.only(name)
    here = File() if name == STDIN else File(name).parent

    def resolve(scaler: str) -> Subject:
        return load_scaler(str(here / scaler))

    try:
        stories = reading.read(document.raw, resolve)
        return [_of_story(document, story) for story in stories]
    except InvalidInputError as error:
        raise FileError(document.tell(error)) from error


def _of_story(document: Document, story: Story) -> Outcome:
    steps = runner.run(story, child, unit_factor)
    return Outcome(
        document,
        story,
        steps,
        tuple(verdicts.failures(story, steps)),
        tuple(verdicts.warnings(story, steps)),
    )
