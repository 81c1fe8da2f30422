"""The dead band is the scaler's own: an exact step inside it waits, and a metric says so."""

import time
from contextlib import ExitStack

from e2e.cluster import waiting
from e2e.cluster.api import Object
from e2e.stories import EXACT, SETTLE_S, SYNC_S, Story

SEVERAL_SYNCS_S = 3 * SYNC_S

STEPS = {
    "default-holds": (None, 110, 10),
    "default-acts": (None, 111, 12),
    "zero-acts": ("0", 110, 11),
    "own-holds": ("0.25", 125, 10),
}
"""Tolerance, load, and the replicas that come of ten."""


def behavior(tolerance: str | None) -> Object:
    """The exact behaviour with another tolerance, or with none."""
    rules = {
        way: {k: v for k, v in rules.items() if k != "tolerance"} for way, rules in EXACT.items()
    }
    return {w: r | ({"tolerance": tolerance} if tolerance else {}) for w, r in rules.items()}


def test_steps_from_ten(story: Story) -> None:
    """From ten replicas a step inside the tolerance is held and counted, any other is taken."""
    for name, (tolerance, _, _) in STEPS.items():
        story.deploy(name, replicas=10)
        story.start_load(100, name)
        rules = behavior(tolerance)
        story.create(story.scaler(name, metricsSources=[story.source(name)], behavior=rules))
    with ExitStack() as stack:
        histories = {name: stack.enter_context(story.replicas(name)) for name in STEPS}
        for name, (_, load, _) in STEPS.items():
            story.wait_for_load(10, scaler=name)
            story.wait_for_hpa(name=f"{name}-hpa")
            story.set_load(load, name)
        for name, (_, load, replicas) in STEPS.items():
            story.prometheus.wait_for_value(story.query(name), load)
            wait_until_limited(story, name, wanted=replicas == 10)
            histories[name].wait_for(replicas, timeout_s=SETTLE_S)
        time.sleep(SEVERAL_SYNCS_S)

    for name, (_, _, replicas) in STEPS.items():
        assert histories[name].values == ([10] if replicas == 10 else [10, replicas]), name
        assert story.wait_for_load(replicas, scaler=name)["value"] == str(replicas)


def wait_until_limited(story: Story, name: str, *, wanted: bool) -> None:
    """Wait until the leader's own metric says whether the tolerance holds the scaler."""

    def limited() -> float | None:
        labels = {"namespace": story.namespace, "name": name, "limit": "tolerance"}
        return story.running.figure(story.running.leader, "budaiscaler_limited", **labels)

    waiting.until(
        lambda: True if limited() == float(wanted) else None,
        what=f"budaiscaler_limited of {name} by tolerance to be {float(wanted)}",
        timeout_s=SETTLE_S,
        hint=lambda: f"it is {limited()}",
    )


def test_child_has_no_dead_band_of_its_own(story: Story) -> None:
    """The scaler's tolerance is applied once: the HPA's own is 0, whatever the scaler says."""
    story.deploy()
    story.create(story.scaler(behavior=behavior("0.25")))
    hpa = story.wait_for_hpa()

    assert story.current()["spec"]["behavior"]["scaleUp"]["tolerance"] == "0.25"
    for way in ("scaleUp", "scaleDown"):
        assert hpa["spec"]["behavior"][way]["tolerance"] == "0"
