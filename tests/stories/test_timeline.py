"""The course of a story: what happened, when the answer changed, and why."""

from __future__ import annotations

from typing import Any

import pytest

from budaiscaler.cli.children import child
from budaiscaler.domain.stories import runner, timeline
from budaiscaler.domain.stories.timeline import Row
from budaiscaler.sources.engines import unit_factor
from tests import samples
from tests.explaining import worlds
from tests.stories.telling import story

GPU = {"enabled": True, "gpuMemoryThreshold": 80}
POD_A_MINUTE = {"type": "Pods", "value": 1, "periodSeconds": 60}


def rows(**fields: Any) -> tuple[Row, ...]:
    """The rows of ten minutes."""
    about = story({"at": "10m", "desired": ">=0"}, **fields)
    return timeline.rows(about, runner.run(about, child, unit_factor))


def cells(**fields: Any) -> list[tuple[str, ...]]:
    """What stands in them, but for the sentence."""
    return [row.cells[:4] for row in rows(**fields)]


def test_a_burst_is_told_in_a_few_rows() -> None:
    """Where another answer began, and where replicas became ready; not each of 41 decisions."""
    assert cells(total="4x3 8x40", startup="60s") == [
        ("0s", "4/4", "4", "combine"),
        ("1m", "4/4", "8", "combine"),
        ("2m", "8/8", "8", "combine"),
    ]


def test_that_those_have_gone_who_should_is_no_news() -> None:
    """One row a step down, and not a second one when it has been done."""
    down = {"stabilizationWindowSeconds": 0, "policies": [POD_A_MINUTE]}
    scaler = worlds.document(samples.total(), strategy="HPA", behavior={"scaleDown": down})
    assert cells(total="8x3 1x40", current=8, scaler=scaler)[:4] == [
        ("0s", "8/8", "8", "combine"),
        ("1m", "8/8", "7", "policies"),
        ("2m", "7/7", "6", "policies"),
        ("3m", "6/6", "5", "policies"),
    ]


def test_a_loss_is_news() -> None:
    """It stands where the story says so, before what is decided of it."""
    told = rows(total="4x40", startup="2m", events=[{"at": "1m", "lose": 2}])
    assert [row.cells for row in told] == [
        ("0s", "4/4", "4", "combine", "queue: total 4 / 1 a replica = 4 replicas"),
        ("1m", "", "", "event", "lose: 2"),
        ("1m", "2/4", "4", "combine", "queue: total 4 / 1 a replica = 4 replicas"),
        ("3m", "4/4", "4", "combine", "queue: total 4 / 1 a replica = 4 replicas"),
    ]


def test_events_are_told_as_they_are_written() -> None:
    """And what comes after the last expectation does not happen."""
    events = [
        {"at": "1m", "pause": "ScaleDown"},
        {"at": "2m", "resume": True},
        {"at": "3m", "edit": {"maxReplicas": 9}},
        {"at": "11m", "lose": 1},
    ]
    told = rows(total="4x40", events=events)
    assert [row.told for row in told if row.step is None] == [
        "pause: ScaleDown", "resume: true", 'edit: {"maxReplicas": 9}',
    ]  # fmt: skip


TWO = (samples.total(), samples.total(name="b"))


@pytest.mark.parametrize(
    ("fields", "at", "bound_by", "why"),
    [
        pytest.param({"total": "4x40"}, 0, "combine", "queue: total 4 / 1 a replica", id="a-need"),
        pytest.param(
            {"total": "40x40"}, 0, "combine", "at a rate of 2 from 4 replicas", id="how-far"
        ),
        pytest.param(
            {"total": "2 _x40", "scaler": worlds.document(*TWO), "startup": "20m"},
            0,
            "source",
            "b: no data",
            id="who-holds",
        ),
        pytest.param(
            {
                "total": "1x40",
                "scaler": worlds.document(samples.total(), strategy="HPA"),
                "startup": "1h",
                "events": [{"at": "0s", "lose": 1}],
            },
            1,
            "source",
            "1 of 4 replicas are lost or starting",
            id="a-loss-holds",
        ),
        pytest.param(
            {"total": "2x40", "events": [{"at": "0s", "pause": True}]},
            -1,
            "gate",
            "but scaling up and down is paused",
            id="a-pause",
        ),
        pytest.param(
            {"total": "4x40", "scaler": worlds.document(samples.total(), strategy="HPA")},
            0,
            "combine",
            "queue: total 4 / 1 a replica",
            id="an-hpa",
        ),
        pytest.param(
            {"total": "40x40", "scaler": worlds.document(samples.total(), strategy="HPA")},
            0,
            "policies",
            "the policies allow 8 now",
            id="the-policies-of-an-hpa",
        ),
        pytest.param(
            {
                "inputs": [
                    {"source": "queue", "total": "4x40"},
                    {"gpu": "memory", "values": "20x40"},
                ],
                "scaler": worlds.document(samples.total(), gpuConfig=GPU),
            },
            0,
            "combine",
            "queue: total 4 / 1 a replica",
            id="an-idle-gpu-is-no-reason",
        ),
        pytest.param(
            {
                "inputs": [
                    {"source": "queue", "total": "4x40"},
                    {"gpu": "memory", "values": "95x40"},
                ],
                "scaler": worlds.document(samples.total(), gpuConfig=GPU),
            },
            0,
            "gpu",
            "GPU memory asks for 5 replicas",
            id="a-busy-one-is",
        ),
        pytest.param({"total": "0x40", "current": 0}, 0, "gate", "", id="switched-off"),
    ],
)
def test_why(fields: dict[str, Any], at: int, bound_by: str, why: str) -> None:
    """The sentence of what determined the answer."""
    step = rows(**fields)[at].step
    assert step is not None
    assert step.bound_by == bound_by
    assert why in step.why


def test_around_a_moment() -> None:
    """What stood then, and two rows on either side."""
    events = [{"at": f"{minute}m", "pause": "ScaleUp"} for minute in range(1, 6)]
    told = rows(total="4x40", events=events)
    assert [row.at_s for row in told] == [0, 60, 120, 180, 240, 300]

    def at_s(first_s: float, last_s: float) -> list[float]:
        return [row.at_s for row in timeline.around(told, first_s, last_s)]

    assert at_s(200, 200) == [60, 120, 180, 240, 300]
    assert at_s(0, 0) == [0, 60, 120]
    assert at_s(299, 299) == [120, 180, 240, 300]
    assert at_s(200, 250) == at_s(200, 600) == [60, 120, 180, 240, 300]


def test_lines_stand_in_columns() -> None:
    """Under their titles."""
    assert list(timeline.lines(rows(total="4x3 8x40", startup="60s")[:2])) == [
        "time  ready  desired  bound by  why",
        "  0s    4/4        4  combine   queue: total 4 / 1 a replica = 4 replicas",
        "  1m    4/4        8  combine   queue: total 8 / 1 a replica = 8 replicas",
    ]
