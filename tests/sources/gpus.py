"""What tests of GPU readers ask for, and pages of a DCGM exporter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from budaiscaler.domain.api.features import GpuConfig
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.pods import Pod
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.gpu.base import GpuRequest

H100 = "NVIDIA H100 80GB HBM3"


def pod(name: str, node: str = "node-1", *, ready: bool = True) -> Pod:
    """A pod of the target."""
    return Pod(
        uid=f"uid-{name}",
        name=name,
        owner_uid="",
        ip="10.0.0.1",
        node=node,
        ports=(),
        requests=(None, None),
        ready_since=None,
        ready=ready,
        unschedulable=False,
        starting=False,
        startup_s=None,
    )


def request(
    *pods: Pod,
    max_age_s: float = 0.0,
    namespace: str = "ml",
    are_counted: bool = True,
    size: int = 1,
    **config: Any,
) -> GpuRequest:
    """Ask for the GPUs of these pods."""
    ready = sum(one.ready for one in pods)
    return GpuRequest(
        namespace,
        GpuConfig.model_validate({"enabled": True} | config),
        max_age_s,
        Workload(
            Replicas(len(pods), ready, are_counted=are_counted), pods=pods, pods_per_replica=size
        ),
    )


def line(series: str, value: object, uuid: str = "GPU-1", **labels: str) -> str:
    """A line of the page, with the labels of the exporter's own."""
    all_labels = {"gpu": "0", "UUID": uuid, "device": "nvidia0", "modelName": H100} | labels
    told = ",".join(f'{name}="{text}"' for name, text in all_labels.items())
    return f"{series}{{{told}}} {value}"


def gpu(
    pod: str, uuid: str, used: float = 8192, *, util: float = 60, free: float | None = None
) -> list[str]:
    """The lines of one GPU of 16 GiB that a pod of `ml` has."""
    whose = {"container": "server", "namespace": "ml", "pod": pod}
    return [
        line("DCGM_FI_DEV_GPU_UTIL", util, uuid, **whose),
        line("DCGM_FI_DEV_FB_FREE", 16384 - used if free is None else free, uuid, **whose),
        line("DCGM_FI_DEV_FB_USED", used, uuid, **whose),
    ]


def page(*gpus: Iterable[str]) -> bytes:
    """A page of these lines."""
    return "".join(f"{line}\n" for one in gpus for line in one).encode()


def refused(found: GpuReading | NoData, reason: NoDataReason, words: str) -> None:
    """Check why there is no data."""
    assert isinstance(found, NoData)
    assert found.reason is reason
    assert words in found.message
    assert "hunter2" not in found.message
