"""What the HPA controller proposes for one metric, by the tables of the real one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import readings
from budaiscaler.domain.algorithms import hpa_controller_metrics, hpa_controller_spec
from budaiscaler.domain.algorithms.hpa_controller_metrics import Scale
from budaiscaler.domain.readings import Reading
from tests.domain import hpas
from tests.domain.hpas import Json, cpu, described, external, pods

TENTH = (0.1, 0.1)
EXACT = (0.0, 0.0)


def propose(
    metric: Json,
    value: float,
    scale: Scale,
    tolerances: tuple[float, float] = TENTH,
    answered: int | None = None,
) -> int | None:
    """Ask for one metric."""
    (parsed,) = hpa_controller_spec.read(hpas.raw(metric)).metrics
    reading = Reading(value, answered=answered)
    return hpa_controller_metrics.propose(parsed, reading, scale, tolerances)


def all_ready(replicas: int) -> Scale:
    """A workload at rest."""
    return Scale(replicas, replicas, replicas)


@pytest.mark.parametrize(
    ("metric", "value", "scale", "expected"),
    [
        pytest.param(external("1"), 11, all_ready(10), 10, id="ten-percent-are-swallowed"),
        pytest.param(external("1"), 12, all_ready(10), 12, id="more-are-not"),
        pytest.param(external("1"), 9, all_ready(10), 10, id="so-downwards"),
        pytest.param(external("1"), 8, all_ready(10), 8, id="and-more-downwards"),
        pytest.param(external("1"), 2, all_ready(1), 2, id="one-more-of-few"),
        pytest.param(external("1"), 20, Scale(20, 22, 20), 22, id="the-surge-ratchet"),
        pytest.param(external("1"), 7, Scale(0, 0, 0), 7, id="from-nothing"),
        pytest.param(external("500m"), 2.2, all_ready(1), 5, id="a-total-over-a-target"),
        pytest.param(external("1"), 1e300, all_ready(1), 2**31 - 1, id="absurd"),
        pytest.param(external("5", "Value"), 10, all_ready(4), 8, id="value"),
        pytest.param(external("5", "Value"), 5.4, all_ready(4), 4, id="value-within"),
        pytest.param(external("5", "Value"), 10, Scale(4, 4, 1), 2, id="value-counts-the-ready"),
        pytest.param(external("5", "Value"), 11, Scale(0, 0, 0), 3, id="value-from-nothing"),
        pytest.param(described("5"), 10, all_ready(4), 8, id="object-value"),
        pytest.param(described("5", "AverageValue"), 41, all_ready(4), 9, id="object-average"),
    ],
)
def test_totals(metric: Json, value: float, scale: Scale, expected: int) -> None:
    """An average is need over target; a value multiplies the ready pods; bands include edges."""
    assert propose(metric, value, scale) == expected


@pytest.mark.parametrize("stands", [10, 19, 20, 29, 40, 100, 2000])
def test_the_dead_band_without_a_tolerance_of_ones_own(stands: int) -> None:
    """Up to a tenth is swallowed either way, the tenth itself included, and not one more."""
    tenth = stands // 10
    swallowed = [
        wanted
        for wanted in range(stands - tenth - 2, stands + tenth + 3)
        if propose(external(), wanted, all_ready(stands)) == stands
    ]
    assert swallowed == list(range(stands - tenth, stands + tenth + 1))


@given(stands=st.integers(1, 3000), wanted=st.integers(0, 3000))
def test_with_tolerance_0_an_hpa_lands_exactly(stands: int, wanted: int) -> None:
    """Whatever whole count is published as a load is the one that is asked for."""
    assert propose(external(), wanted, all_ready(stands), EXACT) == wanted


@pytest.mark.parametrize(
    ("metric", "value", "scale", "answered", "expected"),
    [
        pytest.param(cpu(80), 160, all_ready(4), 4, 8, id="up"),
        pytest.param(cpu(80), 88.9, all_ready(4), 4, 4, id="whole-percents-only"),
        pytest.param(cpu(80), 89, all_ready(4), 4, 5, id="past-the-band"),
        pytest.param(cpu(50), 10, all_ready(4), 4, 1, id="down"),
        pytest.param(cpu(80), 160, Scale(4, 4, 2), 2, 4, id="those-that-start-use-nothing-up"),
        pytest.param(cpu(80), 40, Scale(4, 4, 2), 2, 1, id="and-do-not-count-down"),
        pytest.param(cpu(50), 25, all_ready(4), 3, 4, id="the-silent-use-all-down"),
        pytest.param(pods("10"), 30, all_ready(3), 3, 9, id="pods"),
        pytest.param(pods("10"), 30, all_ready(3), 1, 3, id="pods-that-are-silent-up"),
        pytest.param(pods("10"), 30, all_ready(3), None, 9, id="all-told-unless-said"),
        pytest.param(pods("10"), 30, Scale(3, 3, 0), 0, None, id="nobody-told"),
        pytest.param(cpu(80), 30, Scale(3, 3, 0), None, None, id="nobody-is-ready"),
    ],
)
def test_metrics_of_pods(
    metric: Json, value: float, scale: Scale, answered: int | None, expected: int | None
) -> None:
    """Who is silent or starting counts against a change, and never turns it round."""
    assert propose(metric, value, scale, answered=answered) == expected


@given(
    value=st.floats(allow_nan=False, min_value=0),
    stands=st.integers(0, 2**31 - 1),
    ready=st.integers(0, 2**31 - 1),
    metric=st.sampled_from(
        [external("300m"), external("7", "Value"), described("1k"), cpu(1), pods("1m")]
    ),
)
def test_any_number_gives_a_count(value: float, stands: int, ready: int, metric: Json) -> None:
    """Never below none, never more than an API can carry, never an error."""
    observed = readings.reading(value)
    if isinstance(observed, Reading):
        proposed = propose(metric, observed.value, Scale(stands, stands, min(ready, stands)))
        assert proposed is None or 0 <= proposed <= 2**31 - 1
