"""The controller's part: whose HPA is on a workload, and who yields to whom."""

from typing import Any

import pytest

from budaiscaler.kube.resources import DEPLOYMENTS, HPAS
from e2e.cluster.api import Object
from e2e.cluster.installation import condition
from e2e.stories import EXACT, SETTLE_S, Story, told


@pytest.fixture
def scaled(story: Story) -> Story:
    """A scaler whose HPA has scaled its Deployment to four."""
    story.deploy()
    story.start_load(40)
    story.create(story.scaler())
    story.wait_for_hpa()
    story.wait_for_ready(4)
    story.wait_for_condition("AbleToScale", "True", "HPAOwned")
    return story


def test_child_is_ours(scaled: Story) -> None:
    """The child carries the scaler's target, bounds and behaviour, and the scaler as its owner."""
    hpa = scaled.wait_for_hpa(
        lambda hpa: "lastScaleTime" in hpa.get("status", {}), what="an HPA that has scaled"
    )
    last = hpa["status"]["lastScaleTime"]
    scaled.wait_for_status(lambda status: status.get("lastScaleTime") == last, "the HPA's time")
    scaler = scaled.current()

    assert hpa["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "scaler.bud.studio/v1alpha1",
            "kind": "BudAIScaler",
            "name": "chat",
            "uid": scaler["metadata"]["uid"],
            "controller": True,
        }
    ]
    assert hpa["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "budaiscaler"
    assert hpa["spec"]["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "chat",
    }
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 20)
    for way, rules in EXACT.items():
        assert {k: hpa["spec"]["behavior"][way][k] for k in rules} == rules
    scaled.wait_for_event("HPACreated")


def test_edits_reach_the_child(scaled: Story) -> None:
    """Bounds and behaviour of the scaler reach the HPA, which then keeps to them."""
    with scaled.replicas() as replicas:
        scaled.edit({"spec": {"maxReplicas": 3}})
        scaled.wait_for_hpa(lambda hpa: hpa["spec"]["maxReplicas"] == 3, what="the new maximum")
        replicas.wait_for(3, timeout_s=SETTLE_S)
        scaled.edit({"spec": {"maxReplicas": 9, "minReplicas": 6}})
        replicas.wait_for(6, timeout_s=SETTLE_S)
        window = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 77}}}
        scaled.edit({"spec": window})
        hpa = scaled.wait_for_hpa(
            lambda hpa: hpa["spec"]["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 77,
            what="the new window",
        )

    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (6, 9)
    assert replicas.values == [4, 3, 6]


def test_edits_of_the_child_are_put_back(scaled: Story) -> None:
    """What somebody else changes in our HPA becomes again what the scaler asks for."""
    before = scaled.wait_for_hpa()

    def asked(hpa: Object) -> Any:
        metadata = hpa["metadata"]
        return hpa["spec"], metadata["labels"], metadata.get("ownerReferences")

    changes: tuple[Object, ...] = (
        {"spec": {"maxReplicas": 2}},
        {"spec": {"behavior": {"scaleUp": {"selectPolicy": "Disabled"}}}},
        {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}},
        {"spec": {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 3600}}}},
        {"spec": {"behavior": None}},
        {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
        {"metadata": {"ownerReferences": []}},
    )
    for change in changes:
        scaled.api.patch(HPAS.item(scaled.namespace, "chat-hpa"), change)
        after = scaled.wait_for_hpa(
            lambda hpa: bool(asked(hpa) == asked(before)), what=f"the HPA as before {change}"
        )
        assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_scale_down_cannot_be_switched_off_behind_our_back(scaled: Story) -> None:
    """Also where the scaler says nothing of it: else replicas would stay high, and nobody told."""
    scaled.edit({"spec": {"behavior": None}})

    def select_policy(hpa: Object) -> str:
        return str(hpa["spec"]["behavior"]["scaleDown"]["selectPolicy"])

    scaled.wait_for_hpa(lambda hpa: hpa["spec"]["behavior"]["scaleUp"]["policies"][0]["value"] == 4)
    change = {"spec": {"behavior": {"scaleDown": {"selectPolicy": "Disabled"}}}}
    scaled.api.patch(HPAS.item(scaled.namespace, "chat-hpa"), change)
    scaled.wait_for_hpa(lambda hpa: select_policy(hpa) == "Max", what="the HPA as before")


def test_deleted_child_comes_back(scaled: Story) -> None:
    """An HPA of ours that somebody deletes is made again; replicas stay meanwhile."""
    before = scaled.wait_for_hpa()
    with scaled.replicas() as replicas:
        scaled.api.delete(HPAS.item(scaled.namespace, "chat-hpa"))
        after = scaled.wait_for_hpa(
            lambda hpa: hpa["metadata"]["uid"] != before["metadata"]["uid"], what="a new HPA"
        )
        scaled.set_load(70)
        replicas.wait_for(7, timeout_s=SETTLE_S)

    assert after["spec"] == before["spec"]
    assert replicas.values == [4, 7]


def test_deleted_scaler_leaves_replicas(scaled: Story) -> None:
    """With the scaler goes its HPA, collected by the cluster; the replicas stay as they are."""
    with scaled.replicas() as replicas:
        scaled.delete()
        scaled.wait_until_gone(HPAS.item(scaled.namespace, "chat-hpa"))
        scaled.wait_for_ready(4)

    assert replicas.values == [4]
    scaled.wait_for_refusal(404)


