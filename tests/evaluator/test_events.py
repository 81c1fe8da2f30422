"""An event is the news of a transition: one when a condition comes to hold, none while it does."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.conditions import Condition, Transition, Truth
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.evaluator import reporting
from tests.evaluator.world import World

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")


@pytest.mark.parametrize(
    ("kind", "before", "now", "told"),
    [
        pytest.param(conditions.READY, None, "True", [], id="well-from-the-start"),
        pytest.param(conditions.READY, None, "False", [("Warning", "Why")], id="unwell"),
        pytest.param(conditions.READY, "False", "True", [("Normal", "Recovered")], id="well-again"),
        pytest.param(
            conditions.SCALING_ACTIVE, "True", "False", [("Warning", "Why")], id="no-data"
        ),
        pytest.param(conditions.SCALING_ACTIVE, "False", "True", [("Normal", "Why")], id="data"),
        pytest.param(
            conditions.ABLE_TO_SCALE, "True", "False", [("Warning", "Why")], id="kept-off"
        ),
        pytest.param(conditions.ABLE_TO_SCALE, "False", "True", [], id="kept-off-no-more"),
        pytest.param(
            conditions.SCALE_TO_ZERO, None, "False", [("Warning", "Why")], id="unwakeable"
        ),
        *(
            pytest.param(kind, before, now, told, id=f"{kind}-{before}-{now}")
            for kind in (conditions.CAPACITY_AVAILABLE, conditions.WITHIN_BUDGET)
            for before, now, told in (
                (None, "True", []),
                ("True", "False", [("Warning", "Why")]),
                ("False", "True", [("Normal", "Why")]),
            )
        ),
        pytest.param(conditions.PAUSED, None, "False", [], id="not-paused"),
        pytest.param(conditions.PAUSED, "False", "True", [("Normal", "Why")], id="paused"),
        pytest.param(conditions.PAUSED, "True", "False", [("Normal", "Resumed")], id="resumed"),
        pytest.param(conditions.PAUSED, "False", "Unknown", [("Warning", "Why")], id="mistyped"),
        *(
            pytest.param(kind, None, "True", [("Warning", kind)], id=kind)
            for kind in (
                conditions.UNIT_ASSUMED,
                conditions.SIGNAL_WARNING,
                conditions.FALLBACK,
                conditions.PARTIAL_DATA,
                conditions.CONTESTED,
            )
        ),
        pytest.param(conditions.SCALING_LIMITED, "False", "True", [], id="at-a-bound"),
        pytest.param(conditions.FIELDS_WITHOUT_EFFECT, None, "True", [], id="no-effect"),
    ],
)
def test_which_transitions_are_news(
    kind: str, before: Truth | None, now: Truth, told: list[tuple[str, str]]
) -> None:
    """Each by its type and reason; what is well from the start is no news."""
    transition = Transition(before, Condition(kind, now, "Why", "because"))
    assert [event[:2] for event in reporting.events((transition,))] == told


@pytest.mark.looptime
async def test_what_stands_is_told_once(world: World) -> None:
    """An hour of a guessed unit, a weak signal, a part that is lost and a fallback: one of each."""
    world.add_workload("chat", replicas=4)
    world.source.answers |= {"waiting": (1.0, 1.0, 1.0, 1.0), "dead": DEAD}
    world.add_scaler(
        "chat",
        {"name": "waiting", "targetMetric": "w", "targetValue": "1", "promQL": WAITING},
        {
            "name": "dead",
            "targetMetric": "d",
            "targetValue": "1",
            "targetType": "AverageValue",
            "promQL": WAITING,
            "fallback": {"after": "1m", "replicas": 3},
        },
    )
    async with world.leading():
        await asyncio.sleep(600)
        world.source.answers["waiting"] = (1.0, 1.0)
        await asyncio.sleep(300)
        assert world.condition("chat", conditions.PARTIAL_DATA)["status"] == "True"
        await asyncio.sleep(2700)
        told = Counter(reason for _, _, reason in world.events())
    assert told == {"UnitAssumed": 1, "SignalWarning": 1, "Fallback": 1, "PartialData": 1}


WAITING = "sum(vllm:num_requests_waiting)"


@pytest.mark.looptime
async def test_what_comes_back_is_told_again(world: World) -> None:
    """A part that is whole in between is lost a second time."""
    world.add("chat", replicas=4, says=(1.0, 1.0, 1.0, 1.0))
    async with world.leading():
        for _ in range(2):
            world.source.answers["chat"] = (1.0, 1.0, 1.0, 1.0)
            await asyncio.sleep(60)
            assert world.condition("chat", conditions.PARTIAL_DATA) == {}
            world.source.answers["chat"] = (1.0, 1.0)
            await asyncio.sleep(60)
            assert world.condition("chat", conditions.PARTIAL_DATA)["status"] == "True"
        told = [event for event in world.events() if event[2] == "PartialData"]
    assert told == [("chat", "Warning", "PartialData")] * 2
