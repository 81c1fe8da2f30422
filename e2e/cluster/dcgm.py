"""DCGM exporters that a test sets by hand: one a node, on the address of a pod of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from budaiscaler.kube.resources import PODS
from e2e.cluster import waiting
from e2e.cluster.api import Api, Object
from e2e.cluster.exporter import Exporter

PORT: Final = 9400
LABELS: Final = {"app": "nvidia-dcgm-exporter"}
MODEL: Final = "NVIDIA H100 80GB HBM3"
MEMORY_MIB: Final = 81559
POD_TIMEOUT_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and who has it.

    Attributes:
        memory: percent of its memory that is used.
        busy: percent of the time.
    """

    uuid: str
    namespace: str
    pod: str
    memory: float
    busy: float


def tell(exporter: Exporter, gpu: Gpu) -> None:
    """Write what a DCGM exporter writes of a GPU unless told to collect something else."""
    labels = {
        "gpu": "0",
        "UUID": gpu.uuid,
        "pci_bus_id": "00000000:1B:00.0",
        "device": "nvidia0",
        "modelName": MODEL,
        "Hostname": "node",
        "DCGM_FI_DRIVER_VERSION": "570.86.15",
        "container": "server",
        "namespace": gpu.namespace,
        "pod": gpu.pod,
    }
    used = MEMORY_MIB * gpu.memory / 100
    for series, value in (
        ("DCGM_FI_DEV_SM_CLOCK", 1980),
        ("DCGM_FI_DEV_GPU_UTIL", gpu.busy),
        ("DCGM_FI_DEV_FB_USED", used),
        ("DCGM_FI_DEV_FB_FREE", MEMORY_MIB - used),
    ):
        exporter.set(series, value, **labels)


@contextmanager
def on_nodes(api: Api, namespace: str, nodes: set[str]) -> Iterator[dict[str, Exporter]]:
    """Run an exporter on each of these nodes, as the DaemonSet of the GPU operator does."""
    with ExitStack() as stack:
        yield {node: stack.enter_context(_on_node(api, namespace, node)) for node in sorted(nodes)}


@contextmanager
def _on_node(api: Api, namespace: str, node: str) -> Iterator[Exporter]:
    name = f"dcgm-exporter-{node}"
    container = {
        "name": "exporter",
        "image": "pretended",
        "ports": [{"name": "metrics", "containerPort": PORT}],
    }
    api.create(
        PODS.collection(namespace),
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": LABELS},
            "spec": {"nodeName": node, "containers": [container]},
        },
    )

    def address() -> str | None:
        found: Object = api.get(PODS.item(namespace, name))
        conditions = found["status"].get("conditions") or ()
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return str(found["status"]["podIP"]) if ready else None

    host = waiting.until(address, what=f"{name} to be ready", timeout_s=POD_TIMEOUT_S)
    with Exporter(host, PORT) as server:
        yield server
