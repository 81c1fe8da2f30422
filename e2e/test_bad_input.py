"""A scaler that cannot be evaluated says what to change, once, and disturbs nobody."""

import time

from e2e.cluster.api import Object
from e2e.stories import SETTLE_S, SYNC_S, Story, told

BAD_ENDPOINT = "http://me:sesame@127.0.0.1:1/"

BAD = {
    "bad-promql": (
        {"promQL": 'sum(queue_depth{story="hidden"} by'},
        "BadQuery",
        ("Prometheus refuses promQL", "parse error"),
    ),
    "unknown-host": (
        {"endpoint": "http://prometheus.nowhere.invalid:9090"},
        "UnknownHost",
        ("prometheus.nowhere.invalid", "check endpoint for a typo"),
    ),
    "no-url": ({"endpoint": "http://[:::]:9090"}, "BadEndpoint", ("no http or https URL",)),
    "range": (
        {"promQL": "queue_depth[5m]"},
        "BadQuery",
        ("gives a range", "avg_over_time"),
    ),
    "no-series": ({"promQL": "sum(unheard_of)"}, "NoData", ("EmptyResult", "check the labels")),
    "refused": ({"endpoint": BAD_ENDPOINT}, "NoData", ("Unreachable", "check that it runs")),
    "no-such-port": (
        {"metricSourceType": "pod", "port": "metrics"},
        "BadEndpoint",
        ("no container has a port named metrics",),
    ),
}
"""What is wrong with the source, the reason, and what the message must say."""


def test_bad_sources(story: Story) -> None:
    """Each bad source makes its scaler not ready, told once; a good scaler scales on."""
    story.deploy("good")
    story.deploy("bad", replicas=3)
    story.start_load(40)
    story.create(story.scaler("good"))
    with story.replicas("good") as good, story.replicas("bad") as bad:
        good.wait_for(4, timeout_s=SETTLE_S)
        for name, (fields, _, _) in BAD.items():
            story.create(scaler_of_bad(story, name, [story.source(**fields)]))
        for name, (_, reason, said) in BAD.items():
            message = story.wait_for_condition("Ready", "False", reason, name=name)
            for words in said:
                assert words in message, name
            assert "sesame" not in message
            story.wait_for_refusal(503, scaler=name)
        story.set_load(70)
        good.wait_for(7, timeout_s=SETTLE_S)
        time.sleep(3 * SYNC_S)  # some evaluations later nothing more is said

        for name, (_, reason, _) in BAD.items():
            complaint = story.wait_for_event(reason, name=name)
            assert complaint["type"] == "Warning"
            assert "sesame" not in complaint["note"]
            warnings = [e for e in story.events(name=name) if e["type"] == "Warning"]
            assert len(warnings) == 1, f"{name}: {told(warnings)}"
        assert "hidden" not in story.published(selector="scaler=bad-promql").text

        # Mended, each of them is evaluated, and says so once.
        for name in BAD:
            sources = {"spec": {"metricsSources": [story.source()]}}
            story.edit(sources, name=name)
        for name in BAD:
            story.wait_for_condition("Ready", "True", "ScalerReady", name=name)
            story.wait_for_load(7, scaler=name)
            story.wait_for_event("Recovered", name=name)

    assert good.values == [1, 4, 7]
    assert bad.values == [3]


def scaler_of_bad(story: Story, name: str, sources: list[Object]) -> Object:
    """A scaler that only publishes what the Deployment `bad` would need."""
    return story.scaler(
        name,
        scaleTargetRef={"name": "bad"},
        hpa={"manage": "Never"},
        metricsSources=sources,
    )


TARGETS = {
    "no-deployment": ({"name": "nobody"}, ("Deployment nobody does not exist",)),
    "no-kind": ({"kind": "Nonsense", "name": "x"}, ("kind Nonsense does not exist in apps/v1",)),
    "no-group": (
        {"apiVersion": "nonsense.example/v1", "kind": "Nonsense", "name": "x"},
        ("does not serve nonsense.example/v1",),
    ),
    "no-scale": (
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"},
        ("has no scale subresource",),
    ),
}


def test_missing_targets(story: Story) -> None:
    """A target that does not exist is named; when it comes, the scaler scales it."""
    story.start_load(30)
    for name, (target, _) in TARGETS.items():
        story.create(story.scaler(name, scaleTargetRef=target))
    for name, (_, said) in TARGETS.items():
        message = story.wait_for_condition("Ready", "False", "TargetNotFound", name=name)
        for words in (*said, "check scaleTargetRef"):
            assert words in message, name
        assert story.wait_for_event("TargetNotFound", name=name)["type"] == "Warning"
        story.wait_for_refusal(503, scaler=name)
    story.deploy("nobody")
    story.wait_for_condition("Ready", "True", "ScalerReady", name="no-deployment")
    story.wait_for_ready(3, "nobody")
    story.wait_for_event("Recovered", name="no-deployment")


def test_target_goes_and_comes(story: Story) -> None:
    """While its Deployment is gone a scaler publishes nothing, and then it goes on."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_ready(3)
    story.api.delete(f"/apis/apps/v1/namespaces/{story.namespace}/deployments/chat")
    story.wait_for_condition("Ready", "False", "TargetNotFound")
    story.wait_for_refusal(503)
    story.deploy()
    story.wait_for_ready(3)

    assert len(story.events("TargetNotFound")) == 1
    assert story.wait_for_condition("Ready", "True", "ScalerReady")
