"""Story d, C68: Prometheus stops; nothing moves, everybody is told why, and it recovers."""

import time

import pytest

from budaiscaler.kube.resources import BUDAISCALERS
from e2e.cluster import waiting
from e2e.cluster.api import Object
from e2e.cluster.installation import condition
from e2e.stories import PUBLISH_GRACE_S, Story, told

STALE_S = 60.0
"""A source is without data once its last good sample is that old."""
BREAKER_S = 30.0
"""The longest pause between two questions to a server that does not answer."""
EARLY_S = 10.0
LATE_S = 30.0


@pytest.mark.timeout(300)
def test_outage_of_prometheus(story: Story) -> None:
    """While Prometheus is away replicas stay, values end with the grace, and it goes on after."""
    story.deploy()
    story.start_load(40)
    story.create(story.scaler())
    story.wait_for_load(4)
    story.wait_for_ready(4)
    path = f"{BUDAISCALERS.collection(story.namespace)}?fieldSelector=metadata.name%3Dchat"
    with (
        story.replicas() as replicas,
        story.verdicts(path, "Ready", "ScalingActive") as verdicts,
    ):
        story.prometheus.stop(hard=True)
        stopped_s = time.monotonic()
        try:
            noticed_s = verdicts.wait_for(("False", "False"), timeout_s=STALE_S + LATE_S).at_s
            held = story.current()
            since = held["status"]["holdingSince"]
            story.wait_for_answers(
                lambda answer: (
                    answer.status == 200 and answer.json()["items"][0]["timestamp"] == since
                ),
                "a value that is held",
            )
            refused_s = wait_until_refused(story, held)
            story.wait_for_hpa(
                lambda hpa: condition(hpa, "ScalingActive", "reason") == "FailedGetExternalMetric",
                what="the HPA to say that it gets no metric",
            )
            complaint = story.wait_for_event("NoData")
            before = [*replicas.values, *verdicts.values]
            load = story.wait_for_refusal(503)
            source = story.published("queue_depth")
        finally:
            story.prometheus.start()
        story.set_load(70)
        verdicts.wait_for(("True", "True"), timeout_s=BREAKER_S + LATE_S)
        replicas.wait_for(7, timeout_s=LATE_S)

    # One lost scrape is no outage: for a minute nothing is said, and the values stand.
    assert STALE_S - EARLY_S < noticed_s - stopped_s < STALE_S + LATE_S
    # From then on they are held, with their true time, and after the grace they are none.
    assert held["status"]["desiredLoad"] == "4"
    assert PUBLISH_GRACE_S - EARLY_S < refused_s - noticed_s < PUBLISH_GRACE_S + LATE_S
    known = (held["status"]["holdingSince"], held["status"]["sources"][0]["noDataSince"])
    for answer, since in zip((load, source), known, strict=True):
        assert (answer.status, answer.json()["reason"]) == (503, "ServiceUnavailable")
        assert f"not known since {since}" in answer.json()["message"]
    for kind in ("Ready", "ScalingActive"):
        assert condition(held, kind, "reason") == "NoData"
        assert "cannot be reached" in (condition(held, kind, "message") or "")
    # Nobody moved, and each turn of events was told once.
    assert before == [4, ("True", "True"), ("False", "False")]
    assert complaint["type"] == "Warning"
    assert "cannot be reached" in complaint["note"]
    assert replicas.values == [4, 7]
    assert verdicts.values == [("True", "True"), ("False", "False"), ("True", "True")]
    story.wait_for_event("Recovered")
    assert len(story.events("NoData")) == 1, told(story.events())
    assert "holdingSince" not in story.current()["status"]


def wait_until_refused(story: Story, held: Object) -> float:
    """Wait until the load is an error; until then it stands, and never looks new."""

    def probe() -> float | None:
        answer = story.published()
        if answer.status == 503:
            return time.monotonic()
        (item,) = answer.json()["items"]
        assert (item["value"], item["timestamp"]) == ("4", held["status"]["holdingSince"])
        return None

    return waiting.until(
        probe, what="the load to be refused", timeout_s=PUBLISH_GRACE_S + LATE_S, interval_s=0.2
    )
