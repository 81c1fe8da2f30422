"""The HPA controller, sync after sync: bounds, missing metrics, windows, policies, conditions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain import conditions
from budaiscaler.domain.algorithms import hpa_controller_spec
from budaiscaler.domain.errors import InvalidSpecError
from budaiscaler.domain.readings import NoData
from tests.domain.deciding import DEAD
from tests.domain.hpas import Json, World, cpu, external, instantly, raw, reason

ACTIVE, ABLE, LIMITED = (
    conditions.SCALING_ACTIVE,
    conditions.ABLE_TO_SCALE,
    conditions.SCALING_LIMITED,
)
GENTLE = {"scaleDown": {"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}


def test_a_load_is_followed_exactly_with_the_behaviour_for_it() -> None:
    """With limits open and tolerance 0, each sync lands on what is published."""
    world = World(raw(behavior=instantly(tolerance="0")), 1)
    assert [world.sync(load).desired for load in (1, 3, 9, 10, 11, 10, 2)] == [
        1, 3, 9, 10, 11, 10, 2,
    ]  # fmt: skip


def test_a_cluster_that_drops_the_tolerance_has_its_own() -> None:
    """Before 1.35 the field is gone, and an exact step of a tenth is swallowed."""
    world = World(raw(behavior=instantly(tolerance="0")), 10, keeps_tolerance=False)
    assert world.sync(11).desired == 10
    assert world.sync(12).desired == 12


def test_tolerance_is_one_for_each_direction() -> None:
    """A wide band upwards leaves the one downwards as it is."""
    behavior = {
        "scaleUp": {**instantly()["scaleUp"], "tolerance": "500m"},
        "scaleDown": {**instantly()["scaleDown"], "tolerance": "0"},
    }
    world = World(raw(behavior=behavior), 10)
    assert world.sync(15).desired == 10
    assert world.sync(9).desired == 9


@pytest.mark.parametrize(
    ("stands", "says", "expected", "active"),
    [
        pytest.param(4, (8, DEAD), 8, ("True", "ValidMetricFound"), id="up-by-the-other"),
        pytest.param(4, (DEAD, 8), 8, ("True", "ValidMetricFound"), id="in-any-order"),
        pytest.param(4, (2, DEAD), 4, ("False", "FailedGetExternalMetric"), id="not-down"),
        pytest.param(4, (4, DEAD), 4, ("True", "ValidMetricFound"), id="staying-is-valid"),
        pytest.param(4, (DEAD, DEAD), 4, ("False", "FailedGetExternalMetric"), id="nothing"),
        pytest.param(4, (2, 6), 6, ("True", "ValidMetricFound"), id="the-largest-wins"),
    ],
)
def test_missing_metrics(
    stands: int, says: tuple[float | NoData, ...], expected: int, active: tuple[str, str]
) -> None:
    """What can be had may scale up; while any is missing nothing falls."""
    world = World(raw(external(), external(name="other"), behavior=instantly()), stands)
    done = world.sync(*says)
    assert (done.desired, reason(done, ACTIVE)) == (expected, active)


def test_pods_that_nobody_measured_are_a_missing_metric() -> None:
    """With no ready pod a metric of pods cannot be had, and the replicas stay."""
    done = World(raw(cpu(), behavior=instantly()), 4).sync(10, ready=0)
    assert (done.desired, reason(done, ACTIVE)) == (4, ("False", "FailedGetResourceMetric"))


@pytest.mark.parametrize(
    ("stands", "fields", "expected", "able"),
    [
        pytest.param(12, {"maxReplicas": 10}, 10, "SucceededRescale", id="above-most"),
        pytest.param(2, {"minReplicas": 3}, 3, "SucceededRescale", id="below-fewest"),
        pytest.param(0, {}, 0, "ReadyForNewScale", id="switched-off"),
    ],
)
def test_what_needs_no_metric(stands: int, fields: Json, expected: int, able: str) -> None:
    """Bounds act at once, and 0 is the owner's word, whatever the metrics say."""
    done = World(raw(**fields), stands).sync(DEAD)
    assert (done.desired, reason(done, ABLE)) == (expected, ("True", able))


def test_from_0_where_an_hpa_may_scale_to_0() -> None:
    """With minReplicas 0 a load wakes the workload, and none lets it sleep."""
    behavior = {"scaleDown": instantly()["scaleDown"]}
    world = World(raw(minReplicas=0, behavior=behavior), 0)
    assert [world.sync(load).desired for load in (0, 3, 0)] == [0, 3, 0]


def test_scaling_is_disabled_at_0() -> None:
    """The condition says that the workload was switched off."""
    assert reason(World(raw(), 0).sync(5), ACTIVE) == ("False", "ScalingDisabled")


def test_without_a_behaviour_a_step_at_most_doubles() -> None:
    """Up to 4, then twice as many; ScalingLimited says that it was cut."""
    world = World(raw(), 1)
    assert [world.sync(100).desired for _ in range(6)] == [4, 8, 16, 32, 64, 100]
    assert reason(World(raw(), 1).sync(100), LIMITED) == ("True", "ScaleUpLimit")


def test_without_a_behaviour_the_most_of_five_minutes_stands() -> None:
    """A fall waits for the last high recommendation to be five minutes old."""
    world = World(raw(), 10)
    world.sync(10)
    held = [world.sync(2).desired for _ in range(19)]
    assert held == [10] * 19
    assert world.sync(2).desired == 2


def test_a_new_controller_does_not_fall_for_a_window() -> None:
    """What stands at its start counts as recommended, so a restart of it shrinks nothing."""
    world = World(raw(), 10)
    first = world.sync(2)
    assert (first.desired, reason(first, ABLE)) == (10, ("True", "ScaleDownStabilized"))
    assert [world.sync(2).desired for _ in range(20)] == [10] * 19 + [2]


