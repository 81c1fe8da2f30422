"""Stories in simulated time: cadence, inputs, events, and who acts."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.domain import conditions
from budaiscaler.domain.decision import Replicas, Stage
from budaiscaler.domain.readings import NoData, Reading
from budaiscaler.kube.port import Json
from tests import samples
from tests.explaining import worlds
from tests.stories.telling import desired, told

QUICK = {"scaleDown": {"stabilizationWindowSeconds": 0}}


def scaler(*sources: Json, strategy: str = "BudScaler", **fields: Any) -> Json:
    """A scaler of a total called `queue`, unless told."""
    return worlds.document(*(sources or (samples.total(),)), strategy=strategy, **fields)


@pytest.mark.parametrize(
    ("strategy", "every_s"),
    [
        pytest.param("HPA", 15, id="hpa"),
        pytest.param("BudScaler", 15, id="budscaler"),
        pytest.param("KPA", 2, id="kpa"),
    ],
)
def test_each_strategy_has_its_cadence(strategy: str, every_s: float) -> None:
    """Whatever the interval of the inputs is."""
    steps = told(
        {"at": "1m", "desired": 4}, scaler=scaler(strategy=strategy), total="4x60", interval="1s"
    )
    assert [step.at_s for step in steps] == [every_s * i for i in range(int(60 / every_s) + 1)]


def test_kpa_samples_each_five_seconds() -> None:
    """Between two samples the age of the last one grows."""
    steps = told(
        {"at": "12s", "desired": 4}, scaler=scaler(strategy="KPA"), total="4+1x20", interval="1s"
    )
    seen = [step.readings["queue"] for step in steps]
    assert seen == [Reading(4, 0), Reading(4, 2), Reading(4, 4), Reading(9, 1), Reading(9, 3),
                    Reading(14, 0), Reading(14, 2)]  # fmt: skip


def test_a_last_good_sample_stands_for_a_minute() -> None:
    """Then the source has no data, and nothing falls."""
    steps = told({"at": "3m", "desired": 4}, total="1x1 _x20", scaler=scaler(behavior=QUICK))
    ages = [one.age_s if isinstance(one, Reading) else None for one in
            (step.readings["queue"] for step in steps)]  # fmt: skip
    assert ages == [0, 0, 15, 30, 45, 60, *[None] * 7]
    before = steps[6].replicas.current
    assert {step.desired for step in steps[6:]} == {before}


def test_a_total_is_spread_over_the_ready_replicas() -> None:
    """A level falls as replicas become ready, and the total of others stays."""
    level = {"metricSourceType": "pod", "targetMetric": "usage", "targetValue": "10"}
    steps = told(
        {"at": "4m", "desired": 8},
        scaler=scaler(level),
        inputs=[{"source": "usage", "total": "80x20"}],
        startup="60s",
    )
    first, last = steps[0], steps[-1]
    assert first.readings["usage"] == Reading(20, 0, 4, 4)
    assert last.readings["usage"] == Reading(10, 0, 8, 8)
    assert {step.desired for step in steps[1:]} == {8}


def test_replicas_that_start_never_compound() -> None:
    """Four at twice the target, with a model load of six minutes, ask for eight all the while."""
    level = {"metricSourceType": "pod", "targetMetric": "usage", "targetValue": "10"}
    steps = told(
        {"at": "6m", "desired": 8},
        scaler=scaler(level),
        inputs=[{"source": "usage", "total": "80x40"}],
        startup="6m",
    )
    assert max(step.desired for step in steps) == 8
    assert steps[-2].replicas == Replicas(8, 4)


def test_without_ready_replicas_a_level_is_no_data() -> None:
    """A division by nobody is none."""
    level = {"metricSourceType": "pod", "targetMetric": "usage", "targetValue": "10"}
    steps = told(
        {"at": "2m", "desired": 4},
        scaler=scaler(level),
        inputs=[{"source": "usage", "total": "40x20"}],
        events=[{"at": "20s", "lose": 4}],
        startup="5m",
    )
    assert isinstance(steps[-1].readings["usage"], NoData)
    assert steps[-1].desired == 4


def test_fractions_become_percent() -> None:
    """An input is what the engine tells, and a target of 70 is percent."""
    cache = {
        "metricSourceType": "inferenceEngine",
        "targetMetric": "gpu_cache_usage_perc",
        "targetValue": "70",
        "inferenceEngineConfig": {"engineType": "vllm"},
    }
    steps = told(
        {"at": "0s", "desired": 6},
        scaler=scaler(cache),
        inputs=[{"source": "gpu_cache_usage_perc", "values": "0.875x9"}],
    )
    assert steps[0].readings["gpu_cache_usage_perc"] == Reading(87.5, 0, 4, 4)


def test_gpus_decide() -> None:
    """A story may tell how full they are."""
    gpu = {"enabled": True, "gpuMemoryThreshold": 80}
    steps = told(
        {"at": "1m", "desired": 6},
        scaler=scaler(gpuConfig=gpu),
        inputs=[{"source": "queue", "total": "4x9"}, {"gpu": "memory", "values": "95 80x9"}],
    )
    assert steps[0].desired == 5
    assert Stage.GPU in steps[0].stages


def test_a_story_begins_steady() -> None:
    """Nothing holds it up: the first decision may already fall."""
    steps = told({"at": "0s", "desired": 2}, total="1x9", current=4)
    assert steps[0].desired < 4


@pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
def test_a_fresh_one_begins_as_servers_do(strategy: str) -> None:
    """A new scaler over a live workload does not scale down before a whole window of data."""
    steps = told(
        {"at": "4m", "desired": 4},
        total="1x40",
        scaler=scaler(strategy=strategy),
        fresh=True,
    )
    assert {step.desired for step in steps} == {4}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"lose": 2}, id="lost"),
        pytest.param({"unschedulable": 2}, id="without-a-node"),
    ],
)
@pytest.mark.parametrize("strategy", ["HPA", "KPA", "BudScaler"])
def test_losses_lower_nothing(strategy: str, event: Json) -> None:
    """While replicas are lost the answer stays, also where their load is lost with them."""
    steps = told(
        {"at": "5m", "desired": 6},
        total="6x40",
        current=6,
        startup="3m",
        scaler=scaler(strategy=strategy),
        events=[{"at": "1m", **event}],
    )
    assert {step.desired for step in steps} == {6}


def test_a_pause_and_its_end_act_at_once() -> None:
    """Between two decisions of the cadence, too."""
    steps = told(
        {"at": "2m", "desired": 8},
        total="8x40",
        events=[{"at": "0s", "pause": True}, {"at": "50s", "resume": True}],
    )
    assert desired(steps, 0, 49, 50) == [4, 4, 8]
    assert steps[0].conditions[conditions.PAUSED] == "True"
    assert steps[-1].conditions[conditions.PAUSED] == "False"


def test_a_pause_of_one_direction() -> None:
    """Growing goes on while shrinking is paused."""
    steps = told(
        {"at": "2m", "desired": 8},
        total="8x3 1x40",
        scaler=scaler(behavior=QUICK),
        events=[{"at": "0s", "pause": "ScaleDown"}],
    )
    assert desired(steps, 0, 120) == [8, 8]


def test_an_edit_acts_at_once() -> None:
    """It is a merge patch: what it does not name stays."""
    steps = told(
        {"at": "2m", "desired": 3},
        total="4x40",
        events=[{"at": "20s", "edit": {"maxReplicas": 3}}],
    )
    assert desired(steps, 15, 20) == [4, 3]
    assert Stage.BOUNDS in next(step for step in steps if step.at_s == 20).stages


def test_an_edit_takes_a_field_away() -> None:
    """Null in a merge patch means that it is gone."""
    steps = told(
        {"at": "2m", "desired": 8},
        total="8x40",
        scaler=scaler(paused="Both"),
        events=[{"at": "20s", "edit": {"paused": None, "hpa": {"manage": "Auto"}}}],
    )
    assert desired(steps, 15, 20) == [4, 8]


def test_an_edit_of_the_strategy_keeps_the_replicas() -> None:
    """And the cadence follows."""
    steps = told(
        {"at": "1m", "desired": 4},
        total="4x40",
        events=[{"at": "30s", "edit": {"scalingStrategy": "KPA"}}],
    )
    assert {step.desired for step in steps} == {4}
    assert [step.at_s for step in steps if step.at_s > 30][:3] == [32, 34, 36]


def test_recommend_changes_nothing() -> None:
    """What is decided is told, and the workload stays."""
    steps = told({"at": "1m", "desired": 8}, total="8x9", scaler=scaler(mode="Recommend"))
    assert [(step.desired, step.replicas.current, step.acts) for step in steps] == [
        (8, 4, False)
    ] * 5


def test_the_hpa_limits_and_stabilises() -> None:
    """Its policies and its window are stages of the answer."""
    steps = told(
        {"at": "12m", "desired": 4},
        total="40x3 4x60",
        scaler=scaler(strategy="HPA", behavior={"scaleUp": {}, "scaleDown": {}}),
    )
    assert desired(steps, 0, 15, 30, 45) == [8, 16, 32, 40]
    assert Stage.POLICIES in steps[0].stages
    assert desired(steps, 330) == [40]
    assert Stage.STABILIZATION in steps[20].stages
    assert desired(steps, 720) == [4]


def test_the_hpa_freezes_without_data() -> None:
    """The load is served for five minutes, then not at all, and the replicas stay."""
    steps = told({"at": "20m", "desired": 4}, total="4 _x80", scaler=scaler(strategy="HPA"))
    assert {step.desired for step in steps} == {4}


def test_an_hpa_of_ones_own_is_not_pretended() -> None:
    """With manage Never the load is told, and nothing is scaled."""
    steps = told(
        {"at": "1m", "desired": 8},
        total="8x9",
        scaler=scaler(strategy="HPA", hpa={"manage": "Never"}),
    )
    assert {(step.desired, step.acts) for step in steps} == {(8, False)}


def test_a_mixed_hpa_counts_pods_itself() -> None:
    """Its own metric asks the same pods, and the larger answer wins."""
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    total_pods = {
        "metricSourceType": "custom",
        "targetMetric": "busy",
        "targetValue": "10",
        "targetType": "AverageValue",
    }
    steps = told(
        {"at": "1m", "desired": 8},
        scaler=scaler(cpu, total_pods, samples.total(), strategy="HPA"),
        inputs=[
            {"source": "cpu", "total": "640x9"},
            {"source": "busy", "total": "40x9"},
            {"source": "queue", "total": "5x9"},
        ],
    )
    assert desired(steps, 0, 60) == [8, 8]


def test_without_room_growth_stops_after_five_minutes() -> None:
    """Who comes finds no node; the ask grows no further, and goes on where there is room again."""
    steps = told(
        {"at": "20m", "desired": 12},
        total="6x3 12x80",
        current=6,
        scaler=scaler(behavior={"scaleUp": {"policies": [
            {"type": "Pods", "value": 2, "periodSeconds": 180}]}}),
        events=[{"at": "50s", "unschedulable": 1}, {"at": "15m", "unschedulable": 0}],
    )  # fmt: skip
    assert steps[-1].desired == 12
    short = [step for step in steps if 60 <= step.at_s < 900]
    assert {step.conditions[conditions.CAPACITY_AVAILABLE] for step in short} == {"False"}
    assert len({step.desired for step in short if step.at_s > 360}) == 1
    assert short[-1].desired < 12


def test_a_schedule_is_a_floor() -> None:
    """It comes and goes at its times, in the story's own."""
    hint = {"name": "a", "cronExpression": "5 0 * * *", "duration": "5m", "targetReplicas": 8}
    steps = told(
        {"at": "20m", "desired": 4},
        total="4x90",
        scaler=scaler(scheduleHints=[hint], behavior=QUICK),
    )
    assert desired(steps, 285, 300, 585) == [4, 8, 8]
    assert Stage.SCHEDULE in next(step for step in steps if step.at_s == 300).stages
    assert steps[-1].desired == 4
