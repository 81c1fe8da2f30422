"""Windows of a decider that begins, filled with what a server remembers of its sources."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain.algorithms import warming
from budaiscaler.domain.algorithms.kpa_source import MOST_LOAD, Sample
from budaiscaler.domain.algorithms.warming import Span
from budaiscaler.domain.api.base import GROUP
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.kube.port import Json
from tests import samples
from tests.conftest import NOON
from tests.domain.deciding import Story

STEP_S = 5
SPAN = Span(60, STEP_S)
MINUTE = {"stable-window": "1m"}
ONE_READY = Observation(Replicas(1, 1), {})


def _spec(*sources: Json, **fields: Any) -> ScalerSpec:
    return samples.spec(
        *(sources or (samples.total("10"),)),
        **{"scalingStrategy": "KPA", "maxReplicas": 100} | fields,
    )


def _lacking(spec: ScalerSpec, state: State, **annotations: str) -> dict[str, Span]:
    seen = Observation(
        Replicas(1, 1), {}, annotations={f"{GROUP}/{k}": v for k, v in annotations.items()}
    )
    return dict(warming.lacking(spec, seen, state, NOON, interval_s=STEP_S))


def _past(totals: Iterable[float]) -> list[Sample]:
    """These totals, the last of them a step ago."""
    newest_first = list(totals)[::-1]
    return [
        Sample(total, NOON - timedelta(seconds=STEP_S * (ago + 1)))
        for ago, total in enumerate(newest_first)
    ]


def _begun(past: list[Sample], state: State | None = None) -> Story:
    """A story of a leader that was told so."""
    begun = warming.warmed(
        _spec(), ONE_READY, state or State(), {"queue": past}, NOON, interval_s=STEP_S
    )
    return Story(_spec(), state=begun)


@pytest.mark.parametrize(
    ("past", "desired"),
    [
        pytest.param([], 1, id="nothing-known"),
        pytest.param([90] * 11, 9, id="a-lull-after-a-minute-of-load"),
        pytest.param([90, 0] * 5, 5, id="bursts"),
        pytest.param([90] * 2 + [0] * 9, 2, id="long-over"),
    ],
)
def test_a_lull_is_not_all_there_is(past: list[float], desired: int) -> None:
    """A leader that begins in a lull decides by the minute before, and not by the moment."""
    decision = _begun(_past(past)).step(1, {"queue": 5}, after_s=0)
    assert decision.desired_replicas == desired


def test_a_moment_is_not_all_there_is() -> None:
    """Nor does one that begins in a spike that is no panic ask for the spike."""
    spec = _spec(behavior={"scaleUp": {"maxScaleRate": "100"}})
    calm = warming.warmed(
        spec, ONE_READY, State(), {"queue": _past([10] * 11)}, NOON, interval_s=STEP_S
    )
    tuned = {"panic-threshold": "1000", "panic-window": "5"}

    warm = Story(spec, state=calm, annotations=tuned).step(1, {"queue": 90}, after_s=0)
    cold = Story(spec, annotations=tuned).step(1, {"queue": 90}, after_s=0)

    assert (warm.desired_replicas, cold.desired_replicas) == (2, 9)


def test_more_than_one_replica_begins_in_panic_all_the_same() -> None:
    """That there was little load lets nothing go at once: whether it was panic nobody remembers."""
    spec = _spec(behavior={"scaleDown": {"stabilizationWindowSeconds": 0}})
    seen = Observation(Replicas(6, 6), {})
    begun = warming.warmed(spec, seen, State(), {"queue": _past([5] * 11)}, NOON, interval_s=STEP_S)
    assert Story(spec, state=begun).step(6, {"queue": 5}, after_s=0).desired_replicas == 6


def test_what_was_seen_stays() -> None:
    """Where the leader before had a sample, that counts, and holes alone are filled."""
    before = Story(_spec(), now=NOON - timedelta(seconds=60))
    for _ in range(4):
        before.step(1, {"queue": 40}, after_s=STEP_S)
    restored = before.state

    story = _begun(_past([90] * 11), restored)
    decision = story.step(1, {"queue": 90}, after_s=0)

    assert decision.desired_replicas == 8  # four of 40 and eight of 90


def test_what_is_absurd_or_of_the_future() -> None:
    """A clock that goes ahead tells nothing, and no number overflows an average."""
    future = Sample(1e6, NOON + timedelta(seconds=1))
    assert _begun([future]).state == State()
    (window,) = (one.samples for one in _begun(_past([1e300])).state.kpa.values())
    assert [value for _, value in window.buckets] == [MOST_LOAD]


def test_other_sources_are_left_alone() -> None:
    """What was told of a source that the spec does not have is no source's."""
    told = {"another": _past([90] * 11)}
    assert warming.warmed(_spec(), ONE_READY, State(), told, NOON, interval_s=STEP_S) == State()


@pytest.mark.parametrize(
    ("spec", "annotations", "expected"),
    [
        pytest.param(_spec(), {}, {"queue": Span(180, STEP_S)}, id="three-minutes"),
        pytest.param(_spec(), MINUTE, {"queue": SPAN}, id="as-annotated"),
        pytest.param(
            _spec(), {"stable-window": "1h"}, {"queue": Span(3600, 10)}, id="coarse-for-an-hour"
        ),
        pytest.param(_spec(samples.level("10")), {}, {}, id="a-level"),
        pytest.param(_spec(scalingStrategy="BudScaler"), {}, {}, id="another-strategy"),
    ],
)
def test_what_is_asked_for(
    spec: ScalerSpec, annotations: dict[str, str], expected: dict[str, Span]
) -> None:
    """Totals of KPA, for as long as their windows are, in at most 360 steps."""
    assert _lacking(spec, State(), **annotations) == expected


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        pytest.param((), {}, id="all-there"),
        pytest.param((3, 7), {}, id="some-are-always-lost"),
        pytest.param((3, 4, 5), {"queue": SPAN}, id="a-gap"),
    ],
)
def test_a_window_that_is_full_needs_nothing(
    lost: tuple[int, ...], expected: dict[str, Span]
) -> None:
    """A leader that takes over at once asks for nothing; after a gap it does."""
    story = Story(_spec(), now=NOON - timedelta(seconds=60), annotations=MINUTE)
    for number in range(12):
        says = {} if number in lost else {"queue": 10}
        story.step(1, says, after_s=STEP_S)
    assert _lacking(_spec(), story.state, **MINUTE) == expected
