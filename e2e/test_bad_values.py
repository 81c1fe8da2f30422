"""C71, C47: a source that answers nonsense moves nothing, and nothing is published of it."""

import math
import time
from contextlib import ExitStack

from e2e.cluster.installation import condition
from e2e.stories import SETTLE_S, SYNC_S, Story

SEVERAL_SYNCS_S = 3 * SYNC_S

NONSENSE = {
    "nan": (math.nan, "NotANumber"),
    "negative": (-5.0, "Negative"),
    "infinite": (math.inf, "NotANumber"),
}


def test_nonsense_from_the_start(story: Story) -> None:
    """Without any good value the load is an error and no number: replicas stay as they are."""
    for name, (value, _) in NONSENSE.items():
        story.deploy(name, replicas=4)
        story.start_load(value, name)
    with ExitStack() as stack:
        histories = [stack.enter_context(story.replicas(name)) for name in NONSENSE]
        for name in NONSENSE:
            story.create(story.scaler(name, metricsSources=[story.source(name)]))
        for name, (_, reason) in NONSENSE.items():
            assert reason in story.wait_for_condition("Ready", "False", "NoData", name=name)
            story.wait_for_hpa(
                lambda hpa: condition(hpa, "ScalingActive", "reason") == "FailedGetExternalMetric",
                what="the HPA to say that it gets no metric",
                name=f"{name}-hpa",
            )
        time.sleep(SEVERAL_SYNCS_S)
        answers = [
            story.published(metric, f"scaler={name}")
            for metric in ("desired-load", "queue_depth")
            for name in NONSENSE
        ]
        held = [list(history.values) for history in histories]
        for name in NONSENSE:
            story.set_load(60, name)
        for history in histories:
            history.wait_for(6, timeout_s=SETTLE_S)

    assert held == [[4], [4], [4]]
    for answer in answers:
        assert (answer.status, answer.json()["reason"]) == (503, "ServiceUnavailable")
        assert "retry-after" not in answer.headers  # client-go would repeat it in the HPA's worker
        assert "queue_depth{" not in answer.text, "PromQL must not show in an error"
    for name in NONSENSE:
        story.wait_for_condition("Ready", "True", "ScalerReady", name=name)


def test_nonsense_in_between(story: Story) -> None:
    """After good values the last one stands for a while: nobody jumps to any bound."""
    with ExitStack() as stack:
        for name in NONSENSE:
            story.deploy(name, replicas=4)
            story.start_load(40, name)
            story.create(story.scaler(name, metricsSources=[story.source(name)]))
        histories = [stack.enter_context(story.replicas(name)) for name in NONSENSE]
        for name, (value, _) in NONSENSE.items():
            story.wait_for_load(4, scaler=name)
            story.wait_for_hpa(name=f"{name}-hpa")
            story.set_load(value, name)
        for name, (value, _) in NONSENSE.items():
            story.prometheus.wait_for_value(story.query(name), value)
        time.sleep(SEVERAL_SYNCS_S)
        for name in NONSENSE:
            story.wait_for_load(4, scaler=name)
            story.set_load(60, name)
        for history in histories:
            history.wait_for(6, timeout_s=SETTLE_S)

    assert [history.values for history in histories] == [[4, 6], [4, 6], [4, 6]]
