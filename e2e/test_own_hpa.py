"""Story b: a user's own HPA on the published load, with `hpa.manage: Never`."""

from e2e.stories import SETTLE_S, Story


def test_own_hpa_scales(story: Story) -> None:
    """With manage Never we publish, a user's own HPA scales by it, and no HPA of ours ever is."""
    story.deploy()
    story.start_load(0)
    with story.replicas() as replicas, story.hpas() as hpas:
        story.create(story.scaler(hpa={"manage": "Never"}))
        story.wait_for_load(1)
        story.api.create(hpa_path(story), story.own_hpa("mine", maxReplicas=7))
        message = story.wait_for_condition("AbleToScale", "True", "PublishOnly")
        for load, wanted in ((50, 5), (20, 2), (190, 7)):
            story.set_load(load)
            replicas.wait_for(wanted, timeout_s=SETTLE_S)
        named = {name for name, _ in filter(None, hpas.values)}

    assert "point your own HPA at desired-load" in message
    assert replicas.values == [1, 5, 2, 7]
    assert named == {"mine"}
    # Its own bound limits the user's HPA; ours is the scaler's.
    story.wait_for_status(lambda status: status.get("desiredScale") == 19, "the scaler's own wish")


def test_own_hpa_on_a_source(story: Story) -> None:
    """An HPA may also read a source's own value, under its published name and in its own unit."""
    story.deploy()
    story.start_load(40)
    source = story.source(name="Queue Depth")
    story.create(story.scaler(hpa={"manage": "Never"}, metricsSources=[source]))
    hpa = story.own_hpa("mine")
    metric = hpa["spec"]["metrics"][0]["external"]
    metric["metric"]["name"] = "Queue_Depth"  # client-go asks in lower case
    metric["target"]["averageValue"] = "20"
    with story.replicas() as replicas:
        story.api.create(hpa_path(story), hpa)
        replicas.wait_for(2, timeout_s=SETTLE_S)
        story.set_load(100)
        replicas.wait_for(5, timeout_s=SETTLE_S)

    assert replicas.values == [1, 2, 5]


def hpa_path(story: Story) -> str:
    """Where the story's HPAs are."""
    return f"/apis/autoscaling/v2/namespaces/{story.namespace}/horizontalpodautoscalers"
