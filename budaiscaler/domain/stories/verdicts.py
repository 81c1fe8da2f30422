"""Holds what came of a story against what is expected of it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from budaiscaler.domain.algorithms import gpu
from budaiscaler.domain.api import durations, promql
from budaiscaler.domain.api.sources import TargetType
from budaiscaler.domain.errors import Path
from budaiscaler.domain.explaining.ladder import rungs
from budaiscaler.domain.readings import Reading
from budaiscaler.domain.stories.bounds import Bound
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.schema import ExpectationGiven
from budaiscaler.domain.stories.steps import Step

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Failure:
    """An expectation that does not hold.

    Attributes:
        path: of what is expected, in the file.
        at_s: when it was first not so; of sums, the end of the span.
        expected: as written.
        got: what was there then.
        today: what to write so that it holds: a number, a range, a status, or stages; None where
            nothing does for the whole span.
        ladder: how the decision of that moment came about.
        since_s: when what it is about began; of sums, the start of the span.
    """

    path: Path
    at_s: float
    expected: str
    got: str
    today: str | list[str] | None
    since_s: float
    ladder: tuple[str, ...] = ()


def failures(story: Story, steps: Sequence[Step]) -> Iterator[Failure]:
    """Find all expectations that do not hold.

    Args:
        story: as read.
        steps: as told; see `runner.run`.
    """
    for index, one in enumerate(story.given.expect):
        at = (*story.at, "expect", index)
        seen = _in(one, steps)
        if one.desired is not None:
            yield from _desired(one.desired, seen, (*at, "desired"))
        if one.reasons is not None:
            yield from _reasons(tuple(map(str, one.reasons)), seen, (*at, "reasons"))
        for kind, truth in (one.conditions or {}).items():
            yield from _condition(kind, truth, seen, (*at, "conditions", kind))
        if one.actions is not None:
            made = actions(steps, *one.span)
            yield from _sum(one.actions, made, str(made), str(made), one.span, (*at, "actions"))
        if one.cost is not None:
            spent = cost(steps, *one.span)
            most = f"<={math.ceil(100 * spent) / 100:.2f}"
            yield from _sum(one.cost, spent, f"{spent:.4g}", most, one.span, (*at, "cost"))


def actions(steps: Sequence[Step], first_s: float, last_s: float) -> int:
    """Count the changes of replicas that were asked for in a span."""
    return sum(step.acts for step in steps if first_s <= step.at_s <= last_s)


def cost(steps: Sequence[Step], first_s: float, last_s: float) -> float:
    """Add up what the replicas with a node cost in a span, at the price of each decision."""
    ends = [step.at_s for step in steps[1:]] + [last_s]
    spent = 0.0
    for step, end_s in zip(steps, ends, strict=True):
        lasts_s = max(0.0, min(end_s, last_s) - max(step.at_s, first_s))
        spent += step.placed * (step.price or 0.0) * lasts_s / HOUR_S
    return spent


def warnings(story: Story, steps: Sequence[Step]) -> Iterator[str]:
    """Tell what of a story teaches the wrong thing."""
    told = {one.source for one in story.given.inputs}
    for source in story.subject.spec.metrics_sources:
        if source.key not in told:
            yield f"{source.key} has no input, so it has no data in the whole story"
        levels = (one for one in story.given.inputs if one.source == source.key and one.values)
        is_level = promql.target_type(source)[0] is TargetType.VALUE
        if is_level and next(levels, None) is not None:
            yield from _constant(source.key, steps)
    told_of_gpus = {one.gpu for one in story.given.inputs}
    needed = [name for name, _ in gpu.thresholds(story.subject.spec)]
    for key, name in (("memory", gpu.MEMORY), ("compute", gpu.COMPUTE)):
        if name in needed and key not in told_of_gpus:
            yield f"no input gpu: {key}, so {name} has no data in the whole story"
    for event in story.given.events:
        if event.at > story.ends_s():
            at = durations.text(event.at)
            yield f"the event at {at} does not happen: nothing is expected then or later"


def _constant(key: str, steps: Sequence[Step]) -> Iterator[str]:
    """A level that stays while replicas come or go: nothing that they share does."""
    for before, after in itertools.pairwise(steps):
        old, new = before.readings.get(key), after.readings.get(key)
        counts = before.replicas.ready, after.replicas.ready
        if not isinstance(old, Reading) or not isinstance(new, Reading):
            continue
        if counts[0] != counts[1] and old.value == new.value > 0:
            yield (
                f"{key}: a level that stays {new.value:g} while the ready replicas go from "
                f"{counts[0]} to {counts[1]} teaches the wrong thing: what replicas share falls "
                "with each of them; write total: instead of values:"
            )
            return


def _in(one: ExpectationGiven, steps: Sequence[Step]) -> list[Step]:
    """The decisions of a span, and the one that stood when it began."""
    first, last = one.span
    standing = [step for step in steps if step.at_s <= first][-1:]
    return standing + [step for step in steps if first < step.at_s <= last]


def _desired(expected: str, seen: list[Step], at: Path) -> Iterator[Failure]:
    bound = Bound.parse(expected)
    counts = sorted({step.desired for step in seen})
    today = str(counts[0]) if len(counts) == 1 else f"{counts[0]}..{counts[-1]}"
    yield from _first(
        seen,
        lambda step: bound.holds(step.desired),
        expected,
        lambda step: str(step.desired),
        today,
        at,
    )


def _reasons(expected: tuple[str, ...], seen: list[Step], at: Path) -> Iterator[Failure]:
    always = [stage for stage in seen[0].stages if all(stage in step.stages for step in seen)]
    yield from _first(
        seen,
        lambda step: set(expected) <= set(step.stages),
        ", ".join(expected),
        lambda step: ", ".join(step.stages) or "nothing changed the value",
        list(map(str, always)),
        at,
    )


def _condition(kind: str, expected: str, seen: list[Step], at: Path) -> Iterator[Failure]:
    def truth(step: Step) -> str:
        return step.conditions.get(kind, "Absent")

    statuses = {truth(step) for step in seen}
    yield from _first(
        seen,
        lambda step: truth(step) == expected,
        f"{kind}={expected}",
        lambda step: f"{kind}={truth(step)}",
        truth(seen[-1]) if len(statuses) == 1 else None,
        at,
    )


def _first(
    seen: list[Step],
    holds: Callable[[Step], bool],
    expected: str,
    got: Callable[[Step], str],
    today: str | list[str] | None,
    at: Path,
) -> Iterator[Failure]:
    wrong = next((step for step in seen if not holds(step)), None)
    if wrong is not None:
        ladder = tuple(rungs(wrong.rungs))
        yield Failure(at, wrong.at_s, expected, got(wrong), today, wrong.at_s, ladder)


def _sum(
    expected: str, number: float, got: str, today: str, span: tuple[float, float], at: Path
) -> Iterator[Failure]:
    if not Bound.parse(expected).holds(number):
        yield Failure(at, span[1], expected, got, today, span[0])
