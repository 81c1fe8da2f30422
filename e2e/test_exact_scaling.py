"""Story a: the real HPA controller goes where the published load says, and nowhere else."""

import math
import time

from e2e.stories import SETTLE_S, SYNC_S, Story

MARGIN_S = 4.0
"""For the HPA controller and for the watch that measures, on a machine that is busy."""

POLICY_PERIOD_S = 15.0


def test_each_step_within_two_syncs(story: Story) -> None:
    """With exact behaviour replicas are 1, 3, 9, 10, 11, 2, each within two syncs of its value."""
    story.deploy()
    story.start_load(0)
    with story.replicas() as replicas:
        story.create(story.scaler())
        story.wait_for_load(1)
        story.wait_for_hpa()
        delays_s = []
        for load in (25, 90, 100, 110, 20):
            wanted = math.ceil(load / 10)
            story.set_load(load)
            story.wait_for_load(wanted)
            published_s = time.monotonic()
            reached = replicas.wait_for(wanted, timeout_s=SETTLE_S)
            delays_s.append(round(reached.at_s - published_s, 2))

    assert replicas.values == [1, 3, 9, 10, 11, 2]
    assert max(delays_s) <= 2 * SYNC_S + MARGIN_S, f"seconds from value to replicas: {delays_s}"


def test_default_behavior_in_two_steps(story: Story) -> None:
    """Without a behavior the HPA's own defaults hold: 3, then 7, and 9 only a policy period on."""
    story.deploy(replicas=3)
    story.start_load(30)
    with story.replicas() as replicas:
        scaler = story.scaler()
        del scaler["spec"]["behavior"]
        story.create(scaler)
        story.wait_for_load(3)
        story.wait_for_hpa()
        story.set_load(90)
        story.wait_for_load(9)
        first = replicas.wait_for(7, timeout_s=SETTLE_S)
        second = replicas.wait_for(9, timeout_s=POLICY_PERIOD_S + SETTLE_S)

    assert replicas.values == [3, 7, 9]
    pause_s = second.at_s - first.at_s
    assert POLICY_PERIOD_S - MARGIN_S <= pause_s <= POLICY_PERIOD_S + 2 * SYNC_S + MARGIN_S
