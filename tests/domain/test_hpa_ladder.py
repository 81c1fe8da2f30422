"""HPA strategy: a decision explains itself, rung by rung, in one closed vocabulary."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given

from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, Rung, Stage
from tests import samples, strategies
from tests.conftest import NOON
from tests.domain.deciding import DEAD, Story
from tests.strategies import World

ORDER = list(Stage)


def _codes(decision: Decision) -> list[str]:
    return [f"{rung.stage}/{rung.code}" for rung in decision.rungs]


def test_the_stages_and_codes_are_a_closed_list() -> None:
    """Users filter logs and metrics by them: a new one is a decision, not an accident."""
    assert " ".join(ORDER) == (
        "source combine tolerance gpu forecast schedule cost stabilization policies gate bounds "
        "final"
    )
    assert {str(code) for code in Code} == {
        "NeedFromTotal",
        "NeedFromLevel",
        "NoData",
        "PartialData",
        "Fallback",
        "OptionalLeftOut",
        "LostOrStartingReplicas",
        "LargestNeed",
        "Hold",
        "Damped",
        "RateCapped",
        "StableAverage",
        "PanicAverage",
        "ActivationScale",
        "NotLowerInPanic",
        "ScaleDownDelay",
        "InitialScale",
        "HeldAboveZero",
        "ToZero",
        "WithinTolerance",
        "PastDeadBand",
        "ScheduleFloor",
        "Stabilized",
        "RateLimited",
        "Disabled",
        "StartingGate",
        "CapacityLimited",
        "MinReplicas",
        "MaxReplicas",
        "ScalingDisabled",
        "Paused",
        "NativeMetric",
        "Result",
    }


@pytest.mark.parametrize(
    ("current", "ready", "says", "codes"),
    [
        pytest.param(
            10,
            10,
            {"queue": 20, "usage": 1.5},
            ["source/NeedFromTotal", "source/NeedFromLevel", "combine/LargestNeed", "final/Result"],
            id="a-plain-step",
        ),
        pytest.param(
            10,
            10,
            {"queue": 10.5, "usage": DEAD},
            [
                "source/NeedFromTotal",
                "source/NoData",
                "combine/LargestNeed",
                "tolerance/WithinTolerance",
                "final/Result",
            ],
            id="inside-the-dead-band",
        ),
        pytest.param(
            60,
            30,
            {"queue": 90, "usage": 0.5},
            [
                "source/NeedFromTotal",
                "source/NeedFromLevel",
                "source/LostOrStartingReplicas",
                "combine/LargestNeed",
                "bounds/MaxReplicas",
                "final/Result",
            ],
            id="starting-and-over-the-maximum",
        ),
        pytest.param(
            53,
            53,
            {"queue": 54, "usage": 0},
            [
                "source/NeedFromTotal",
                "source/NeedFromLevel",
                "combine/LargestNeed",
                "tolerance/WithinTolerance",
                "bounds/MaxReplicas",
                "final/Result",
            ],
            id="held-and-then-cut",
        ),
    ],
)
def test_a_ladder_tells_what_happened(
    current: int, ready: int, says: dict[str, float], codes: list[str]
) -> None:
    """One rung a source, one for each rule that did something, and the result."""
    spec = samples.spec(samples.total(), samples.level(), maxReplicas=50)
    assert _codes(Story(spec).step(current, says, ready=ready)) == codes


def test_messages_carry_the_numbers() -> None:
    """What is computed can be followed with a pencil."""
    spec = samples.spec(samples.total("4"), samples.level("0.8"))
    messages = [rung.message for rung in Story(spec).step(10, {"queue": 50, "usage": 1.2}).rungs]
    assert messages == [
        "queue: total 50 / 4 a replica = 12.5 replicas",
        "usage: 10 ready x level 1.2 / 0.8 = 15 replicas",
        "the largest need wins: usage",
        "10 -> 15 replicas",
    ]


def _decided(world: World) -> Decision:
    return decide(world.spec, world.observation, world.state, NOON)[0]


@given(strategies.worlds())
def test_stages_stand_in_their_order(world: World) -> None:
    """Whatever happens, no rung stands above one of an earlier stage."""
    stages = [ORDER.index(rung.stage) for rung in _decided(world).rungs]
    assert stages == sorted(stages)


@given(strategies.worlds())
def test_rungs_chain_from_the_replicas_that_stand_to_the_result(world: World) -> None:
    """Sources start from what stands; behind them each rung begins where the last one ended."""
    decision = _decided(world)
    current = world.observation.replicas.current
    *steps, final = decision.rungs
    assert (final.before, final.after) == (current, decision.desired_replicas)
    assert {rung.before for rung in steps if rung.stage is Stage.SOURCE} <= {current}
    chained: list[Rung] = [rung for rung in steps if rung.stage is not Stage.SOURCE]
    for before, after in itertools.pairwise(chained):
        assert after.before == before.after
    assert chained[-1].after == decision.desired_replicas


@given(strategies.worlds())
def test_what_bound_a_decision_has_a_rung(world: World) -> None:
    """The stage that is named as the cause can be read about in the ladder."""
    decision = _decided(world)
    assert decision.bound_by in {rung.stage for rung in decision.rungs}
    assert decision.bound_by is not Stage.FINAL


@given(strategies.worlds())
def test_when_it_would_change_by_itself_lies_ahead(world: World) -> None:
    """A time that has passed is no announcement, and only a hold has one."""
    decision = _decided(world)
    if decision.next_change is not None:
        assert decision.next_change.at > NOON
        assert decision.bound_by in {Stage.SOURCE, Stage.TOLERANCE, Stage.GATE, Stage.BOUNDS}
