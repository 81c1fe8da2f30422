"""Where the DCGM exporters are: pods by label, on the nodes that are asked about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapter.settings import AdapterSettings
from budaiscaler.domain.errors import status_error
from budaiscaler.domain.readings import NoData, NoDataReason
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import PODS
from budaiscaler.runtime import settings
from budaiscaler.sources.gpu import exporters
from budaiscaler.sources.gpu.exporters import Exporters
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

OPERATOR = {"app": "nvidia-dcgm-exporter"}
CHART = {"app.kubernetes.io/name": "dcgm-exporter"}


def exporter(node: str, ip: str, labels: dict[str, str], *, ready: bool = True) -> Json:
    """A pod of a DaemonSet."""
    return {
        "metadata": {"labels": labels, "ownerReferences": [{"kind": "DaemonSet", "uid": "d"}]},
        "spec": {"nodeName": node, "containers": [{"name": "exporter"}]},
        "status": {
            "phase": "Running",
            "podIP": ip,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }


def put(kube: FakeKube, name: str, body: Json, namespace: str = "gpu-operator") -> None:
    """Have the cluster hold that pod."""
    kube.put(PODS.item(namespace, name), body)


@pytest.fixture
def kube() -> FakeKube:
    """A cluster with an exporter on two of its nodes, and something else."""
    made = FakeKube()
    put(made, "exporter-1", exporter("node-1", "10.0.0.1", OPERATOR))
    put(made, "exporter-2", exporter("node-2", "10.0.0.2", CHART), "monitoring")
    put(made, "other", exporter("node-1", "10.0.0.9", {"app": "other"}))
    return made


@pytest.fixture
async def found(kube: FakeKube) -> AsyncIterator[Exporters]:
    """What finds them."""
    made = Exporters(kube, clock=asyncio.get_running_loop().time)
    yield made
    await made.close()


async def test_exporters_are_found_by_the_labels_of_the_operator_or_the_chart(
    found: Exporters,
) -> None:
    """On the nodes asked about, in a fixed order, at the port that is documented."""
    assert await found.on(["node-2", "node-1"]) == (
        "http://10.0.0.1:9400/metrics",
        "http://10.0.0.2:9400/metrics",
    )
    assert await found.on(["node-2"]) == ("http://10.0.0.2:9400/metrics",)
    assert await found.on(["node-3"]) == ()


async def test_nothing_is_listed_before_somebody_asks(kube: FakeKube, found: Exporters) -> None:
    """And then once, however often one asks."""
    assert kube.calls == []
    for _ in range(3):
        await found.on(["node-1"])
        await asyncio.sleep(10)
    assert len(kube.made("get")) == 2
    assert {call.params["labelSelector"] for call in kube.made("get") if call.params} == {
        *exporters.SELECTORS
    }


async def test_exporters_that_come_and_go_are_followed(kube: FakeKube, found: Exporters) -> None:
    """Also one that is there and does not serve."""
    await found.on(["node-1"])
    put(kube, "exporter-1", exporter("node-1", "10.0.0.1", OPERATOR, ready=False))
    put(kube, "exporter-3", exporter("node-3", "10.0.0.3", OPERATOR))
    await asyncio.sleep(1)
    assert await found.on(["node-1", "node-3"]) == ("http://10.0.0.3:9400/metrics",)
    kube.remove(PODS.item("gpu-operator", "exporter-3"))
    await asyncio.sleep(1)
    assert await found.on(["node-1", "node-3"]) == ()


async def test_a_pod_with_both_labels_is_one_exporter(kube: FakeKube, found: Exporters) -> None:
    """Its page is not read twice."""
    put(kube, "exporter-1", exporter("node-1", "10.0.0.1", OPERATOR | CHART))
    assert await found.on(["node-1"]) == ("http://10.0.0.1:9400/metrics",)


@pytest.mark.parametrize(
    ("change", "url"),
    [
        pytest.param(
            {"ports": [{"name": "metrics", "containerPort": 9401}]},
            "http://10.0.0.1:9401/metrics",
            id="by-name",
        ),
        pytest.param(
            {"ports": [{"name": "other", "containerPort": 1}]},
            "http://10.0.0.1:9400/metrics",
            id="by-number",
        ),
    ],
)
def test_the_port(change: dict[str, Any], url: str) -> None:
    """The one named `metrics`, or 9400."""
    raw = exporter("node-1", "10.0.0.1", OPERATOR)
    raw["metadata"] |= {"uid": "u"}
    raw["spec"]["containers"][0] |= change
    projected = exporters.project_exporter(raw, None)
    assert projected is not None
    assert projected.url == url


@pytest.mark.parametrize(
    "part", [pytest.param("podIP", id="no-address"), pytest.param("conditions", id="not-ready")]
)
def test_one_that_cannot_be_asked_is_none(part: str) -> None:
    """It has just been made, or its node is gone."""
    raw = exporter("node-1", "10.0.0.1", OPERATOR)
    raw["metadata"] |= {"uid": "u"}
    del raw["status"][part]
    assert exporters.project_exporter(raw, None) is None


def test_addresses_of_ipv6() -> None:
    """They stand in brackets."""
    raw = exporter("node-1", "fd00::1", OPERATOR)
    raw["metadata"] |= {"uid": "u"}
    projected = exporters.project_exporter(raw, None)
    assert projected is not None
    assert projected.url == "http://[fd00::1]:9400/metrics"


async def test_a_namespace_and_labels_of_the_operators_choice(kube: FakeKube) -> None:
    """Then nobody else's pod is believed."""
    put(kube, "fake", exporter("node-1", "10.6.6.6", {"gpu": "exporter"}), "tenant")
    put(kube, "mine", exporter("node-1", "10.0.0.5", {"gpu": "exporter"}))
    made = Exporters(kube, selectors=("gpu=exporter",), namespace="gpu-operator")
    assert await made.on(["node-1"]) == ("http://10.0.0.5:9400/metrics",)
    await made.close()


async def test_pods_that_cannot_be_listed_are_no_data(kube: FakeKube, found: Exporters) -> None:
    """Nobody waits long for it, and once it works again they are found."""
    kube.fail("get", "/pods", status_error(403, "Forbidden", "no"))
    refusal = await found.on(["node-1"])
    assert isinstance(refusal, NoData)
    assert refusal.reason is NoDataReason.PODS_UNKNOWN
    assert "check that we may list pods" in refusal.message
    kube.heal()
    await asyncio.sleep(60)
    assert await found.on(["node-1"]) == ("http://10.0.0.1:9400/metrics",)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param([], exporters.SELECTORS, id="the-usual-ones"),
        pytest.param(["--dcgm-exporter-selector=a=b,c=d;e=f"], ("a=b,c=d", "e=f"), id="others"),
        pytest.param(["--dcgm-exporter-selector="], (), id="none"),
    ],
)
def test_the_operator_says_which_pods_are_exporters(
    arguments: list[str], found: tuple[str, ...]
) -> None:
    """By a flag of the adapter."""
    options = settings.read(AdapterSettings, arguments)
    assert exporters.parse(options.dcgm_exporter_selector) == found


def test_selectors_are_separated_by_semicolons() -> None:
    """A comma belongs to a selector; an empty text looks for none."""
    assert exporters.parse(" a=b,c=d ; e=f;") == ("a=b,c=d", "e=f")
    assert exporters.parse("") == ()
