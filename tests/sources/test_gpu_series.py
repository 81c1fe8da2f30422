"""The page of a DCGM exporter: which series make a GPU, and what is told as unknown."""

from __future__ import annotations

import pytest

from budaiscaler.domain import gpu
from budaiscaler.sources.gpu.series import read_page
from tests.sources.gpus import H100, line, page
from tests.sources.gpus import gpu as lines

MIB = 2.0**20
OURS = {"namespace": "ml", "pod": "chat-1", "container": "server"}

REAL = b"""# HELP DCGM_FI_DEV_SM_CLOCK SM clock frequency (in MHz).
# TYPE DCGM_FI_DEV_SM_CLOCK gauge
DCGM_FI_DEV_SM_CLOCK{gpu="0",UUID="GPU-1",device="nvidia0",modelName="A100",Hostname="n"} 1410
# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1",pci_bus_id="00000000:1B:00.0",device="nvidia0",\
modelName="A100",Hostname="n",DCGM_FI_DRIVER_VERSION="570.86",container="server",namespace="ml",\
pod="chat-1"} 42
# HELP DCGM_FI_DEV_FB_FREE Framebuffer memory free (in MiB).
# TYPE DCGM_FI_DEV_FB_FREE gauge
DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-1",pci_bus_id="00000000:1B:00.0",device="nvidia0",\
modelName="A100",Hostname="n",DCGM_FI_DRIVER_VERSION="570.86",container="server",namespace="ml",\
pod="chat-1"} 30000
# HELP DCGM_FI_DEV_FB_USED Framebuffer memory used (in MiB).
# TYPE DCGM_FI_DEV_FB_USED gauge
DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-1",pci_bus_id="00000000:1B:00.0",device="nvidia0",\
modelName="A100",Hostname="n",DCGM_FI_DRIVER_VERSION="570.86",container="server",namespace="ml",\
pod="chat-1"} 10000
"""


def percents(*lines: str) -> tuple[float | None, float | None]:
    """Memory and utilisation of the only GPU of a page."""
    (found,) = read_page(page(lines))
    return gpu.memory_percent(found), gpu.compute_percent(found)


def test_a_page_as_the_exporter_writes_it() -> None:
    """Used and free make the total; who has the GPU, and its model, are labels."""
    (found,) = read_page(REAL)
    assert found == gpu.GpuSample(
        uuid="GPU-1",
        used_bytes=10000 * MIB,
        total_bytes=40000 * MIB,
        compute_percent=42.0,
        model="A100",
        **OURS,
    )


@pytest.mark.parametrize(
    ("others", "percent"),
    [
        pytest.param({"FREE": 12288}, 25.0, id="used-and-free"),
        pytest.param({"FREE": 11288, "RESERVED": 1000}, 25.0, id="and-reserved"),
        pytest.param({"TOTAL": 16384}, 25.0, id="a-total"),
        pytest.param({"TOTAL": 16384, "FREE": 1}, 25.0, id="a-total-is-taken-as-it-is"),
        pytest.param({"RESERVED": 1000}, None, id="no-free"),
        pytest.param({}, None, id="used-alone"),
        pytest.param({"FREE": "NaN"}, None, id="free-is-nan"),
        pytest.param({"FREE": "N/A"}, None, id="free-is-a-text"),
        pytest.param({"FREE": 9223372036854775794}, None, id="free-is-blank"),
    ],
)
def test_memory(others: dict[str, object], percent: float | None) -> None:
    """4096 MiB are used; without the rest nobody knows of how many."""
    told = [line(f"DCGM_FI_DEV_FB_{name}", value, **OURS) for name, value in others.items()]
    assert percents(line("DCGM_FI_DEV_FB_USED", 4096, **OURS), *told)[0] == percent


@pytest.mark.parametrize(
    ("told", "instance", "percent"),
    [
        pytest.param({"DEV_GPU_UTIL": 30}, "", 30.0, id="utilisation"),
        pytest.param({"DEV_GPU_UTIL": 30, "PROF_GR_ENGINE_ACTIVE": 0.9}, "", 30.0, id="preferred"),
        pytest.param({"PROF_GR_ENGINE_ACTIVE": 0.9}, "", 90.0, id="where-it-is-not-collected"),
        pytest.param({"PROF_GR_ENGINE_ACTIVE": 0.9}, "7", 90.0, id="mig"),
        pytest.param(
            {"DEV_GPU_UTIL": 0, "PROF_GR_ENGINE_ACTIVE": 0.9}, "7", 90.0, id="mig-has-none"
        ),
        pytest.param({"DEV_GPU_UTIL": 30}, "7", None, id="mig-without-profiling"),
        pytest.param({"DEV_GPU_UTIL": 4294967295}, "", None, id="blank"),
    ],
)
def test_utilisation(told: dict[str, object], instance: str, percent: float | None) -> None:
    """Of an instance of MIG it is the share of time in which its engines were active."""
    labels = OURS | ({"GPU_I_ID": instance, "GPU_I_PROFILE": "1g.10gb"} if instance else {})
    lines = [line(f"DCGM_FI_{name}", value, **labels) for name, value in told.items()]
    assert percents(*lines)[1] == percent


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(OURS, id="as-it-is"),
        pytest.param(
            {f"exported_{name}": text for name, text in OURS.items()}
            | {"namespace": "gpu-operator", "pod": "exporter-1", "container": "exporter"},
            id="exported",
        ),
        pytest.param(
            {"pod_namespace": "ml", "pod_name": "chat-1", "container_name": "server"}, id="old"
        ),
    ],
)
def test_who_has_a_gpu(labels: dict[str, str]) -> None:
    """What was moved to `exported_*` is told of the GPU, the rest of the exporter."""
    (found,) = read_page(page([line("DCGM_FI_DEV_FB_USED", 1, **labels)]))
    assert (found.namespace, found.pod, found.container) == ("ml", "chat-1", "server")


def test_one_bad_line_costs_one_line() -> None:
    """Others are read, whatever stands between them."""
    body = page(
        lines("chat-1", "GPU-1"),
        ["DCGM_FI_DEV_FB_USED{broken", "\xff\x00", "DCGM_FI_DEV_FB_USED", "up 1"],
        [line("DCGM_FI_DEV_FB_USED", 5).replace("UUID", "uuid")],
        lines("chat-2", "GPU-2"),
    )
    assert {found.uuid for found in read_page(body)} == {"GPU-1", "GPU-2"}


@pytest.mark.parametrize("body", [b"", b"# HELP\n", b"<html>hunter2", b"\x00\xff\xfe"])
def test_a_page_of_something_else_has_no_gpu(body: bytes) -> None:
    """It is no error here: who asked says that there was none."""
    assert read_page(body) == ()


def test_the_model_is_the_label() -> None:
    """As nvidia-smi names it."""
    (found,) = read_page(page([line("DCGM_FI_DEV_FB_USED", 1)]))
    assert found.model == H100
