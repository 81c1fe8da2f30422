"""What is read of a pod's containers: their ports by name, and what they request together."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.kube.pods import Resources, read_pod
from budaiscaler.kube.port import Json

Spec = dict[str, Any]


def container(
    *ports: tuple[str, int], sidecar: bool = False, protocol: str | None = None, **requests: str
) -> Json:
    """A container with these ports and requests; a sidecar is one that is started first."""
    told = [{"name": name, "containerPort": number} for name, number in ports]
    if protocol is not None:
        told = [{**port, "protocol": protocol} for port in told]
    return {
        "name": "c",
        "ports": told,
        "resources": {"requests": requests},
        **({"restartPolicy": "Always"} if sidecar else {}),
    }


SERVER = container(("http", 80), cpu="1", memory="2Gi")
SIDECAR = container(("metrics", 9400), sidecar=True, cpu="500m", memory="1Gi")
SETUP = container(("metrics", 1), cpu="64", memory="64Gi")
"""One that ends before the others begin."""


def pod(*containers: Json, init: tuple[Json, ...] = (), **spec: Any) -> Json:
    """A pod of these containers."""
    return {
        "metadata": {"uid": "u", "name": "chat-1"},
        "spec": {"containers": list(containers), "initContainers": list(init), **spec},
    }


@pytest.mark.parametrize(
    ("raw", "ports"),
    [
        pytest.param(pod(SERVER), {"http": 80}, id="one"),
        pytest.param(pod(SERVER, init=(SIDECAR,)), {"http": 80, "metrics": 9400}, id="sidecar"),
        pytest.param(pod(SERVER, init=(SETUP,)), {"http": 80}, id="set-up"),
        pytest.param(pod(container(("", 5), ("a", 6))), {"a": 6}, id="without-a-name"),
        pytest.param(pod(container(("a", 1)), container(("a", 2))), {"a": 1}, id="named-twice"),
        pytest.param(
            pod(container(("a", 1), protocol="TCP"), container(("b", 2), protocol="UDP")),
            {"a": 1},
            id="udp",
        ),
        pytest.param(pod(), {}, id="none"),
    ],
)
def test_ports(raw: Json, ports: dict[str, int]) -> None:
    """A name is the port that a Service would find by it: TCP, the first, and still there."""
    assert dict(read_pod(raw).ports) == ports


@pytest.mark.parametrize(
    ("raw", "requests"),
    [
        pytest.param(pod(SERVER), (1.0, 2.0 * 2**30), id="one"),
        pytest.param(pod(SERVER, SERVER), (2.0, 4.0 * 2**30), id="two"),
        pytest.param(pod(SERVER, init=(SIDECAR,)), (1.5, 3.0 * 2**30), id="sidecar"),
        pytest.param(pod(SERVER, init=(SETUP,)), (1.0, 2.0 * 2**30), id="set-up"),
        pytest.param(pod(SERVER, container(cpu="1")), (2.0, None), id="one-without-memory"),
        pytest.param(
            pod(SERVER, init=(container(sidecar=True),)), (None, None), id="sidecar-without"
        ),
        pytest.param(
            pod(container(), resources={"requests": {"cpu": "4"}}), (4.0, None), id="of-the-pod"
        ),
        pytest.param(pod(container(cpu="some", memory="1")), (None, 1.0), id="no-quantity"),
        pytest.param(pod(), (None, None), id="no-container"),
    ],
)
def test_requests(raw: Json, requests: Resources) -> None:
    """As an HPA adds up: sidecars count, what sets up does not, and none may ask for nothing."""
    assert read_pod(raw).requests == requests
