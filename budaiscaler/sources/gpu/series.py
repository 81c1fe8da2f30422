"""The page of a DCGM exporter, as GPUs.

Memory is told in MiB: used and free, on newer versions also what the driver reserves, on some the
total. Under MIG an instance has series of its own, with the UUID of the whole GPU and the id of the
instance; utilisation is then not told, but the share of time in which its engines were active is.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping

from budaiscaler.domain.gpu import GpuSample
from budaiscaler.sources.exposition import Text

USED = "DCGM_FI_DEV_FB_USED"
FREE = "DCGM_FI_DEV_FB_FREE"
RESERVED = "DCGM_FI_DEV_FB_RESERVED"
TOTAL = "DCGM_FI_DEV_FB_TOTAL"
UTILISATION = "DCGM_FI_DEV_GPU_UTIL"
ACTIVE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
WANTED = (USED, FREE, RESERVED, TOTAL, UTILISATION, ACTIVE)

MIB = float(2**20)

_POD = ("exported_pod", "pod", "pod_name")
_NAMESPACE = ("exported_namespace", "namespace", "pod_namespace")
_CONTAINER = ("exported_container", "container", "container_name")
"""Best first. Prometheus moves what an exporter tells to `exported_*` where it does not honour
labels; the others are then of the exporter itself. The last are of an old option of it."""


def read_page(body: bytes) -> tuple[GpuSample, ...]:
    """Read every GPU of a page, once for each pod that has it; a broken line tells nothing."""
    values: dict[tuple[str, str, str, str, str], dict[str, float]] = defaultdict(dict)
    models: dict[tuple[str, str], str] = {}
    text = Text(body)
    lines = ((name, one) for name in WANTED for one in text.readable(name))
    for series, one in lines:
        labels = dict(one.labels)
        uuid, instance = labels.get("UUID", ""), labels.get("GPU_I_ID", "")
        if not uuid or not math.isfinite(one.value):
            continue
        where = tuple(_first(labels, names) for names in (_NAMESPACE, _POD, _CONTAINER))
        values[uuid, instance, where[0], where[1], where[2]][series] = one.value
        models[uuid, instance] = labels.get("modelName", "")
    return tuple(
        GpuSample(
            uuid=uuid,
            instance=instance,
            used_bytes=_bytes(told.get(USED)),
            total_bytes=_total_bytes(told),
            compute_percent=_compute_percent(told, under_mig=bool(instance)),
            model=models[uuid, instance],
            namespace=namespace,
            pod=pod,
            container=container,
        )
        for (uuid, instance, namespace, pod, container), told in values.items()
    )


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _bytes(mib: float | None) -> float | None:
    return None if mib is None else mib * MIB


def _total_bytes(told: Mapping[str, float]) -> float | None:
    if TOTAL in told:
        return _bytes(told[TOTAL])
    if USED not in told or FREE not in told:
        return None
    return _bytes(told[USED] + told[FREE] + told.get(RESERVED, 0.0))


def _compute_percent(told: Mapping[str, float], *, under_mig: bool) -> float | None:
    active = 100 * told[ACTIVE] if ACTIVE in told else None
    return active if under_mig else told.get(UTILISATION, active)
