"""Story c, C35, C43, C70: scalers that publish the same names do not mix."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from e2e import stories
from e2e.cluster.api import Object
from e2e.stories import DESIRED_LOAD, Story, amount

LOADS = {"chat": 30, "code": 80}


@pytest.fixture
def elsewhere(story: Story) -> Iterator[Story]:
    """The same story in another namespace."""
    there = replace(story, namespace=f"{story.namespace}-b")
    with stories.namespaced(story.api, there.namespace):
        yield there


def test_same_names_do_not_mix(story: Story, elsewhere: Story) -> None:
    """Two scalers of one namespace, and two of the same names in another, each scale their own."""
    loads = {
        (place.namespace, name): load + extra
        for place, extra in ((story, 0), (elsewhere, 20))
        for name, load in LOADS.items()
    }
    with ExitStack() as stack:
        histories = {}
        for place in (story, elsewhere):
            for name in LOADS:
                place.deploy(name)
                place.start_load(loads[place.namespace, name], name)
                histories[place.namespace, name] = stack.enter_context(place.replicas(name))
                place.create(place.scaler(name, metricsSources=[place.source(name)]))
        for key, load in loads.items():
            histories[key].wait_for(load // 10, timeout_s=stories.SETTLE_S)

        # The source's values are published under one name, too.
        for place in (story, elsewhere):
            for name in LOADS:
                place.wait_for_load(loads[place.namespace, name] // 10, scaler=name)
            every = place.published("queue_depth").json()["items"]
            assert {labels(item)["scaler"]: amount(item["value"]) for item in every} == {
                name: loads[place.namespace, name] for name in LOADS
            }
            for name in LOADS:
                for metric in (DESIRED_LOAD, "queue_depth"):
                    selected = place.published(metric, f"kind=BudAIScaler,scaler={name}")
                    assert [labels(i)["scaler"] for i in selected.json()["items"]] == [name]
                wait_until_seen(place, name, loads[place.namespace, name] // 10)

    for key, load in loads.items():
        assert histories[key].values == [1, load // 10], key


def test_metric_is_unknown_elsewhere(story: Story, elsewhere: Story) -> None:
    """C43: what one namespace publishes does not exist in another."""
    story.deploy()
    story.start_load(30)
    story.create(story.scaler(metricsSources=[story.source(name="secret-project")]))
    story.wait_for_load(3)

    assert story.published("secret-project").status == 200
    answer = elsewhere.published("secret-project")
    assert (answer.status, answer.json()["reason"]) == (404, "NotFound")
    assert "promQL" not in answer.text
    assert story.query() not in answer.text


def labels(item: Object) -> dict[str, str]:
    """The labels of an item."""
    found: dict[str, str] = item["metricLabels"]
    return found


def wait_until_seen(place: Story, name: str, replicas: int) -> None:
    """Wait until a scaler's HPA has read its own load, and nothing beside it."""
    place.wait_for_hpa(
        lambda hpa: seen_by(hpa) == replicas,
        what=f"the HPA to read {replicas}",
        name=f"{name}-hpa",
    )


def seen_by(hpa: Object) -> float | None:
    """What an HPA read: the sum of all items it was given, in replicas."""
    for metric in hpa.get("status", {}).get("currentMetrics") or ():
        average = amount(metric["external"]["current"]["averageValue"])
        current: int = hpa["status"]["currentReplicas"]
        return round(average * current, 2)
    return None
