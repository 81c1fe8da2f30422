"""Autoscalers that are not ours: they win, we say who is there, and an HPA can be taken over."""

import time
from typing import Any

import pytest

from budaiscaler.kube.resources import HPAS
from e2e.cluster import custom
from e2e.cluster.api import Object
from e2e.stories import SETTLE_S, SYNC_S, Story, told

ADOPT = "scaler.bud.studio/adopt-hpa"
ADOPTED_BY = "scaler.bud.studio/adopted-by"


@pytest.fixture
def loaded(story: Story) -> Story:
    """A Deployment of two that needs four."""
    story.deploy(replicas=2)
    story.start_load(40)
    return story


def cpu_hpa(story: Story, **spec: Any) -> Object:
    """An HPA that has nothing to do with us; without a metrics server it does nothing."""
    metrics = [
        {
            "type": "Resource",
            "resource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50},
            },
        }
    ]
    return story.own_hpa("theirs", metrics=metrics, **spec)


def make(story: Story, hpa: Object) -> str:
    """Create an HPA; gives its uid."""
    made = story.api.create(HPAS.collection(story.namespace), hpa)
    return str(made["metadata"]["uid"])


def adopter(hpa: Object) -> str:
    """The scaler that took an HPA over; empty if none did."""
    marks: Object = hpa["metadata"].get("annotations") or {}
    return str(marks.get(ADOPTED_BY, "")).partition("/")[0]


def test_foreign_hpa_wins(loaded: Story) -> None:
    """While another HPA is on the workload we only publish and say so once; then we take over."""
    make(loaded, cpu_hpa(loaded))
    with loaded.replicas() as replicas, loaded.hpas() as hpas:
        loaded.create(loaded.scaler())
        message = loaded.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
        complaint = loaded.wait_for_event("ForeignAutoscaler")
        loaded.wait_for_load(4)
        loaded.wait_for_condition("Ready", "False", "ForeignAutoscaler")
        time.sleep(3 * SYNC_S)
        held, seen = list(replicas.values), {name for name, _ in filter(None, hpas.values)}
        loaded.api.delete(HPAS.item(loaded.namespace, "theirs"))
        replicas.wait_for(4, timeout_s=SETTLE_S)
        loaded.wait_for_condition("AbleToScale", "True", "HPAOwned")

    assert "HPA theirs" in message
    assert f"{ADOPT}: theirs" in message
    assert "spec.hpa.manage: Never" in message
    assert complaint["type"] == "Warning"
    assert (held, seen) == ([2], {"theirs"})
    loaded.wait_for_event("HPAOwned")
    assert len(loaded.events("ForeignAutoscaler")) == 1, told(loaded.events())


def test_we_yield_to_a_later_one(loaded: Story) -> None:
    """An HPA that comes after ours wins as well: ours goes, and the replicas stay."""
    loaded.create(loaded.scaler())
    loaded.wait_for_ready(4)
    with loaded.replicas() as replicas:
        make(loaded, cpu_hpa(loaded))
        loaded.wait_until_gone(HPAS.item(loaded.namespace, "chat-hpa"))
        loaded.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")

    assert replicas.values == [4]
    assert loaded.hpa("theirs") is not None


def test_adoption_without_a_gap(loaded: Story) -> None:
    """The annotation makes a user's HPA ours in place: at no moment is there none, or two."""
    uid = make(loaded, cpu_hpa(loaded, minReplicas=2, maxReplicas=5))
    with loaded.replicas() as replicas, loaded.hpas() as hpas:
        scaler = loaded.scaler()
        scaler["metadata"]["annotations"] = {ADOPT: "theirs"}
        loaded.create(scaler)
        replicas.wait_for(4, timeout_s=SETTLE_S)
        loaded.wait_for_condition("AbleToScale", "True", "HPAOwned")
        loaded.wait_for_event("HPAAdopted")

    hpa = loaded.wait_for_hpa(name="theirs")
    assert set(hpas.values) == {("theirs", uid)}
    assert replicas.values == [2, 4]
    assert adopter(hpa) == "chat"
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (1, 20)
    assert [metric["type"] for metric in hpa["spec"]["metrics"]] == ["External"]


def test_adopted_hpa_is_given_back(loaded: Story) -> None:
    """Who stops using us, by manage Never, keeps the HPA that was his."""
    uid = make(loaded, cpu_hpa(loaded))
    scaler = loaded.scaler()
    scaler["metadata"]["annotations"] = {ADOPT: "theirs"}
    loaded.create(scaler)
    loaded.wait_for_ready(4)
    with loaded.replicas() as replicas:
        loaded.edit({"spec": {"hpa": {"manage": "Never"}}})
        hpa = loaded.wait_for_hpa(
            lambda hpa: not adopter(hpa), what="the HPA without our mark", name="theirs"
        )
        loaded.wait_for_event("HPAReleased")

    assert hpa["metadata"]["uid"] == uid
    assert replicas.values == [4]


