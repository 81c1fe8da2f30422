"""Short stories, told without a file."""

from __future__ import annotations

from typing import Any

from budaiscaler.cli.children import child
from budaiscaler.domain.explaining.subjects import Subject
from budaiscaler.domain.stories import reading, runner, verdicts
from budaiscaler.domain.stories.reading import Story
from budaiscaler.domain.stories.steps import Step
from budaiscaler.domain.stories.verdicts import Failure
from budaiscaler.kube.port import Json
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.explaining import worlds

Expectation = dict[str, Any]


def no_files(name: str) -> Subject:
    """There is no other file."""
    raise AssertionError(name)


def raw(
    *expect: Expectation,
    scaler: Json | None = None,
    current: int = 4,
    startup: str = "0s",
    total: str = "",
    **fields: Any,
) -> Json:
    """A story of a total over its target of 1, as it stands in a file."""
    inputs = [{"source": "queue", "total": total}] if total else []
    return {
        "name": "once",
        "scaler": worlds.document(samples.total()) if scaler is None else scaler,
        "replicas": {"current": current, "startup": startup},
        "inputs": inputs,
        "expect": list(expect) or [{"at": "10m", "desired": ">=0"}],
        **fields,
    }


def story(*expect: Expectation, **fields: Any) -> Story:
    """The same, read."""
    (found,) = reading.read({"stories": [raw(*expect, **fields)]}, no_files)
    return found


def told(*expect: Expectation, **fields: Any) -> tuple[Step, ...]:
    """The same, told."""
    return runner.run(story(*expect, **fields), child, unit_factor)


def failures(*expect: Expectation, **fields: Any) -> list[Failure]:
    """What of it does not hold."""
    about = story(*expect, **fields)
    return list(verdicts.failures(about, runner.run(about, child, unit_factor)))


def desired(steps: tuple[Step, ...], *at_s: float) -> list[int]:
    """What was asked for at some times."""
    return [next(step.desired for step in reversed(steps) if step.at_s <= one) for one in at_s]
