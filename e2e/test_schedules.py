"""Schedule hints on a real cluster: replicas are there on time, and go when the hint is over."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from budaiscaler.domain import times
from e2e.cluster.api import Object
from e2e.stories import SETTLE_S, Story

DURATION: Final = timedelta(seconds=25)
AHEAD: Final = timedelta(seconds=30)
"""Time to see what is before the hint."""

QUICK: Final[Object] = {
    "scaleDown": {"maxScaleRate": "0.1", "stabilizationWindowSeconds": 1},
}


def soon() -> datetime:
    """A minute that begins in a while: cron knows no seconds."""
    earliest = datetime.now(UTC) + AHEAD + timedelta(minutes=1)
    return earliest.replace(second=0, microsecond=0)


def hint(begins: datetime, replicas: int) -> Object:
    """A hint that comes once, at that minute."""
    return {
        "name": "rush",
        "cronExpression": f"{begins.minute} {begins.hour} * * *",
        "targetReplicas": replicas,
        "duration": f"{DURATION.total_seconds():g}s",
    }


def until(moment: datetime) -> float:
    """Seconds until then, and as long as anything takes here."""
    return (moment - datetime.now(UTC)).total_seconds() + SETTLE_S


@pytest.mark.parametrize(
    ("strategy", "fields"),
    [
        pytest.param("HPA", {}, id="hpa"),
        pytest.param("BudScaler", {"behavior": QUICK}, id="budscaler"),
    ],
)
def test_a_floor_begins_and_ends(story: Story, strategy: str, fields: dict[str, Any]) -> None:
    """A load for two replicas, a floor of five for some seconds, and the same load after it."""
    story.deploy(replicas=2)
    story.start_load(20)
    begins = soon()
    ends = begins + DURATION
    hints = [hint(begins, 5)]
    story.create(story.scaler(scalingStrategy=strategy, scheduleHints=hints, **fields))
    story.wait_for_load(2)
    before = story.wait_for_status(
        lambda status: "predictionStatus" in status, "a report of the next change"
    )
    with story.replicas() as replicas:
        assert datetime.now(UTC) < begins
        replicas.wait_for(5, timeout_s=until(begins))
        raised_at = datetime.now(UTC)
        # Who scales does so first, and reports on it then.
        during = story.wait_for_status(
            lambda status: status.get("desiredScale") == 5, "a report of the floor"
        )
        replicas.wait_for(2, timeout_s=until(ends))
        fell_at = datetime.now(UTC)

    first, *falls = [asked or 0 for asked in replicas.values]
    assert first == 2
    assert falls == sorted(falls, reverse=True)
    assert (falls[0], falls[-1]) == (5, 2)
    assert begins <= raised_at
    assert ends <= fell_at
    assert before["predictionStatus"] == {"nextPredictedChange": times.rfc3339(begins)}
    assert (during["boundBy"], during["desiredScale"]) == ("schedule", 5)
    assert during["predictionStatus"] == {
        "activeScheduleHint": "rush",
        "nextPredictedChange": times.rfc3339(ends),
    }


def test_a_floor_without_data_and_an_edit_of_it(story: Story) -> None:
    """No source answers; a hint that always holds is raised at once, and acts at once."""
    story.deploy(replicas=1)
    always = {"name": "day", "cronExpression": "* * * * *", "targetReplicas": 3, "duration": "1h"}
    story.create(story.scaler(scheduleHints=[always]))
    story.wait_for_ready(3)
    story.wait_for_condition("ScalingActive", "False", "NoData")
    story.edit({"spec": {"scheduleHints": [{**always, "targetReplicas": 4}]}})
    story.wait_for_ready(4)
