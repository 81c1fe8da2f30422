"""Stories of BudScaler and KPA: the controller scales by itself, and no HPA is there."""

import json
from typing import Any, Final

from budaiscaler.kube.resources import BUDAISCALERS, HPAS
from e2e.cluster.api import Object
from e2e.cluster.engine_pages import Load
from e2e.cluster.engines import Engines
from e2e.fleets import QUICK
from e2e.stories import Story

SCALED_S: Final = 90.0


def _scaler(story: Story, *sources: Object, **fields: Any) -> Object:
    spec = {"scalingStrategy": "BudScaler", "behavior": QUICK, **fields}
    return story.scaler(metricsSources=list(sources or (story.source(),)), **spec)


def test_a_burst_and_a_quiet_spell(story: Story) -> None:
    """Engines at three times their target gain replicas without an HPA, and lose them again."""
    story.deploy(replicas=2)
    with Engines.of(story.api, story.namespace, "chat", "vllm") as engines:
        engines.wait_for(2)
        engines.share(Load(running=60))
        config = {"engineType": "vllm", "metricsPort": engines.port}
        source = {"targetMetric": "requests_running", "targetValue": "10"}
        story.create(_scaler(story, {**source, "inferenceEngineConfig": config}))
        story.wait_for_ready(6, timeout_s=SCALED_S)
        assert story.hpa() is None
        engines.share(Load(running=10))
        story.wait_for_ready(1, timeout_s=SCALED_S)
    # Who scales reports on it after it has.
    status = story.wait_for_status(
        lambda status: (
            [(entry["newScale"], entry["success"]) for entry in status.get("scalingHistory", ())][
                -1:
            ]
            == [(1, True)]
        ),
        "a report of the last scaling",
    )
    assert {entry["algorithm"] for entry in status["scalingHistory"]} == {"BudScaler"}
    assert "lastScaleTime" in status


def test_a_dead_source_and_a_foreign_autoscaler(story: Story) -> None:
    """Without data four replicas stay four; beside somebody's HPA nothing is scaled at all."""
    story.deploy(replicas=4)
    story.create(_scaler(story))
    story.wait_for_condition("ScalingActive", "False", "NoData")
    story.start_load(60)
    story.wait_for_ready(6, timeout_s=SCALED_S)
    story.api.create(HPAS.collection(story.namespace), story.own_hpa("theirs", minReplicas=6))
    story.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
    story.set_load(120)
    story.wait_for(
        BUDAISCALERS.item(story.namespace, "chat"),
        lambda found: found["status"].get("desiredScale", 0) > 6,
        "more replicas wanted",
    )
    story.wait_for_event("ForeignAutoscaler")


def test_what_is_decided_is_published_and_recommended(story: Story) -> None:
    """A scaler that only recommends is watched on the metrics API, and changes nothing."""
    story.deploy(replicas=2)
    story.start_load(40)
    with story.replicas() as replicas:
        story.create(_scaler(story, mode="Recommend"))
        story.wait_for_load(4)
        story.wait_for_condition("AbleToScale", "True", "RecommendOnly")
    assert set(replicas.values) <= {2}


def test_a_burst_by_knative_s_rules(story: Story) -> None:
    """Five times the load is panic: all replicas that it needs at once, and none too few after."""
    story.deploy(replicas=2)
    story.start_load(20)
    scaler = story.scaler(scalingStrategy="KPA", behavior=None)
    windows = {"stable-window": "10", "panic-window": "5"}
    scaler["metadata"]["annotations"] = {
        f"scaler.bud.studio/{name}": value for name, value in windows.items()
    }
    story.create(scaler)
    story.wait_for_condition("AbleToScale", "True", "ReadyForNewScale", timeout_s=SCALED_S)
    story.set_load(100)
    story.wait_for_ready(10, timeout_s=SCALED_S)
    assert story.hpa() is None
    status = story.wait_for_status(lambda status: "scalingHistory" in status, "a history")
    assert {entry["algorithm"] for entry in status["scalingHistory"]} == {"KPA"}


def test_a_controller_that_is_killed_forgets_no_policy(story: Story) -> None:
    """Two replicas in half an hour are two, though another leader finds all of them needed."""
    story.deploy(replicas=2)
    story.start_load(100)
    policy = {"type": "Pods", "value": 2, "periodSeconds": 1800}
    story.create(_scaler(story, behavior={"scaleUp": {"policies": [policy]}}))
    story.wait_for_ready(4, timeout_s=SCALED_S)
    # Who scales writes down that it did after it has.
    story.wait_for_status(lambda status: _changes(status) == [2], "a state of that change")
    controller = story.running.controller
    with story.replicas() as replicas:
        controller.daemon.stop(hard=True)
        before = json.loads(story.current()["status"]["decisionState"])
        controller.start()
        story.set_load(140)
        story.wait_for(
            BUDAISCALERS.item(story.namespace, "chat"),
            lambda found: json.loads(found["status"]["decisionState"])["at"] > before["at"],
            "a state of the new leader",
            timeout_s=90,
        )
    assert set(replicas.values) == {4}
    assert before["target"] == "apps/v1/Deployment/chat"
    assert [by for _, by in before["state"]["changes"]] == [2]


def _changes(status: Object) -> list[int]:
    state = json.loads(status.get("decisionState") or "{}").get("state", {})
    return [by for _, by in state.get("changes", ())]
