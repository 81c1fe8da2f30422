"""What each replica that stands is needed for: the lowest rung that asks for it pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import accounting, pausing
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Stage
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.pausing import Pausing
from budaiscaler.domain.readings import Observed, Reading
from budaiscaler.kube.port import Json
from tests import samples, strategies
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Says, Story
from tests.strategies import World

HINT = {"name": "day", "cronExpression": "0 8 * * *", "duration": "8h", "targetReplicas": 6}
FALLBACK = {"after": "10s", "replicas": 4, "behavior": "Static"}
PAUSED = Pausing(down=True, reason=pausing.BY_SPEC, message="it is paused")
ONE_AT_ONCE = {
    "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
    "stabilizationWindowSeconds": 0,
}


def _decided(
    strategy: str,
    says: Says,
    *,
    sources: Sequence[Json] = (samples.total(),),
    current: int = 10,
    before: float | Observed = 10,
    fields: Mapping[str, Any] = MappingProxyType({}),
    **seen: Any,
) -> Decision:
    """The decision after one at which ten were at their target, unless told."""
    story = Story(samples.spec(*sources, scalingStrategy=strategy, **fields))
    story.step(10, {"queue": before, "usage": Reading(0.9, 0, 10, 10)}, gpu=seen.get("gpu"))
    return story.step(current, says, **seen)


@pytest.mark.parametrize(
    ("decision", "standing", "shares"),
    [
        pytest.param(
            _decided("HPA", {"queue": 4}, fields={"scheduleHints": [HINT]}),
            10,
            {"combine": 4, "schedule": 2, "final": 4},
            id="a-schedule-above-the-need",
        ),
        pytest.param(
            _decided("HPA", {"queue": 8}, fields={"scheduleHints": [HINT]}),
            8,
            {"combine": 8},
            id="a-schedule-that-is-needed-anyway",
        ),
        pytest.param(_decided("HPA", {"queue": 12}), 5, {"combine": 5}, id="fewer-than-are-needed"),
        pytest.param(
            _decided("HPA", {"queue": 12}, fields={"maxReplicas": 7}),
            9,
            {"combine": 9},
            id="a-ceiling-pays-for-nothing",
        ),
        pytest.param(
            _decided("HPA", {"queue": 1}, fields={"minReplicas": 3}),
            3,
            {"combine": 1, "bounds": 2},
            id="the-fewest",
        ),
        pytest.param(
            _decided("BudScaler", {"queue": 4}),
            10,
            {"combine": 7, "stabilization": 3},
            id="a-step-of-half-the-way-and-the-window",
        ),
        pytest.param(
            _decided(
                "BudScaler",
                {"queue": 4},
                fields={"behavior": {"scaleDown": ONE_AT_ONCE}},
            ),
            10,
            {"combine": 7, "policies": 2, "final": 1},
            id="a-policy-lets-one-go",
        ),
        pytest.param(
            _decided("KPA", {"queue": 4}),
            10,
            {"combine": 10},
            id="panic-is-of-the-combination",
        ),
        pytest.param(
            _decided("HPA", {"queue": 9.5}),
            10,
            {"combine": 10},
            id="a-dead-band",
        ),
        pytest.param(
            _decided("HPA", {"queue": 4}, paused=PAUSED),
            10,
            {"combine": 4, "gate": 6},
            id="a-pause",
        ),
        pytest.param(_decided("HPA", {"queue": DEAD}), 10, {"source": 10}, id="no-data"),
        pytest.param(
            _decided(
                "HPA",
                {"queue": 4, "other": DEAD},
                sources=(samples.total(), samples.total(name="other")),
            ),
            10,
            {"combine": 4, "source": 6},
            id="one-of-two-without-data",
        ),
        pytest.param(
            _decided(
                "HPA",
                {"queue": 4, "other": DEAD},
                sources=(samples.total(), samples.total(name="other", optional=True)),
                after_s=600,
            ),
            10,
            {"combine": 4, "final": 6},
            id="one-that-is-left-out",
        ),
        pytest.param(
            _decided(
                "BudScaler",
                {"queue": DEAD},
                sources=(samples.total(fallback=FALLBACK),),
                before=DEAD,
            ),
            10,
            {"source": 7, "stabilization": 3},
            id="a-fallback-and-the-way-to-it",
        ),
        pytest.param(
            _decided("HPA", {"queue": 7}, ready=7), 10, {"combine": 7, "source": 3}, id="lost-pods"
        ),
        pytest.param(
            _decided("HPA", {"queue": Reading(4, 0, 4, 10)}),
            10,
            {"source": 10},
            id="a-part-of-a-total",
        ),
        pytest.param(
            _decided(
                "BudScaler",
                {"queue": 4},
                fields={"gpuConfig": {"enabled": True, "gpuMemoryThreshold": 50}},
                gpu=GpuReading(Reading(80.0, 0, 10, 10), Reading(1.0, 0, 10, 10), 10),
            ),
            20,
            {"combine": 7, "gpu": 9, "final": 4},
            id="full-gpus",
        ),
        pytest.param(_decided("BudScaler", {"queue": 0}, current=0), 0, {}, id="switched-off"),
    ],
)
def test_who_pays(decision: Decision, standing: int, shares: dict[str, int]) -> None:
    """Each stage pays for what it adds to those below it, and nobody for more than stands."""
    assert accounting.charged(decision, standing) == shares


@given(strategies.worlds() | strategies.acting_worlds(), st.integers(0, 100))
def test_every_replica_is_charged_once(world: World, standing: int) -> None:
    """For any decision of any strategy, the shares sum to what stands."""
    decision, _ = decide(world.spec, world.observation, world.state, NOON)
    shares = accounting.charged(decision, standing)
    assert sum(shares.values()) == standing
    assert all(replicas > 0 for replicas in shares.values())
    most = max(rung.after for rung in decision.rungs)
    assert shares.get(Stage.FINAL, 0) >= standing - most