def test_adopted_hpa_follows_the_scaler(loaded: Story) -> None:
    """What the scaler does not say any more goes from an adopted HPA too."""
    make(loaded, cpu_hpa(loaded))
    scaler = loaded.scaler()
    scaler["metadata"]["annotations"] = {ADOPT: "theirs"}
    scaler["spec"]["behavior"] = {
        "scaleDown": {"stabilizationWindowSeconds": 600, "selectPolicy": "Disabled"}
    }
    loaded.create(scaler)

    def rules(hpa: Object) -> tuple[int, str]:
        down = hpa["spec"].get("behavior", {}).get("scaleDown", {})
        return down.get("stabilizationWindowSeconds"), down.get("selectPolicy")

    loaded.wait_for_hpa(
        lambda hpa: rules(hpa) == (600, "Disabled"), what="the HPA as asked for", name="theirs"
    )
    loaded.edit({"spec": {"behavior": None}})
    loaded.wait_for_hpa(
        lambda hpa: rules(hpa) == (300, "Max"), what="the HPA as by default", name="theirs"
    )


def test_adopted_hpa_outlives_the_scaler(loaded: Story) -> None:
    """Whoever had the HPA has it back when the scaler is deleted, also while we were away."""
    uid = make(loaded, cpu_hpa(loaded))
    scaler = loaded.scaler()
    scaler["metadata"]["annotations"] = {ADOPT: "theirs"}
    loaded.create(scaler)
    loaded.wait_for_ready(4)
    controller = loaded.running.controller
    with loaded.replicas() as replicas:
        controller.daemon.stop()
        try:
            loaded.delete()
        finally:
            controller.start()
        hpa = loaded.wait_for_hpa(
            lambda hpa: not adopter(hpa), what="the HPA without our mark", name="theirs"
        )

    assert hpa["metadata"]["uid"] == uid
    assert replicas.values == [4]


def test_anothers_hpa_is_not_adopted(loaded: Story) -> None:
    """An HPA that a controller owns stays its own, whatever the annotation says."""
    owner = loaded.api.create(
        f"/api/v1/namespaces/{loaded.namespace}/configmaps", {"metadata": {"name": "tool"}}
    )
    hpa = cpu_hpa(loaded)
    hpa["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "tool",
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
    ]
    make(loaded, hpa)
    before = loaded.wait_for_hpa(name="theirs")
    scaler = loaded.scaler()
    scaler["metadata"]["annotations"] = {ADOPT: "theirs"}
    loaded.create(scaler)
    message = loaded.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
    after = loaded.wait_for_hpa(name="theirs")

    assert "owned by ConfigMap tool" in message
    assert ADOPT not in message
    assert after["spec"] == before["spec"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_another_scalers_hpa_is_not_adopted(loaded: Story) -> None:
    """Nor can a scaler take the HPA of another scaler, which stays as it is."""
    loaded.create(loaded.scaler())
    loaded.wait_for_ready(4)
    before = loaded.wait_for_hpa()
    loaded.deploy("code")
    thief = loaded.scaler("code")
    thief["metadata"]["annotations"] = {ADOPT: "chat-hpa"}
    loaded.create(thief)
    message = loaded.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler", name="code")
    time.sleep(2 * SYNC_S)
    after = loaded.wait_for_hpa()

    assert "owned by BudAIScaler chat" in message
    assert after["spec"] == before["spec"]
    assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]


def test_scaled_object_wins(loaded: Story) -> None:
    """Where KEDA is installed, a ScaledObject on the workload wins as a foreign HPA does."""
    controller = loaded.running.controller
    path = f"/apis/keda.sh/v1alpha1/namespaces/{loaded.namespace}/scaledobjects"
    body = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "queue"},
        "spec": {"scaleTargetRef": {"name": "chat"}},
    }
    try:
        with custom.served(loaded.api, SCALED_OBJECTS_CRD, path):
            loaded.api.create(path, body)
            # A controller that found no KEDA looks again only after minutes.
            controller.daemon.restart()
            controller.start()
            loaded.create(loaded.scaler())
            message = loaded.wait_for_condition("AbleToScale", "False", "ForeignAutoscaler")
            loaded.wait_for_load(4)
            hpa = loaded.hpa()
    finally:
        controller.daemon.restart()
        controller.start()

    assert "ScaledObject queue" in message
    assert hpa is None


SCALED_OBJECTS_CRD: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "scope": "Namespaced",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects", "singular": "scaledobject"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
"""KEDA's kind, as far as it matters here."""
