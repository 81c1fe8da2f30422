"""A story in few lines: one where something happened, or where another answer began."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from budaiscaler.domain.api import durations
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.schema import EventGiven
from budaiscaler.domain.stories.steps import Step

TITLES = ("time", "ready", "desired", "bound by", "why")

BESIDE = 2
"""Rows that are shown before and after those that are asked for."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line.

    Attributes:
        at_s: seconds since the start of the story.
        step: the first decision of its kind; None of an event.
        event: what happened; None of a decision.
    """

    at_s: float
    step: Step | None = None
    event: EventGiven | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in its columns."""
        at = durations.text(self.at_s)
        if self.step is None:
            return at, "", "", "event", self.told
        replicas = self.step.replicas
        ready = f"{replicas.ready}/{replicas.current}"
        return at, ready, str(self.step.desired), str(self.step.bound_by), self.step.why

    @property
    def told(self) -> str:
        """What happened, as it is written in the file; empty of a decision."""
        said = self.event.model_dump(exclude_none=True, exclude={"at"}) if self.event else {}
        return ", ".join(
            f"{name}: {value if isinstance(value, str) else json.dumps(value)}"
            for name, value in said.items()
        )


def rows(story: Story, steps: Sequence[Step]) -> tuple[Row, ...]:
    """Tell a story in rows, from its start to its end.

    Args:
        story: as read.
        steps: as told; see `runner.run`.
    """
    found = [Row(one.at, event=one) for one in story.given.events if one.at <= story.ends_s()]
    before: Step | None = None
    for step in steps:
        if before is None or _is_news(step, before):
            found.append(Row(step.at_s, step))
        before = step
    # Events come first, as they do in the story.
    return tuple(sorted(found, key=lambda row: (row.at_s, row.step is not None)))


def _is_news(step: Step, before: Step) -> bool:
    """Whether it differs in more than that those have gone of whom it was decided."""
    if (step.desired, step.bound_by) != (before.desired, before.bound_by):
        return True
    ready, current = step.replicas.ready, step.replicas.current
    return ready != before.replicas.ready and not (ready == current < before.replicas.current)


def around(rows: Sequence[Row], first_s: float, last_s: float) -> Sequence[Row]:
    """Choose what stood when a span began, all of the span, and some rows beside."""
    standing = sum(row.at_s <= first_s for row in rows) - 1
    after = sum(row.at_s <= last_s for row in rows)
    return rows[max(0, standing - BESIDE) : after + BESIDE]


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Write them in columns, with their titles."""
    table = [TITLES, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for at, ready, desired, bound_by, why in table:
        yield (
            f"{at:>{widths[0]}}  {ready:>{widths[1]}}  {desired:>{widths[2]}}  "
            f"{bound_by:<{widths[3]}}  {why}"
        )
