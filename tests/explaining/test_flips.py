"""What would change an answer is found by asking, and each value that is told was tried."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budaiscaler.domain.explaining import flips
from budaiscaler.domain.explaining.flips import Flip
from budaiscaler.kube.port import Json
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.explaining.worlds import desired, explain, level, observed, subject

CACHE = {
    "metricSourceType": "inferenceEngine",
    "targetMetric": "gpu_cache_usage_perc",
    "targetValue": "70",
    "inferenceEngineConfig": {"engineType": "vllm"},
}


def told(*sources: Json, current: int, readings: Json, **fields: Any) -> list[str]:
    """What would flip an answer, as the text has it."""
    gpu = fields.pop("gpu", None)
    about = subject(*sources, **fields)
    found = explain(about, observed(current, readings, gpu=gpu))
    return [str(one) for one in flips.find(found, unit_factor)]


@pytest.mark.parametrize(
    ("sources", "current", "readings", "fields", "expected"),
    [
        pytest.param(
            [samples.total("10")], 4, {"queue": 60}, {"strategy": "HPA"},
            ["7 needs queue >= 60.1", "5 needs queue <= 50"], id="total",
        ),
        pytest.param(
            [samples.total("10")], 4, {"queue": 42}, {"strategy": "HPA"},
            ["5 needs queue >= 44.1", "3 needs queue <= 30"], id="out-of-the-dead-band",
        ),
        pytest.param(
            [samples.total("1n")], 4, {"queue": 4.2e-9}, {"strategy": "HPA"},
            ["5 needs queue >= 4.400000004e-09", "3 needs queue <= 3.000000001e-09"],
            id="too-small-to-be-short",
        ),
        pytest.param(
            [samples.total("10")], 4, {"queue": None}, {"strategy": "HPA"},
            ["5 needs queue >= 44.1"], id="a-missing-one-can-only-raise",
        ),
        pytest.param(
            [samples.total("10"), samples.total("10", name="b")], 4, {"queue": 60, "b": None},
            {"strategy": "HPA"},
            ["7 needs queue >= 60.1", "5 needs queue <= 50", "7 needs b >= 60.1"],
            id="each-alone",
        ),
        pytest.param(
            [samples.total("10")], 4, {"queue": 600}, {"strategy": "HPA", "maxReplicas": 6},
            ["5 needs queue <= 50"], id="nothing-above-the-maximum",
        ),
        pytest.param(
            [CACHE], 4, {"gpu_cache_usage_perc": 0.7}, {},
            ["5 needs gpu_cache_usage_perc >= 0.771", "3 needs gpu_cache_usage_perc <= 0.52"],
            id="in-the-unit-of-the-source",
        ),
        pytest.param(
            [CACHE, level()], 4, {"gpu_cache_usage_perc": 0.4, "usage": 105}, {},
            ["7 needs usage >= 114", "5 needs usage <= 91"], id="no-cache-is-fuller-than-full",
        ),
        pytest.param(
            [level()], 4, {"usage": 70},
            {"gpuConfig": {"enabled": True, "gpuMemoryThreshold": 80, "gpuComputeThreshold": 80},
             "gpu": {"memory": 60, "compute": 40}},
            ["5 needs usage >= 77.1", "3 needs usage <= 52", "5 needs gpu.memory >= 88.1",
             "5 needs gpu.compute >= 88.1"], id="gpus",
        ),
        pytest.param(
            [level()], 4, {"usage": 70},
            {"gpuConfig": {"enabled": True, "gpuComputeThreshold": 80}, "gpu": {"compute": 40}},
            ["5 needs usage >= 77.1", "3 needs usage <= 52", "5 needs gpu.compute >= 88.1"],
            id="one-reading-of-gpus",
        ),
        pytest.param(
            [level()], 4, {"usage": 70},
            {"gpuConfig": {"enabled": True, "gpuMemoryThreshold": 80}, "gpu": {"memory": 40}},
            ["5 needs usage >= 77.1", "3 needs usage <= 52", "5 needs gpu.memory >= 88.1"],
            id="the-other-reading-of-gpus",
        ),
        pytest.param([samples.total()], 0, {"queue": 5}, {}, [], id="nothing-when-switched-off"),
    ],
)  # fmt: skip
def test_flips(
    sources: list[Json], current: int, readings: Json, fields: Json, expected: list[str]
) -> None:
    """The nearest value on each side, with as few digits as it still holds with."""
    assert told(*sources, current=current, readings=readings, **fields) == expected


@settings(max_examples=30)  # each is some hundred decisions
@given(
    value=st.floats(0, 2000),
    other=st.floats(0, 2000),
    current=st.integers(1, 30),
    strategy=st.sampled_from(["HPA", "KPA", "BudScaler"]),
)
def test_a_flip_is_true(value: float, other: float, current: int, strategy: str) -> None:
    """At the value that is told the answer is what is told, and it is another one than now."""
    about = subject(samples.total("7"), samples.total("9", name="b"), strategy=strategy)
    readings = {"queue": value, "b": other}
    found = explain(about, observed(current, readings))
    for flip in flips.find(found, unit_factor):
        again = desired(about, observed(current, {**readings, flip.source: flip.value}))
        assert again == flip.desired
        assert (again > found.decision.desired_replicas) == flip.is_up
        assert again != found.decision.desired_replicas


def test_a_value_that_needs_every_digit() -> None:
    """Where fewer digits would not hold, all are told."""
    about = subject(samples.total("1n"), strategy="HPA")
    found = explain(about, observed(3, {"queue": 3e-9}))
    (up,) = (one for one in flips.find(found, unit_factor) if one.is_up)
    assert up.desired == 4
    assert 3.3e-9 < up.value < 3.31e-9


def test_a_sentence() -> None:
    """It can be read aloud."""
    assert str(Flip("waiting", 71, is_up=True, desired=8)) == "8 needs waiting >= 71"
