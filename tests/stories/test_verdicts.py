"""What is held against what came of a story: numbers, stages, conditions, sums."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.cli.children import child
from budaiscaler.domain.stories import runner, verdicts
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.explaining import worlds
from tests.stories.telling import failures, story

FROM_4_TO_8: dict[str, Any] = {"total": "4x3 8x40", "startup": "60s"}
PRICE = {"price": 2}


@pytest.mark.parametrize(
    "expectation",
    [
        pytest.param({"at": "45s", "desired": 4}, id="before"),
        pytest.param({"at": "59s", "desired": 4}, id="what-stands"),
        pytest.param({"at": "1m", "desired": "8"}, id="at-once"),
        pytest.param({"from": "1m", "to": "5m", "desired": 8}, id="a-span"),
        pytest.param({"from": "0s", "to": "5m", "desired": "4..8"}, id="a-range"),
        pytest.param({"at": "1m", "reasons": ["combine"]}, id="a-stage"),
        pytest.param({"at": "1m", "reasons": []}, id="no-stage-asked"),
        pytest.param({"at": "1m", "conditions": {"ScalingActive": True}}, id="a-condition"),
        pytest.param({"at": "1m", "conditions": {"Fallback": "Absent"}}, id="an-absent-one"),
        pytest.param({"over": "5m", "actions": 1}, id="actions"),
        pytest.param({"from": "2m", "to": "5m", "actions": 0}, id="actions-of-a-span"),
    ],
)
def test_what_holds(expectation: dict[str, Any]) -> None:
    """The decision that stands at a time counts, and every one of a span."""
    assert failures(expectation, **FROM_4_TO_8) == []


@pytest.mark.parametrize(
    ("expectation", "at_s", "got", "today"),
    [
        pytest.param({"at": "1m", "desired": 4}, 60, "8", "8", id="a-number"),
        pytest.param({"from": "0s", "to": "5m", "desired": 4}, 60, "8", "4..8", id="in-a-span"),
        pytest.param({"from": "50s", "to": "5m", "desired": 8}, 45, "4", "4..8", id="from-before"),
        pytest.param(
            {"at": "1m", "reasons": ["gate"]},
            60,
            "source, combine",
            ["source", "combine"],
            id="a-stage",
        ),
        pytest.param(
            {"at": "0s", "reasons": ["combine"]}, 0, "nothing changed the value", [], id="no-stage"
        ),
        pytest.param(
            {"at": "1m", "conditions": {"ScalingActive": "False"}},
            60,
            "ScalingActive=True",
            "True",
            id="a-condition",
        ),
        pytest.param({"over": "5m", "actions": 0}, 300, "1", "1", id="actions"),
    ],
)
def test_what_does_not(
    expectation: dict[str, Any], at_s: float, got: str, today: str | list[str]
) -> None:
    """The first moment is told, what was there, and what to write."""
    (found,) = failures(expectation, **FROM_4_TO_8)
    assert (found.at_s, found.got, found.today) == (at_s, got, today)


def test_cost_is_of_replicas_with_a_node() -> None:
    """Four for a minute and eight for the next cost as much as they run."""
    inputs = [{"source": "queue", "total": "4x3 8x40"}, PRICE]
    (found,) = failures({"over": "2m", "cost": "<=0.1"}, inputs=inputs)
    assert found.got == f"{2 * (4 + 8) / 60:.4g}"
    assert found.today == "<=0.40"
    unplaced = [{"at": "0s", "unschedulable": 4}]
    assert failures({"over": "2m", "cost": 0}, inputs=inputs, events=unplaced) == []


def test_a_condition_that_changes_in_the_span_has_no_one_value() -> None:
    """There is nothing to write that would hold."""
    (found,) = failures(
        {"from": "0s", "to": "5m", "conditions": {"ScalingActive": "True"}}, total="4 _x40"
    )
    assert (found.got, found.today) == ("ScalingActive=False", None)


def _warnings(**fields: Any) -> list[str]:
    about = story({"at": "5m", "desired": ">=0"}, **fields)
    return list(verdicts.warnings(about, runner.run(about, child, unit_factor)))


def test_a_constant_level_is_warned_of() -> None:
    """A level that stays while replicas come teaches the wrong thing; a total does not."""
    scaler = worlds.document()
    levels = {"inputs": [{"source": "usage", "values": "100x40"}], "scaler": scaler}
    (warning,) = _warnings(**levels)
    assert "usage: a level that stays 100 while the ready replicas go from 4 to 6" in warning
    totals = {"inputs": [{"source": "usage", "total": "400x40"}], "scaler": scaler}
    assert _warnings(**totals) == []
    at_rest = {"inputs": [{"source": "usage", "values": "70x40"}], "scaler": scaler}
    assert _warnings(**at_rest) == []


def test_a_source_without_input_is_warned_of() -> None:
    """It has no data, which somebody may have forgotten."""
    (warning,) = _warnings()
    assert "queue has no input" in warning


def test_gpus_without_input_are_warned_of() -> None:
    """Each threshold that is set, and by the word that an input has."""
    config = {"enabled": True, "gpuMemoryThreshold": 80, "gpuComputeThreshold": 80}
    scaler = worlds.document(samples.total(), gpuConfig=config)
    memory = {"gpu": "memory", "values": "20x40"}
    inputs = [{"source": "queue", "total": "4x40"}, memory]
    (warning,) = _warnings(scaler=scaler, inputs=inputs)
    assert "no input gpu: compute" in warning
    assert len(_warnings(scaler=scaler, inputs=inputs[:1])) == 2
    assert _warnings(scaler=scaler, inputs=[*inputs, {**memory, "gpu": "compute"}]) == []


def test_an_event_after_the_end_is_warned_of() -> None:
    """It does not happen, so whatever it should show is not shown."""
    events = [{"at": "5m", "lose": 1}, {"at": "6m", "lose": 1}]
    (warning,) = _warnings(total="4x40", events=events)
    assert "the event at 6m does not happen" in warning
