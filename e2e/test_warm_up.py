"""KPA and the past: what the real Prometheus remembers is in the first average of a scaler."""

from e2e.fleets import SHORT_AVERAGES
from e2e.stories import SETTLE_S, Story

WINDOW_S = 30
SCRAPED = 20
"""Of as many seconds; a busy machine loses some."""
AVERAGED = {**SHORT_AVERAGES, "scaler.bud.studio/stable-window": str(WINDOW_S)}
QUICK = {"scaleUp": {"maxScaleRate": "20"}, "scaleDown": {"stabilizationWindowSeconds": 1}}


def test_a_scaler_that_begins_in_a_lull(story: Story) -> None:
    """It never sees more load than one replica takes, and yet asks for what the window needs."""
    story.deploy()
    story.start_load(100)
    series = f'queue_depth{{story="{story.namespace}"}}[{WINDOW_S}s]'
    story.prometheus.wait_for_value(
        f"count_over_time({series}) >= bool {SCRAPED}", 1, timeout_s=4 * WINDOW_S
    )
    story.set_load(1)
    story.prometheus.wait_for_value(story.query(), 1)
    scaler = story.scaler(scalingStrategy="KPA", behavior=QUICK)
    scaler["metadata"]["annotations"] = AVERAGED
    with story.replicas() as replicas:
        story.create(scaler)
        first = replicas.wait_until(lambda seen: seen != 1, "more", timeout_s=SETTLE_S).value
        replicas.wait_for(1, timeout_s=WINDOW_S + 2 * SETTLE_S)

    assert first is not None
    assert 3 <= first <= 9  # most of the window had ten
    assert max(value or 0 for value in replicas.values) == first
