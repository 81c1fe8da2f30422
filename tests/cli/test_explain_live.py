"""`budaiscaler explain NAME`: what stands in a status, and what feeds back into `--observation`."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from budaiscaler.cli import explain
from budaiscaler.domain import times
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.domain.errors import InvalidInputError
from budaiscaler.domain.explaining import live, observations
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.evaluator import reporting
from budaiscaler.kube.port import Json
from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS, PODS
from tests import samples
from tests.conftest import NOON
from tests.explaining import worlds
from tests.fakes.kube import FakeKube

pytestmark = pytest.mark.looptime

CACHE = {
    "metricSourceType": "inferenceEngine",
    "targetMetric": "gpu_cache_usage_perc",
    "targetValue": "70",
    "inferenceEngineConfig": {"engineType": "vllm"},
}
ANSWERS = {"queue": Reading(9.0), "gpu_cache_usage_perc": Reading(80.0, answered=4, of=4)}
SOURCES = (samples.total(), CACHE)


def status(spec: ScalerSpec, readings: dict[str, Any], state: State | None = None) -> Json:
    """What the evaluator writes of a decision at noon."""
    seen = Observation(Replicas(4, 4), readings)
    decision, after = decide(spec, seen, state or State(), NOON)
    report = reporting.of_decision(spec, 1, seen, decision, after, {}, NOON)
    return {**report.status, "lastScaleTime": times.rfc3339(NOON)}


@pytest.fixture
def kube() -> FakeKube:
    """A cluster with a Deployment of four pods, and its scaler."""
    kube = FakeKube()
    kube.objects["/apis/apps/v1"] = {
        "resources": [
            {"name": "deployments", "kind": "Deployment"},
            {"name": "deployments/scale", "kind": "Scale"},
        ]
    }
    kube.put(
        DEPLOYMENTS.item("ml", "chat", "scale"),
        {"spec": {"replicas": 4}, "status": {"replicas": 4, "selector": "app=chat"}},
    )
    for index in range(4):
        pod = samples.pod("chat", index)
        pod["metadata"]["labels"] = {"app": "chat"}
        kube.put(PODS.item("ml", f"chat-{index}"), pod)
    return kube


def put(kube: FakeKube, status: Json | None, **fields: Any) -> None:
    """Put the scaler."""
    scaler = worlds.document(*SOURCES, **fields)
    kube.put(
        BUDAISCALERS.item("ml", "chat"), scaler if status is None else {**scaler, "status": status}
    )


async def test_a_live_scaler_is_explained(kube: FakeKube) -> None:
    """The ladder is the one of its status, with what would flip it."""
    about = worlds.subject(*SOURCES)
    put(kube, status(about.spec, ANSWERS))
    found = await explain.of_live(kube, "ml", "chat", NOON)
    text = explain.render(found, "text", is_steady=True)
    assert "chat (BudScaler) at 2026-01-05T12:00:00Z: 4 -> 8, bound by combine" in text
    assert "queue: total 9 / 1 a replica = 9 replicas" in text
    assert "7 needs queue <= " in text


async def test_its_observation_decides_the_same(kube: FakeKube) -> None:
    """Raw values again, so that a share of one is a share of one."""
    about = worlds.subject(*SOURCES)
    put(kube, status(about.spec, ANSWERS))
    found = await explain.of_live(kube, "ml", "chat", NOON)
    written = yaml.safe_load(explain.render(found, "observation", is_steady=True))
    assert written["readings"]["queue"] == 9
    assert written["readings"]["gpu_cache_usage_perc"] == {"value": 0.8, "answered": 4, "of": 4}
    assert written["replicas"] == {"current": 4, "ready": 4, "starting": 0, "unschedulable": 0}
    again = worlds.explain(about, written)
    assert again.decision.desired_replicas == found.decision.desired_replicas == 8


async def test_a_source_without_data_stays_one(kube: FakeKube) -> None:
    """Null goes out, and no data comes back."""
    about = worlds.subject(*SOURCES)
    silent = NoData(NoDataReason.TIMEOUT, "too slow")
    put(kube, status(about.spec, {**ANSWERS, "queue": silent}))
    found = await explain.of_live(kube, "ml", "chat", NOON)
    written = observations.to_json(found.given)
    assert written["readings"]["queue"] is None


async def test_history_is_told_where_it_decides(kube: FakeKube) -> None:
    """No reading alone would change what a window holds."""
    about = worlds.subject(*SOURCES)
    readings = {"queue": Reading(1.0), "gpu_cache_usage_perc": Reading(1.0, answered=4, of=4)}
    put(kube, {**status(about.spec, readings), "lastScaleTime": None})
    found = await explain.of_live(kube, "ml", "chat", NOON)
    assert found.decision.desired_replicas == 4
    text = explain.render(found, "text", is_steady=live.is_steady(found))
    assert text.endswith("no reading alone tells what would change it.")


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        pytest.param(None, "the servers have not looked at it", id="no-status"),
        pytest.param(
            {"conditions": [{"type": "Ready", "reason": "TargetNotFound", "message": "none"}]},
            "TargetNotFound: none",
            id="not-ready",
        ),
        pytest.param(
            {"desiredScale": 4, "boundBy": "moon"}, "a version that this one does not", id="newer"
        ),
    ],
)
async def test_what_cannot_be_explained(kube: FakeKube, status: Json | None, problem: str) -> None:
    """The error says why, and what to do."""
    put(kube, status)
    with pytest.raises(InvalidInputError, match=problem):
        await explain.of_live(kube, "ml", "chat", NOON)


async def test_a_scaler_that_is_not_there(kube: FakeKube) -> None:
    """The API server's word is passed on, with the namespace, since -n is easily forgotten."""
    with pytest.raises(InvalidInputError, match="chat not found; looked in namespace ml, -n names"):
        await explain.of_live(kube, "ml", "chat", NOON)


async def test_a_workload_that_is_not_there(kube: FakeKube) -> None:
    """The error says whose it is, and where its name is written."""
    put(kube, None)
    kube.remove(DEPLOYMENTS.item("ml", "chat", "scale"))
    with pytest.raises(InvalidInputError, match=r"workload of chat .* check spec\.scaleTargetRef"):
        await explain.of_live(kube, "ml", "chat", NOON)
