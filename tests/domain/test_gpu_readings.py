"""GPUs of a target: which of them count, and what their means are."""

from __future__ import annotations

import math
from typing import Any

import pytest

from budaiscaler.domain import gpu
from budaiscaler.domain.gpu import Advice, GpuReading, GpuSample, Pods
from budaiscaler.domain.readings import NoData, NoDataReason, Reading

GIB = 2.0**30
ADVICE = Advice("collect memory", "collect utilisation")
H100 = "NVIDIA H100 80GB HBM3"


def sample(pod: str, uuid: str = "", **fields: Any) -> GpuSample:
    """A GPU of that pod, half full and 60 % busy."""
    told = {"used_bytes": 8 * GIB, "total_bytes": 16 * GIB, "compute_percent": 60.0}
    return GpuSample(
        uuid=uuid or f"GPU-{pod}", namespace="ml", pod=pod, model=H100, **(told | fields)
    )


def read(*samples: GpuSample, pods: tuple[str, ...] = ("a", "b"), size: int = 1) -> GpuReading:
    """Read the GPUs of these ready pods of namespace `ml`."""
    found = gpu.of_pods(samples, Pods([("ml", pod) for pod in pods], size), ADVICE)
    assert found is not None
    return found


def test_the_mean_over_two_gpus() -> None:
    """Two GPUs of 80 % and 60 %, with 12 and 8 of 16 GiB used, are 70 % busy and 62.5 % full."""
    found = read(
        sample("a", used_bytes=12 * GIB, compute_percent=80.0),
        sample("b", used_bytes=8 * GIB, compute_percent=60.0),
    )
    assert found == GpuReading(
        Reading(62.5, answered=2, of=2), Reading(70.0, answered=2, of=2), gpus=2, gpu_type=H100
    )


def test_gpus_of_strangers_do_not_count() -> None:
    """Another pod on the node, one of that name elsewhere, and one that nobody has are not ours."""
    found = read(
        sample("a"),
        sample("c", used_bytes=16 * GIB),
        GpuSample("GPU-x", namespace="other", pod="a", used_bytes=16 * GIB, total_bytes=16 * GIB),
        GpuSample("GPU-y", used_bytes=16 * GIB, total_bytes=16 * GIB),
        pods=("a",),
    )
    assert (found.gpus, found.memory) == (1, Reading(50.0, answered=1, of=1))


def test_none_of_ours_is_no_reading() -> None:
    """Who asks says why, since it knows where it looked."""
    assert gpu.of_pods([sample("c")], Pods([("ml", "a")]), ADVICE) is None
    assert gpu.of_machine([], ADVICE) is None


def test_gpus_of_two_nodes_with_the_same_index_are_two() -> None:
    """Each node counts its GPUs from 0; a UUID is of one GPU."""
    assert read(sample("a", "GPU-1"), sample("b", "GPU-2")).gpus == 2


def test_instances_of_one_gpu_are_several() -> None:
    """Under MIG each has its own memory, and they share the UUID."""
    found = read(
        sample("a", "GPU-1", instance="1", used_bytes=4 * GIB),
        sample("b", "GPU-1", instance="2", used_bytes=12 * GIB),
    )
    assert (found.gpus, found.memory) == (2, Reading(50.0, answered=2, of=2))


def test_a_gpu_that_two_pods_share_counts_once() -> None:
    """With time slicing both have it, and both have answered."""
    found = read(sample("a", "GPU-1"), sample("b", "GPU-1"))
    assert (found.gpus, found.memory) == (1, Reading(50.0, answered=2, of=2))


def test_a_pod_without_a_gpu_reading_is_silent() -> None:
    """It counts among those that there are, and not among those that answered."""
    assert read(sample("a"), pods=("a", "b", "c")).memory == Reading(50.0, answered=1, of=3)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"used_bytes": None}, id="no-used"),
        pytest.param({"total_bytes": None}, id="no-total"),
        pytest.param({"total_bytes": 0.0, "used_bytes": 0.0}, id="no-memory-at-all"),
        pytest.param({"used_bytes": math.nan}, id="nan"),
        pytest.param({"used_bytes": 17 * GIB}, id="more-than-there-is"),
        pytest.param({"used_bytes": -1.0}, id="negative"),
        pytest.param({"used_bytes": 2.0**63, "total_bytes": 2.0**64}, id="blank-of-64-bits"),
        pytest.param(
            {"used_bytes": 2147483632 * 2.0**20, "total_bytes": 2147483632 * 2.0**21},
            id="blank-of-32-bits",
        ),
    ],
)
def test_memory_that_is_not_told_is_not_0(fields: dict[str, Any]) -> None:
    """That GPU is left out of the mean, and its pod has not answered; utilisation still has."""
    found = read(sample("a", **fields), sample("b", used_bytes=12 * GIB))
    assert found.memory == Reading(75.0, answered=1, of=2)
    assert found.compute == Reading(60.0, answered=2, of=2)
    assert found.gpus == 2


@pytest.mark.parametrize(
    "percent",
    [
        pytest.param(None, id="none"),
        pytest.param(math.nan, id="nan"),
        pytest.param(-1.0, id="negative"),
        pytest.param(101.0, id="above-100"),
        pytest.param(9223372036854775794.0, id="blank"),
    ],
)
def test_utilisation_that_is_not_told_is_not_0(percent: float | None) -> None:
    """As with memory; where no GPU tells it, the reading says what to do."""
    found = read(sample("a", compute_percent=percent), sample("b"))
    assert found.compute == Reading(60.0, answered=1, of=2)
    alone = read(sample("a", compute_percent=percent), pods=("a",))
    assert alone.compute == NoData(NoDataReason.METRIC_NOT_FOUND, "collect utilisation")
    assert alone.memory == Reading(50.0, answered=1, of=1)


def test_a_pod_has_answered_if_all_its_gpus_do() -> None:
    """Of eight GPUs, seven do not stand for the eighth."""
    found = read(sample("a", "GPU-1"), sample("a", "GPU-2", used_bytes=None), pods=("a",))
    assert found.memory == Reading(50.0, answered=0, of=1)


def test_pods_of_a_group_are_counted_as_replicas() -> None:
    """Two replicas of four pods, whose leaders have no GPU, are two that answer."""
    pods = tuple("abcdefgh")
    found = read(*(sample(pod) for pod in pods if pod not in "ae"), pods=pods, size=4)
    assert found.memory == Reading(50.0, answered=2, of=2)


def test_all_gpus_of_a_machine() -> None:
    """Where nobody knows whose they are, all count, and nobody knows how many should answer."""
    found = gpu.of_machine(
        [sample("", "GPU-1"), sample("", "GPU-2", used_bytes=4 * GIB)], ADVICE, age_s=3
    )
    assert found is not None
    assert found.memory == Reading(37.5, 3.0)


def test_several_models_are_all_named() -> None:
    """In one order, or the status would be written anew each time."""
    one = GpuSample("GPU-1", model="B", namespace="ml", pod="a")
    other = GpuSample("GPU-2", model="A", namespace="ml", pod="b")
    assert read(one, other).gpu_type == read(other, one).gpu_type == "A, B"
