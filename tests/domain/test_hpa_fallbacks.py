"""HPA strategy: what the owner of a source allows when it stays without data."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain.decision import Code, Decision
from budaiscaler.kube.port import Json
from tests import samples
from tests.domain.deciding import DEAD, Story, rung, told

AFTER_S = 300


def _source(name: str, **fields: Any) -> Json:
    return samples.total(name=name, **fields)


def _fallback(replicas: int, behavior: str = "Static") -> Json:
    return {"after": "5m", "replicas": replicas, "behavior": behavior}


def _without_data(story: Story, current: int, for_s: float, **says: float) -> Decision:
    """Both sides of the wait: the source `dead` is silent from now on, and is looked at later."""
    first = story.step(current, {"dead": DEAD, **says})
    assert first.desired_replicas >= current
    return story.step(current, {"dead": DEAD, **says}, after_s=for_s)


@pytest.mark.parametrize(
    ("behavior", "replicas", "desired"),
    [
        pytest.param("Static", 4, 4, id="static-below"),
        pytest.param("Static", 20, 20, id="static-above"),
        pytest.param("CurrentReplicas", 4, 10, id="current"),
        pytest.param("CurrentReplicasIfHigher", 4, 10, id="higher-than-fallback"),
        pytest.param("CurrentReplicasIfHigher", 20, 20, id="not-higher"),
        pytest.param("CurrentReplicasIfLower", 4, 4, id="not-lower"),
        pytest.param("CurrentReplicasIfLower", 20, 10, id="lower-than-fallback"),
    ],
)
def test_a_fallback_stands_in_for_a_source_that_stays_silent(
    behavior: str, replicas: int, desired: int
) -> None:
    """Ten replicas, and none of the sources has said a word for five minutes."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(replicas, behavior))))
    decision = _without_data(story, 10, AFTER_S)
    assert decision.desired_replicas == desired
    assert rung(decision, Code.FALLBACK).after == desired


def test_before_its_time_a_fallback_does_nothing() -> None:
    """A second less than five minutes, and the silent source holds the ten as any other."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(4))))
    assert _without_data(story, 10, AFTER_S - 1).desired_replicas == 10


def test_a_source_that_was_back_in_between_starts_to_wait_anew() -> None:
    """Two silences of four minutes are not one of eight."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(4))))
    _without_data(story, 10, 240)
    story.step(10, {"dead": 10})
    assert _without_data(story, 10, 240).desired_replicas == 10


def test_a_fallback_is_a_decision_and_is_told() -> None:
    """Its result is published as fresh, scaling is active, and a condition names the source."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(4))))
    decision = _without_data(story, 10, AFTER_S)
    assert story.state.good_at == story.now
    assert told(decision, "ScalingActive")[:2] == ("True", "Fallback")
    status, _, message = told(decision, "Fallback")
    assert (status, "dead" in message) == ("True", True)


def test_beside_other_sources_a_fallback_is_one_need_among_theirs() -> None:
    """The largest wins: seven of a live source over a fallback of four."""
    story = Story(samples.spec(_source("live"), _source("dead", fallback=_fallback(4))))
    assert _without_data(story, 10, AFTER_S, live=7).desired_replicas == 7


@pytest.mark.parametrize(
    ("for_s", "desired"),
    [
        pytest.param(179, 10, id="holds-for-three-minutes"),
        pytest.param(180, 3, id="and-no-longer"),
    ],
)
def test_an_optional_source_stops_holding(for_s: float, desired: int) -> None:
    """Without a fallback it is left out of the decision after three minutes."""
    story = Story(samples.spec(_source("live"), _source("dead", optional=True)))
    assert _without_data(story, 10, for_s, live=3).desired_replicas == desired


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"optional": True}, id="left-out"),
        pytest.param({"fallback": _fallback(4)}, id="stood-in-for"),
    ],
)
def test_what_holds_nothing_any_more_is_not_said_to(fields: dict[str, Any]) -> None:
    """While it holds it is told to, and after that only that it has no data."""
    story = Story(samples.spec(_source("live"), _source("dead", **fields)))
    held = told(story.step(10, {"dead": DEAD, "live": 7}), "ScalingActive")[2]
    later = told(_without_data(story, 10, AFTER_S, live=7), "ScalingActive")[2]
    assert "without data, so holding scale-down: dead (Unreachable)" in held
    assert later.endswith("without data: dead (Unreachable): the server is down")


def test_a_source_that_is_not_optional_holds_for_ever() -> None:
    """A week of silence is no reason to scale down."""
    story = Story(samples.spec(_source("live"), _source("dead")))
    assert _without_data(story, 10, 7 * 86400, live=3).desired_replicas == 10


def test_with_only_optional_sources_and_no_data_nothing_moves() -> None:
    """Nothing is left to decide by, so ten stay ten, and scaling is told not to be active."""
    story = Story(samples.spec(_source("dead", optional=True)))
    decision = _without_data(story, 10, 86400)
    assert decision.desired_replicas == 10
    assert told(decision, "ScalingActive")[:2] == ("False", "NoData")


def test_a_fallback_lies_within_the_bounds() -> None:
    """It asks for 500 where 100 are the most."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(500))))
    assert _without_data(story, 10, AFTER_S).desired_replicas == 100


def test_when_a_fallback_will_stand_in_is_told_ahead() -> None:
    """The held decision says when it would change by itself."""
    story = Story(samples.spec(_source("dead", fallback=_fallback(4))))
    first = story.step(10, {"dead": DEAD})
    assert first.next_change is not None
    assert (first.next_change.at - story.now).total_seconds() == AFTER_S
