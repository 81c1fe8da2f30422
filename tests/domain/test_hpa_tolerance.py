"""HPA strategy: the dead band around the current replicas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.decision import Code, Stage
from tests import samples
from tests.domain.deciding import Story, rung


@pytest.mark.parametrize(
    ("band", "current", "load", "decided"),
    [
        pytest.param(None, 10, 11.0, 10, id="ten-percent-up-is-inside"),
        pytest.param(None, 10, 11.001, 12, id="just-above-acts"),
        pytest.param(None, 10, 9.0, 10, id="ten-percent-down-is-inside"),
        pytest.param(None, 10, 8.999, 9, id="just-below-acts"),
        pytest.param(None, 3, 3.3, 3, id="float-noise-of-the-ratio-is-inside"),
        pytest.param(None, 10, 10.0, 10, id="nothing-to-do"),
        pytest.param(None, 1, 1.1, 1, id="one-replica-a-little-over"),
        pytest.param(None, 1, 1.2, 2, id="one-replica-too-few"),
        pytest.param(("0.5", "0"), 10, 15.0, 10, id="wide-upwards"),
        pytest.param(("0.5", "0"), 10, 15.1, 16, id="beyond-the-wide-one"),
        pytest.param(("0", "0.5"), 10, 5.0, 10, id="wide-downwards"),
        pytest.param(("0", "0.5"), 10, 4.9, 5, id="beyond-it-downwards"),
        pytest.param(("10m", "10m"), 10, 10.2, 11, id="a-quantity"),
    ],
)
def test_a_load_inside_the_dead_band_changes_nothing(
    band: tuple[str, str] | None, current: int, load: float, decided: int
) -> None:
    """Inclusive at both ends, by default ten percent, each direction its own."""
    behavior = {"behavior": samples.tolerance(*band)} if band else {}
    decision = Story(samples.spec(**behavior)).step(current, {"queue": load})
    assert decision.desired_replicas == decided


@pytest.mark.parametrize(
    ("current", "load", "published", "decided"),
    [
        pytest.param(10, 10.5, 10.5, 11, id="ten-to-eleven-acts"),
        pytest.param(10, 11.0, 11.0, 11, id="an-exact-step-acts"),
        pytest.param(10, 10.2, 10.0, 10, id="two-percent-up-is-noise"),
        pytest.param(10, 10.201, 10.201, 11, id="a-little-more-is-none"),
        pytest.param(100, 102.0, 100.0, 100, id="two-percent-of-many"),
        pytest.param(100, 102.1, 102.1, 103, id="more-than-two-percent-of-many"),
        pytest.param(10, 9.9, 10.0, 10, id="still-ten"),
        pytest.param(10, 9.0, 10.0, 10, id="nine-would-be-full"),
        pytest.param(10, 8.82, 10.0, 10, id="nine-would-be-nearly-full"),
        pytest.param(10, 8.81, 8.81, 9, id="nine-have-room"),
        pytest.param(2, 0.98, 2.0, 2, id="one-would-be-nearly-full"),
        pytest.param(2, 0.97, 1.0, 1, id="one-has-room"),
        pytest.param(1, 1.02, 1.0, 1, id="one-is-nearly-enough"),
        pytest.param(1, 1.03, 1.03, 2, id="one-is-not-enough"),
    ],
)
def test_tolerance_zero_acts_on_exact_steps_and_not_on_noise(
    current: int, load: float, published: float, decided: int
) -> None:
    """Up above 1.02 n, down below 0.98 (n - 1); while held the published load is n."""
    story = Story(samples.spec(behavior=samples.tolerance("0"), maxReplicas=1000))
    decision = story.step(current, {"queue": load})
    assert (decision.desired_load, decision.desired_replicas) == (published, decided)


def test_nothing_at_all_is_no_noise() -> None:
    """One replica without any load becomes none, where the bounds allow it."""
    spec = samples.spec(behavior=samples.tolerance("0"), minReplicas=0, hpa={"manage": "Never"})
    assert Story(spec).step(1, {"queue": 0}).desired_replicas == 0


@given(st.integers(1, 500), st.lists(st.floats(-0.01, 0.01), min_size=1, max_size=20))
def test_noise_of_two_percent_never_moves_a_workload_of_tolerance_zero(
    current: int, noise: list[float]
) -> None:
    """A load that wobbles by one percent each way around full replicas decides nothing."""
    story = Story(samples.spec(behavior=samples.tolerance("0"), maxReplicas=10_000))
    for part in noise:
        assert story.step(current, {"queue": current * (1 + part)}).desired_replicas == current


def test_a_held_load_says_so() -> None:
    """The rung names the load and the band; tolerance is what bound the decision."""
    decision = Story(samples.spec()).step(10, {"queue": 10.7})
    held = rung(decision, Code.WITHIN_TOLERANCE)
    assert (held.before, held.after) == (11, 10)
    assert held.message == "a load of 10.7 is within 0.1 of 10"
    assert decision.bound_by is Stage.TOLERANCE


@pytest.mark.parametrize(
    ("load", "words"),
    [
        pytest.param(10.1, "a load of 10.1 is not above 1.02 x 10", id="up"),
        pytest.param(9.5, "a load of 9.5 is not below 0.98 x 9", id="down"),
    ],
)
def test_a_held_load_of_tolerance_zero_says_so(load: float, words: str) -> None:
    """Who set 0 and sees nothing move reads the band that is left."""
    story = Story(samples.spec(behavior=samples.tolerance("0")))
    assert rung(story.step(10, {"queue": load}), Code.WITHIN_TOLERANCE).message == words


def test_a_workload_at_zero_has_no_dead_band() -> None:
    """From nothing, any load is a step."""
    spec = samples.spec(minReplicas=0, hpa={"manage": "Never"})
    decision = Story(spec).step(0, {"queue": 0.4})
    assert (decision.desired_replicas, decision.bound_by) == (1, Stage.COMBINE)


@pytest.mark.parametrize(
    ("band", "current", "load", "published"),
    [
        pytest.param("0", 10, 10.5, 12.0, id="a-needed-step"),
        pytest.param("0", 10, 11.0, 12.0, id="an-exact-step-of-ten-percent"),
        pytest.param("0", 10, 11.001, 11.001, id="one-that-acts-by-itself"),
        pytest.param("0", 10, 10.2, 10.0, id="noise-is-still-noise"),
        pytest.param("0.05", 100, 106.0, 111.0, id="in-a-small-band-of-the-user"),
        pytest.param("0.05", 100, 105.0, 100.0, id="inside-of-it"),
        pytest.param("0", 70, 77.0, 78.0, id="without-float-noise"),
        pytest.param("0", 1, 1.05, 2.0, id="one-replica"),
        pytest.param("0", 10, 9.5, 10.0, id="held-downwards"),
        pytest.param("0", 10, 8.5, 8.5, id="downwards-as-it-is"),
        pytest.param("0.1", 10, 11.0, 10.0, id="the-stock-band-is-the-users"),
        pytest.param("0", 0, 0.5, 1.0, id="from-nothing"),
    ],
)
def test_an_hpa_that_has_its_own_dead_band_is_led_past_it(
    band: str, current: int, load: float, published: float
) -> None:
    """Where the API server drops `tolerance`, a needed step up is the least that the HPA takes."""
    spec = samples.spec(behavior=samples.tolerance(band), minReplicas=0, maxReplicas=1000)
    decision = Story(spec).step(current, {"queue": load}, exact=False)
    assert decision.desired_load == published


def test_a_step_past_the_dead_band_lies_within_the_bounds() -> None:
    """A maximum is a guarantee, whoever rounds."""
    spec = samples.spec(behavior=samples.tolerance("0"), maxReplicas=11)
    assert Story(spec).step(10, {"queue": 10.5}, exact=False).desired_load == 11.0


def test_an_hpa_of_the_users_own_gets_the_load_as_it_is() -> None:
    """Its dead band is his."""
    spec = samples.spec(behavior=samples.tolerance("0"), hpa={"manage": "Never"})
    assert Story(spec).step(10, {"queue": 10.5}, exact=False).desired_load == 10.5


def test_a_step_past_the_dead_band_says_so() -> None:
    """The rung names the server's fault; tolerance is what bound the decision."""
    story = Story(samples.spec(behavior=samples.tolerance("0")))
    decision = story.step(10, {"queue": 10.5}, exact=False)
    step = rung(decision, Code.PAST_DEAD_BAND)
    assert (step.before, step.after) == (11, 12)
    assert step.message == (
        "the API server drops an HPA's tolerance, and its own of 0.1 would not let 10 rise to a "
        "load of 10.5: 12 is the least that acts"
    )
    assert decision.bound_by is Stage.TOLERANCE