def test_a_behaviour_brings_defaults() -> None:
    """Four more or twice as many each 15 s up; the window of 300 s down."""
    spec = hpa_controller_spec.read(raw(behavior=GENTLE))
    assert spec.behavior is not None
    up, down = spec.behavior.scale_up, spec.behavior.scale_down
    assert up is not None
    assert down is not None
    assert up.policies is not None
    assert (up.stabilization_window_seconds, down.stabilization_window_seconds) == (0, 300)
    assert [(policy.value, policy.period_seconds) for policy in up.policies] == [(4, 15), (100, 15)]
    world = World(raw(behavior=GENTLE), 1)
    assert [world.sync(100).desired for _ in range(5)] == [5, 10, 20, 40, 80]


def test_policies_have_periods() -> None:
    """Ten percent a minute are ten percent a minute, and not ten each 15 s."""
    behavior = {"scaleDown": {**GENTLE["scaleDown"], "stabilizationWindowSeconds": 0}}
    world = World(raw(behavior=behavior), 50)
    counts = [world.sync(1) for _ in range(8)]
    assert [done.desired for done in counts] == [45, 45, 45, 45, 40, 40, 40, 40]
    assert reason(counts[1], LIMITED) == ("True", "ScaleDownLimit")


def test_the_period_counts_from_what_stood_at_its_start() -> None:
    """Four pods in 60 s are four, however they are spread over the minute."""
    behavior = {"scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]}}
    world = World(raw(behavior=behavior), 10)
    assert [world.sync(12).desired, *(world.sync(99).desired for _ in range(4))] == [
        12, 14, 14, 14, 16,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        pytest.param("Max", 20, id="max"),
        pytest.param("Min", 14, id="min"),
        pytest.param("Disabled", 10, id="disabled"),
    ],
)
def test_select_policy(select: str, expected: int) -> None:
    """The largest change, the smallest, or none."""
    policies = [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    behavior = {"scaleUp": {"selectPolicy": select, "policies": policies}}
    done = World(raw(behavior=behavior), 10).sync(100)
    assert (done.desired, reason(done, LIMITED)) == (expected, ("True", "ScaleUpLimit"))


@pytest.mark.parametrize(
    ("load", "expected", "limited"),
    [
        pytest.param(500, 100, ("True", "TooManyReplicas"), id="above"),
        pytest.param(0, 1, ("True", "TooFewReplicas"), id="below"),
        pytest.param(50, 50, ("False", "DesiredWithinRange"), id="within"),
    ],
)
def test_what_limits(load: float, expected: int, limited: tuple[str, str]) -> None:
    """Where policies leave room, the bounds are the reason."""
    done = World(raw(behavior=instantly()), 10).sync(load)
    assert (done.desired, reason(done, LIMITED)) == (expected, limited)


def test_an_up_window_takes_the_fewest() -> None:
    """A spike that is shorter than the window moves nothing."""
    behavior = {
        **instantly(),
        "scaleUp": {**instantly()["scaleUp"], "stabilizationWindowSeconds": 60},
    }
    world = World(raw(behavior=behavior), 4)
    quiet = [world.sync(4).desired for _ in range(4)]
    spike = world.sync(40)
    assert (quiet, spike.desired) == ([4] * 4, 4)
    assert reason(spike, ABLE) == ("True", "ScaleUpStabilized")
    assert [world.sync(40).desired for _ in range(3)] == [4, 4, 40]


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        pytest.param({"maxReplicas": 3}, "spec.metrics", id="no-metrics"),
        pytest.param(raw(maxReplicas="many"), "spec.maxReplicas", id="no-number"),
        pytest.param(raw({"type": "Pods"}), "lacks its block", id="no-block"),
        pytest.param(
            raw({"type": "Pods", "pods": {"metric": {"name": "a"}, "target": {"type": "Value"}}}),
            "metric a has no target value",
            id="no-target",
        ),
    ],
)
def test_a_spec_that_is_none(spec: Json, problem: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidSpecError, match=problem):
        hpa_controller_spec.read(spec)


loads = st.lists(
    st.one_of(st.floats(0, 1e9), st.just(DEAD), st.floats(0, 100)), min_size=1, max_size=40
)


@given(
    says=loads, stands=st.integers(1, 100), behavior=st.sampled_from([None, GENTLE, instantly()])
)
def test_always_within_the_bounds(
    says: list[float | NoData], stands: int, behavior: Json | None
) -> None:
    """Whatever is said, in whatever order, and whatever stands at the start."""
    fields = {} if behavior is None else {"behavior": behavior}
    world = World(raw(minReplicas=3, maxReplicas=70, **fields), stands)
    assert all(3 <= world.sync(one).desired <= 70 for one in says)


@given(
    says=loads, stands=st.integers(1, 100), behavior=st.sampled_from([None, GENTLE, instantly()])
)
def test_missing_never_scales_down(
    says: list[float | NoData], stands: int, behavior: Json | None
) -> None:
    """A sync that lacks its metric leaves the replicas as they are."""
    fields = {} if behavior is None else {"behavior": behavior}
    world = World(raw(**fields), stands)
    for one in says:
        before = world.current
        after = world.sync(one).desired
        if isinstance(one, NoData):
            assert after == before


@given(low=st.floats(0, 200), more=st.floats(0, 200), stands=st.integers(1, 100))
def test_more_load_never_means_fewer(low: float, more: float, stands: int) -> None:
    """One sync is monotone in what it reads."""
    fewer, most = (World(raw(behavior=instantly()), stands).sync(x) for x in (low, low + more))
    assert fewer.desired <= most.desired
