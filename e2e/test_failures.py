"""What goes wrong with numbers, and takes nobody away: each ends in replicas and a condition.

What goes wrong with pods and nodes is in `test_strategies`.
"""

import time
from typing import Final

from budaiscaler.kube.resources import BUDAISCALERS
from e2e.stories import SYNC_S, Story

SCALED_S: Final = 90.0
HUGE: Final = 1e300


def _wants(story: Story, replicas: int, name: str = "chat") -> None:
    path = BUDAISCALERS.item(story.namespace, name)
    story.wait_for(
        path,
        lambda found: found.get("status", {}).get("desiredScale") == replicas,
        f"{replicas} replicas wanted",
        timeout_s=SCALED_S,
    )


def test_one_of_three_sources_is_dead(story: Story) -> None:
    """The others may scale up and not down, the dead one is named, and scaling stays active."""
    story.deploy(replicas=4)
    for model in "ab":
        story.start_load(40, model)
    names = {"a": "first", "b": "second", "c": "dead"}
    sources = [story.source(model, name=name) for model, name in names.items()]
    story.create(story.scaler(metricsSources=sources))
    story.wait_for_hpa()
    _wants(story, 4)
    with story.replicas() as replicas:
        for model in "ab":
            story.set_load(10, model)
        story.wait_for_condition("ScalingActive", "True", "ValidMetricFound", saying="dead")
        time.sleep(3 * SYNC_S)
        held = list(replicas.values)
        story.set_load(60, "b")
        replicas.wait_for(6, timeout_s=SCALED_S)
    assert held == [4]


def test_half_of_the_scrape_targets_are_gone(story: Story) -> None:
    """The sum halves and nobody left: replicas stay, and the condition says how many contribute."""
    story.deploy(replicas=4)
    for model in "abcd":
        story.start_load(10, model)
    story.create(story.scaler())
    story.wait_for_hpa()
    _wants(story, 4)
    with story.replicas() as replicas:
        for model in "ab":
            story.exporter.clear("queue_depth", story=story.namespace, model=model)
        story.wait_for_condition(
            "PartialData", "True", "NotAllAnswered", saying="2 of 4 contribute"
        )
        time.sleep(3 * SYNC_S)
        held = list(replicas.values)
    assert held == [4]
    story.wait_for_event("PartialData")


def test_a_fallback(story: Story) -> None:
    """A source that never spoke asks for what its fallback says, and that is told once."""
    story.deploy(replicas=2)
    story.create(
        story.scaler(metricsSources=[story.source(fallback={"after": "5s", "replicas": 4})])
    )
    story.wait_for_ready(4, timeout_s=SCALED_S)
    story.wait_for_condition("Fallback", "True", "SourceWithoutData")
    story.wait_for_event("Fallback")
    time.sleep(3 * SYNC_S)
    assert len(story.events("Fallback")) == 1


def test_a_number_beyond_all_reason(story: Story) -> None:
    """It scales to the bound that the user set, and the condition says that it is the bound."""
    story.deploy(replicas=2)
    story.start_load(HUGE)
    story.create(story.scaler(maxReplicas=5))
    story.wait_for_ready(5, timeout_s=SCALED_S)
    story.wait_for_condition("ScalingLimited", "True", "TooManyReplicas")
