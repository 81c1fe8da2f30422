"""The history of scalings, on the real HPA controller."""

from budaiscaler.kube.resources import BUDAISCALERS, DEPLOYMENTS
from e2e.cluster import waiting
from e2e.cluster.api import MERGE, Object
from e2e.stories import SETTLE_S, Story

ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def shown(scaler: Object) -> list[tuple[int, int, bool]]:
    """Replicas before and after, and success of the entries."""
    found = scaler.get("status", {}).get("scalingHistory", ())
    return [(e["previousScale"], e["newScale"], e["success"]) for e in found]


def test_scalings_and_failures_are_kept(story: Story) -> None:
    """A scaling is kept with its reason, one that is refused once with the error, and the next."""
    path = BUDAISCALERS.item(story.namespace, "chat")
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_ready(3)
    story.wait_for(path, lambda found: shown(found) == [(1, 3, True)], "the scaling to 3")

    name = f"few-{story.namespace}"
    story.api.create(f"{ADMISSION}/validatingadmissionpolicies", at_most(name, 4))
    story.api.create(
        f"{ADMISSION}/validatingadmissionpolicybindings", binding(name, story.namespace)
    )
    try:
        # A policy takes a while to be obeyed.
        scale = f"{DEPLOYMENTS.item(story.namespace, 'chat', 'scale')}?dryRun=All"
        waiting.until(
            lambda: (
                True
                if story.api.ask(
                    "PATCH", scale, {"spec": {"replicas": 6}}, content_type=MERGE
                ).status
                == 422
                else None
            ),
            what="a further scaling to be refused",
            timeout_s=SETTLE_S,
        )
        story.set_load(60)
        failing = [(1, 3, True), (3, 6, False)]
        story.wait_for(path, lambda found: shown(found) == failing, "the failure")
        story.wait_for_condition("AbleToScale", "False", "FailedUpdateScale")
    finally:
        for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            story.api.delete(f"{ADMISSION}/{kind}/{name}")
    found = story.wait_for(
        path, lambda found: shown(found) == [*failing, (3, 6, True)], "the scaling to 6"
    )

    scaled, refused, _ = found["status"]["scalingHistory"]
    assert scaled["reason"].startswith("combine: ")
    assert (scaled["algorithm"], scaled.get("error")) == ("HPA", None)
    assert "too many for this story" in refused["error"]


def at_most(name: str, replicas: int) -> Object:
    """A policy that refuses to scale a Deployment further."""
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments/scale"],
    }
    return {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [
                {
                    "expression": f"object.spec.replicas <= {replicas}",
                    "message": "too many for this story",
                }
            ],
        },
    }


def binding(name: str, namespace: str) -> Object:
    """The same for one namespace."""
    label = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": label},
        },
    }
