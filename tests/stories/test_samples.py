"""The stories that we ship hold, and each strategy has some."""

from __future__ import annotations

from pathlib import Path

import pytest

from budaiscaler.cli import telling
from budaiscaler.domain.api.budaiscaler import Strategy

FILES = sorted((Path(__file__).parents[2] / "manifests" / "samples" / "tests").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_stories_hold(file: Path) -> None:
    """Each passes without a warning, so that whoever copies one learns the right thing."""
    outcomes = telling.tell([str(file)])
    assert outcomes
    assert [outcome.failures for outcome in outcomes] == [()] * len(outcomes)
    assert [outcome.warnings for outcome in outcomes] == [()] * len(outcomes)


def test_every_strategy_has_stories() -> None:
    """A user of any finds an example."""
    told = telling.tell([str(file) for file in FILES])
    assert {outcome.story.subject.spec.scaling_strategy for outcome in told} == set(Strategy)
