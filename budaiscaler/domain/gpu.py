"""GPUs of a workload: what is told of each, and how full and busy they are on average.

A GPU counts once, however many series tell of it, and only if a ready pod of the target has it:
what a stranger does on the same node is no load of ours. What a GPU does not tell is no 0, so
memory and utilisation each have a reading of their own.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from budaiscaler.domain import readings
from budaiscaler.domain.readings import NoData, NoDataReason, Observed

MOST_MEMORY_BYTES = float(2**44)
"""Sixteen TiB. DCGM tells "unknown" by huge numbers, which differ by type and version."""

TYPE_LENGTH = 253

Pod = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class GpuSample:
    """One GPU, or one instance of one under MIG, as one pod has it.

    Attributes:
        uuid: of the GPU; an index says nothing beyond its own node.
        instance: GPU instance id; empty without MIG.
        used_bytes: memory in use.
        total_bytes: memory there is.
        compute_percent: how busy it is.
        model: its name, such as NVIDIA H100 80GB HBM3.
        namespace: of the pod that has it; empty where nobody knows.
        pod: name of that pod.
        container: which of its containers has it.
    """

    uuid: str
    instance: str = ""
    used_bytes: float | None = None
    total_bytes: float | None = None
    compute_percent: float | None = None
    model: str = ""
    namespace: str = ""
    pod: str = ""
    container: str = ""


def memory_percent(sample: GpuSample) -> float | None:
    """Memory in use; None where it is not told, or cannot be so."""
    used, total = sample.used_bytes, sample.total_bytes
    if used is None or total is None or not 0 <= used <= total <= MOST_MEMORY_BYTES:
        return None
    return 100 * used / total if total else None


def compute_percent(sample: GpuSample) -> float | None:
    """How busy it is; None where it is not told, or cannot be so."""
    told = sample.compute_percent
    return told if told is not None and 0 <= told <= 100 else None  # noqa: PLR2004 - percent


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do where GPUs do not tell something."""

    memory: str
    compute: str


@dataclass(frozen=True, slots=True)
class GpuReading:
    """The GPUs of a target.

    Attributes:
        memory: mean memory in use, in percent; `answered` and `of` are pods.
        compute: mean utilisation, in percent; likewise.
        gpus: how many there are; an instance of MIG is one.
        gpu_type: their model, or models; empty where it is not told.
    """

    memory: Observed
    compute: Observed
    gpus: int
    gpu_type: str = ""


GpuObserved = GpuReading | NoData


@dataclass(frozen=True, slots=True)
class Pods:
    """The pods whose GPUs count.

    Attributes:
        names: of the ready ones.
        per_replica: more than one where a replica is a group of pods.
    """

    names: Collection[Pod]
    per_replica: int = 1

    def replicas(self, pods: int) -> int:
        """Replicas that so many pods make; rounded, since one of a group may have no GPU."""
        return math.floor(pods / self.per_replica + 0.5)


def of_pods(
    samples: Iterable[GpuSample], pods: Pods, advice: Advice, *, age_s: float = 0.0
) -> GpuReading | None:
    """Read the GPUs of these pods; None where no sample is of one of them."""
    wanted = frozenset(pods.names)
    ours = [sample for sample in samples if (sample.namespace, sample.pod) in wanted]
    return _reading(ours, pods, advice, age_s) if ours else None


def of_machine(
    samples: Iterable[GpuSample], advice: Advice, *, age_s: float = 0.0
) -> GpuReading | None:
    """Read all GPUs there are, where nobody knows whose they are; None without any."""
    every = list(samples)
    return _reading(every, None, advice, age_s) if every else None


def _reading(
    samples: Collection[GpuSample], pods: Pods | None, advice: Advice, age_s: float
) -> GpuReading:
    models = sorted({sample.model for sample in samples if sample.model})
    return GpuReading(
        memory=_mean(samples, memory_percent, pods, advice.memory, age_s),
        compute=_mean(samples, compute_percent, pods, advice.compute, age_s),
        gpus=len({(sample.uuid, sample.instance) for sample in samples}),
        gpu_type=", ".join(models)[:TYPE_LENGTH],
    )


def _mean(
    samples: Iterable[GpuSample],
    told: Callable[[GpuSample], float | None],
    pods: Pods | None,
    advice: str,
    age_s: float,
) -> Observed:
    """Take the mean over the GPUs that tell; a pod has answered if all of its own do."""
    by_gpu: dict[tuple[str, str], float] = {}
    by_pod: dict[Pod, list[bool]] = defaultdict(list)
    for sample in samples:
        value = told(sample)
        if value is not None:
            by_gpu.setdefault((sample.uuid, sample.instance), value)
        by_pod[sample.namespace, sample.pod].append(value is not None)
    if not by_gpu:
        return NoData(NoDataReason.METRIC_NOT_FOUND, advice)
    mean = math.fsum(by_gpu.values()) / len(by_gpu)
    if pods is None:
        return readings.reading(mean, age_s=age_s)
    return readings.reading(
        mean,
        age_s=age_s,
        answered=pods.replicas(sum(map(all, by_pod.values()))),
        of=pods.replicas(len(pods.names)),
    )
