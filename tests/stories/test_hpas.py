"""What the HPA of a story reads: its own metrics, and the load while it is served."""

from __future__ import annotations

from datetime import timedelta

import pytest

from budaiscaler.cli.children import child
from budaiscaler.domain import pausing
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation, Replicas, State
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.domain.stories import hpas
from budaiscaler.domain.stories.hpas import Published
from tests import samples
from tests.conftest import NOON
from tests.explaining.worlds import subject

FOUR = Replicas(4, 4)


@pytest.mark.parametrize(
    ("after_s", "expected", "said"),
    [
        pytest.param(300, 8, [], id="within-the-grace"),
        pytest.param(
            301,
            4,
            ["the HPA has no data of one of its metrics, so it stays at 4"],
            id="no-longer-served",
        ),
    ],
)
def test_a_load_is_served_for_five_minutes(after_s: float, expected: int, said: list[str]) -> None:
    """After the last good decision; then the HPA has no metric, freezes, and that is told."""
    about = subject(samples.total(), strategy="HPA")
    readings = {"queue": Reading(8)}
    decision, state = decide(about.spec, Observation(FOUR, readings), State(), NOON)
    raw = child(about, pausing.NOTHING)
    assert raw is not None
    now = NOON + timedelta(seconds=after_s)
    published = Published(decision, state, readings)
    done, _ = hpas.sync(raw, about, published, FOUR, hpas.steady(4, NOON), now)
    assert done.desired == expected
    assert [rung.message for rung in done.rungs] == said


def test_what_the_hpa_reads_now_is_told_where_it_differs() -> None:
    """A decision has the last good sample of a source; the HPA goes on without that metric."""
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    about = subject(samples.total(), cpu, strategy="HPA")
    raw = child(about, pausing.NOTHING)
    assert raw is not None
    readings = {"queue": Reading(5), "cpu": Reading(160, answered=4, of=4)}
    decision, state = decide(about.spec, Observation(FOUR, readings), State(), NOON)
    silent = NoData(NoDataReason.TIMEOUT, "too slow")
    published = Published(decision, state, {**readings, "cpu": silent})
    done, _ = hpas.sync(raw, about, published, FOUR, hpas.steady(4, NOON), NOON)
    assert (decision.desired_replicas, done.desired) == (8, 5)
    (told,) = done.rungs
    assert (told.stage, told.before, told.after) == ("source", 8, 5)
    assert told.message == "by what it reads now, the HPA asks for 5"


def test_bounds_that_were_edited_need_no_metric() -> None:
    """Then the HPA looks at none, and there is nothing that it made of one."""
    about = subject(samples.total(), strategy="HPA", maxReplicas=3)
    raw = child(about, pausing.NOTHING)
    assert raw is not None
    readings = {"queue": Reading(8)}
    decision, state = decide(about.spec, Observation(FOUR, readings), State(), NOON)
    published = Published(decision, state, readings)
    done, _ = hpas.sync(raw, about, published, FOUR, hpas.steady(4, NOON), NOON)
    assert (done.desired, [str(rung.stage) for rung in done.rungs]) == (3, ["bounds"])


def test_a_load_that_is_of_no_source_is_not_read() -> None:
    """Where the HPA reads every source itself, it has no metric of ours."""
    cpu = {"metricSourceType": "resource", "targetMetric": "cpu", "targetValue": "80"}
    about = subject(cpu, strategy="HPA")
    raw = child(about, pausing.NOTHING)
    assert raw is not None
    assert [metric["type"] for metric in raw["spec"]["metrics"]] == ["Resource"]
    readings = {"cpu": Reading(160, answered=4, of=4)}
    decision, state = decide(about.spec, Observation(FOUR, readings), State(), NOON)
    published = Published(decision, state, readings)
    done, _ = hpas.sync(raw, about, published, FOUR, hpas.steady(4, NOON), NOON)
    assert done.desired == 8
