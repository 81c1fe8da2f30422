"""Pauses, by the spec and from the command line, and recommendations that nobody follows."""

import time
from datetime import UTC, datetime, timedelta

from budaiscaler.domain import times
from budaiscaler.kube.resources import HPAS
from e2e.stories import SETTLE_S, SYNC_S, Story

PAUSE = timedelta(seconds=40)
"""Time to see that it holds."""


def policies(hpa: dict[str, dict[str, dict[str, dict[str, str]]]]) -> tuple[str, str]:
    """What an HPA may do: up and down."""
    behavior = hpa["spec"]["behavior"]
    return behavior["scaleUp"]["selectPolicy"], behavior["scaleDown"]["selectPolicy"]


def test_a_one_sided_pause(story: Story) -> None:
    """While scaling down is paused, a load that falls changes nothing, and one that rises acts."""
    story.deploy()
    story.start_load(40)
    story.create(story.scaler())
    story.wait_for_ready(4)
    with story.replicas() as replicas:
        story.edit({"spec": {"paused": "ScaleDown"}})
        story.wait_for_condition("Paused", "True", "PausedBySpec")
        story.wait_for_hpa(lambda hpa: policies(hpa) == ("Max", "Disabled"), what="a paused HPA")
        story.set_load(10)
        story.wait_for_load(4)
        time.sleep(3 * SYNC_S)
        story.set_load(60)
        replicas.wait_for(6, timeout_s=SETTLE_S)
        story.set_load(10)
        story.edit({"spec": {"paused": "None"}})
        replicas.wait_for(1, timeout_s=SETTLE_S)

    assert replicas.values == [4, 6, 1]
    story.wait_for_event("PausedBySpec")
    story.wait_for_event("Resumed")


def test_a_pause_that_ends_by_itself(story: Story) -> None:
    """`kubectl annotate` pauses both ways until a time, and nobody has to come back for it."""
    kubectl = story.running.cluster.kubectl
    story.deploy(replicas=2)
    story.start_load(20)
    story.create(story.scaler())
    story.wait_for_hpa()
    until = datetime.now(UTC).replace(microsecond=0) + PAUSE
    with story.replicas() as replicas:
        value = f"scaler.bud.studio/paused=Both until {times.rfc3339(until)}"
        kubectl.run("annotate", "bas", "chat", f"--namespace={story.namespace}", value)
        message = story.wait_for_condition("Paused", "True", "PausedByAnnotation")
        story.wait_for_hpa(
            lambda hpa: policies(hpa) == ("Disabled", "Disabled"), what="a paused HPA"
        )
        story.set_load(50)
        held_until = datetime.now(UTC)
        replicas.wait_for(5, timeout_s=PAUSE.total_seconds() + SETTLE_S)
        acted = datetime.now(UTC)
        story.wait_for_condition("Paused", "False", "PauseExpired")

    assert times.rfc3339(until) in message
    assert replicas.values == [2, 5]
    assert held_until < until <= acted


def test_recommend(story: Story) -> None:
    """Switched to Recommend, our HPA goes, the replicas stay, and the load is still published."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler())
    story.wait_for_ready(3)
    with story.replicas() as replicas:
        story.edit({"spec": {"mode": "Recommend"}})
        story.wait_for_condition("AbleToScale", "True", "RecommendOnly")
        story.wait_until_gone(HPAS.item(story.namespace, "chat-hpa"))
        story.set_load(70)
        story.wait_for_load(7)
        time.sleep(3 * SYNC_S)

    assert replicas.values == [3]
    assert story.hpa() is None