@pytest.mark.parametrize(
    ("change", "kind", "status", "reason"),
    [
        pytest.param(
            {"scalingStrategy": "KPA"}, "AbleToScale", "True", "ReadyForNewScale", id="strategy"
        ),
        pytest.param(
            {"hpa": {"manage": "Never"}}, "AbleToScale", "True", "PublishOnly", id="never"
        ),
    ],
)
def test_child_goes_when_not_wanted(
    scaled: Story, change: Object, kind: str, status: str, reason: str
) -> None:
    """Another strategy, or manage Never, takes the HPA away and leaves the replicas; and back."""
    with scaled.replicas() as replicas:
        scaled.edit({"spec": change})
        scaled.wait_until_gone(HPAS.item(scaled.namespace, "chat-hpa"))
        scaled.wait_for_condition(kind, status, reason)
        scaled.wait_for_event("HPADeleted")
        scaled.edit({"spec": {"scalingStrategy": "HPA", "hpa": {"manage": "Auto"}}})
        scaled.wait_for_hpa()
        scaled.wait_for_condition("AbleToScale", "True", "HPAOwned")
        scaled.wait_for_condition("Ready", "True", "ScalerReady")
        held = list(replicas.values)
        scaled.set_load(70)
        replicas.wait_for(7, timeout_s=SETTLE_S)

    assert held == [4]


def test_minimum_of_zero(story: Story) -> None:
    """With minReplicas 0 the HPA gets 1, since a stock cluster allows no less, and we say so."""
    story.deploy(replicas=2)
    story.start_load(0)
    with story.replicas() as replicas:
        story.create(story.scaler(minReplicas=0))
        hpa = story.wait_for_hpa()
        message = story.wait_for_condition("ScaleToZero", "False", "HPAMinimumIsOne")
        replicas.wait_for(1, timeout_s=SETTLE_S)
        story.wait_for_load(1)

    assert hpa["spec"]["minReplicas"] == 1
    assert "minReplicas is 0" in message
    assert replicas.values == [2, 1]


def test_switched_off_workload_is_left_alone(scaled: Story) -> None:
    """A workload that its owner scaled to 0 stays there, as an HPA leaves it, until he returns."""
    path = DEPLOYMENTS.item(scaled.namespace, "chat")
    with scaled.replicas() as replicas:
        scaled.api.patch(f"{path}/scale", {"spec": {"replicas": 0}})
        scaled.wait_for_condition("ScalingActive", "False", "ScalingDisabled")
        scaled.set_load(90)
        scaled.prometheus.wait_for_value(scaled.query(), 90)
        scaled.wait_for_hpa(
            lambda hpa: condition(hpa, "ScalingActive", "reason") == "ScalingDisabled",
            what="the HPA to say that scaling is disabled",
        )
        held = list(replicas.values)
        scaled.api.patch(f"{path}/scale", {"spec": {"replicas": 1}})
        replicas.wait_for(9, timeout_s=SETTLE_S)

    assert held == [4, 0]


def test_older_scaler_wins(story: Story) -> None:
    """Of two scalers on one workload the older acts; when it goes, the younger takes over."""
    story.deploy()
    story.start_load(40)
    story.create(story.scaler())
    story.wait_for_ready(4)
    story.wait_for_condition("AbleToScale", "True", "HPAOwned")
    with story.replicas() as replicas:
        story.create(story.scaler("second", scaleTargetRef={"name": "chat"}, minReplicas=6))
        message = story.wait_for_condition(
            "AbleToScale", "False", "ConflictDetected", name="second"
        )
        complaint = story.wait_for_event("ConflictDetected", name="second")
        story.wait_for_condition("Ready", "False", "ConflictDetected", name="second")
        held, rival = list(replicas.values), story.hpa("second-hpa")
        story.delete()
        story.wait_for_hpa(name="second-hpa")
        replicas.wait_for(6, timeout_s=SETTLE_S)
        story.wait_for_condition("AbleToScale", "True", "HPAOwned", name="second")
        story.wait_for_condition("Ready", "True", "ScalerReady", name="second")

    assert "BudAIScaler chat is older" in message
    assert complaint["type"] == "Warning"
    assert (held, rival) == ([4], None)


def test_same_name_again(scaled: Story) -> None:
    """A scaler that is deleted and made again at once gets an HPA of its own, and no complaint."""
    before = scaled.current()["metadata"]["uid"]
    with scaled.replicas() as replicas:
        scaled.delete()
        made = scaled.create(scaled.scaler(maxReplicas=11))
        uid = made["metadata"]["uid"]
        scaled.wait_for_hpa(
            lambda hpa: [o["uid"] for o in hpa["metadata"]["ownerReferences"]] == [uid],
            what="an HPA of the new scaler",
        )
        scaled.wait_for_condition("AbleToScale", "True", "HPAOwned")
        scaled.wait_for_condition("Ready", "True", "ScalerReady")
        scaled.wait_for_load(4)

    assert uid != before
    assert replicas.values == [4]
    warnings = [
        event
        for event in scaled.events()
        if event["type"] == "Warning" and event["regarding"]["uid"] == uid
    ]
    assert warnings == [], told(warnings)
