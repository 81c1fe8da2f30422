"""Story: what was written for the original is accepted as it is, and each of it is told about."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster.api import Object
from e2e.cluster.installation import Running, condition
from e2e.stories import Story
from tests import rules

ORIGINAL = Path(__file__).parents[1] / "manifests" / "samples" / "original"
STRICT = "fieldValidation=Strict"


def _sample(file: Path) -> Object:
    loaded: Object = yaml.safe_load(file.read_text())
    return loaded


SAMPLES = {file.stem: _sample(file) for file in sorted(ORIGINAL.glob("*.yaml"))}
OF_HPA = [name for name, o in SAMPLES.items() if o["spec"]["scalingStrategy"] == "HPA"]

WITHOUT_EFFECT = {
    "chart-era": (
        "gpuConfig.vgpuEnabled",
        "costConfig",
        "predictionConfig",
        "multiClusterConfig",
    ),
}
"""What is named of samples of the HPA strategy; of the others nothing is."""

STATUS: Object = {
    "actualScale": 2,
    "desiredScale": 3,
    "lastScaleTime": "2026-01-01T09:00:00Z",
    "scalingHistory": [
        {
            "timestamp": "2026-01-01T09:00:00Z",
            "previousScale": 2,
            "newScale": 3,
            "reason": "queue_depth 40 of 10",
            "algorithm": "KPA",
            "success": False,
            "error": "the API server did not answer",
        },
        {
            "timestamp": "2026-01-01T09:00:10Z",
            "fromReplicas": 2,
            "toReplicas": 3,
            "triggerMetric": "queue_depth",
            "triggerValue": "40",
            "targetValue": "10",
            "scalingStrategy": "KPA",
        },
    ],
    "gpuStatus": {
        "averageMemoryUtilization": 62,
        "averageComputeUtilization": 70,
        "totalGPUs": 2,
        "allocatedGPUs": 2,
        "gpuType": "H200",
    },
    "costStatus": {
        "currentHourlyCost": "2.04",
        "projectedDailyCost": "48.96",
        "budgetUtilization": 20,
        "spotInstancesInUse": 0,
        "onDemandInstancesInUse": 2,
        "currentCostPerHour": "2.04",
        "projectedMonthlyCost": "1468.80",
        "lastCostUpdate": "2026-01-01T09:00:00Z",
    },
    "predictionStatus": {
        "predictedReplicas": 3,
        "predictionConfidence": "0.80",
        "nextPredictedChange": "2026-01-01T09:15:00Z",
        "activeScheduleHint": "business-hours",
        "nextPredictedLoad": "40",
        "nextScaleTime": "2026-01-01T09:15:00Z",
    },
    "learningStatus": {
        "dataPointsCollected": 120,
        "overallAccuracy": "66.7%",
        "directionAccuracy": "66.7%",
        "recentMAPE": "6.25%",
        "recentMAE": "0.38",
        "seasonalDataComplete": False,
        "detectedPattern": "steady_state",
        "patternConfidence": "0.50",
        "calibrationNeeded": False,
        "lastCalibration": "2026-01-01T09:00:00Z",
        "configMapName": "chat-learning-data",
        "oldestDataPoint": "2026-01-01T08:00:00Z",
        "currentSeasonalFactor": "1.20",
        "storageUsed": "22Ki",
    },
    "multiClusterStatus": {
        "totalReplicasAcrossClusters": 3,
        "clusterDistribution": {"a": 3},
        "healthyClusters": ["a"],
        "unhealthyClusters": [],
    },
}


def _has_all(found: Any, wanted: Any) -> bool:
    """Whether everything that was sent is in what stands there; the server adds defaults."""
    if isinstance(wanted, dict):
        return all(key in found and _has_all(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_has_all, found, wanted))
    return bool(found == wanted)


def _placed(name: str, namespace: str) -> Object:
    """A sample in another namespace than its own."""
    sample = SAMPLES[name]
    return {**sample, "metadata": {**sample["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_accepted_strictly(budaiscaler: Running, name: str) -> None:
    """The server knows every field, takes every value, and drops none."""
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, _placed(name, "default"))

    assert answer.status == 201, answer.text
    assert _has_all(answer.json()["spec"], SAMPLES[name]["spec"])


def test_every_field_is_accepted_strictly(budaiscaler: Running) -> None:
    """Also what no sample shows: the example has every field of the schema, and all stand."""
    sample = {**_placed("kpa", "default"), "spec": rules.everything()}
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, sample)

    assert answer.status == 201, answer.text
    assert _has_all(answer.json()["spec"], rules.everything())


def test_a_field_that_nobody_knows_is_refused(budaiscaler: Running) -> None:
    """So the test above would see one that is missing."""
    sample = _placed("readme-gpu", "default")
    sample["spec"] = {**sample["spec"], "gpuConfig": {"dcgmEndpiont": "http://a"}}
    path = f"{BUDAISCALERS.collection('default')}?dryRun=All&{STRICT}"
    answer = budaiscaler.api.ask("POST", path, sample)

    assert answer.status == 400, answer.text
    assert "dcgmEndpiont" in answer.json()["message"]


@pytest.mark.parametrize("name", OF_HPA)
def test_one_of_the_hpa_strategy_is_evaluated(story: Story, name: str) -> None:
    """It is read, its sources are asked, and what has no effect is named."""
    sample = _placed(name, story.namespace)
    story.deploy(sample["spec"]["scaleTargetRef"]["name"])
    story.api.create(f"{BUDAISCALERS.collection(story.namespace)}?{STRICT}", sample)
    found = story.wait_for(
        BUDAISCALERS.item(story.namespace, sample["metadata"]["name"]),
        lambda o: condition(o, "ScalingActive") is not None and o["status"].get("sources"),
        "an evaluation",
    )

    told = condition(found, "FieldsWithoutEffect", "message") or ""
    assert len(found["status"]["sources"]) == len(sample["spec"]["metricsSources"])
    assert all(f"{field} (" in told for field in WITHOUT_EFFECT.get(name, ()))
    assert (name in WITHOUT_EFFECT) == bool(told)


@pytest.mark.parametrize("strategy", ["KPA", "BudScaler"])
def test_one_of_another_strategy_is_told_about(story: Story, strategy: str) -> None:
    """Whether this version decides it or not, each says why it cannot scale: nothing is there."""
    names = [name for name, o in SAMPLES.items() if o["spec"]["scalingStrategy"] == strategy]
    for name in names:
        sample = _placed(name, story.namespace)
        story.api.create(f"{BUDAISCALERS.collection(story.namespace)}?{STRICT}", sample)
    for name in names:
        found = story.wait_for(
            BUDAISCALERS.item(story.namespace, SAMPLES[name]["metadata"]["name"]),
            lambda o: condition(o, "Ready") == "False",
            "Ready=False",
        )
        reasons = {"TargetNotFound", "ConflictDetected"}
        assert condition(found, "Ready", "reason") in reasons


def test_a_status_of_the_original_stands(story: Story) -> None:
    """Fields of both of its schemas are known, so that a stored object stays valid."""
    sample = _placed("kpa", story.namespace)
    story.api.create(BUDAISCALERS.collection(story.namespace), sample)
    path = BUDAISCALERS.item(story.namespace, sample["metadata"]["name"])
    found = story.api.patch(f"{path}/status?{STRICT}", {"status": STATUS})

    assert _has_all(found["status"], STATUS)
