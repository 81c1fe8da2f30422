"""Annotations of a scaler: every form that they are written in, and what KPA makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.algorithms import kpa_settings
from budaiscaler.domain.algorithms.knative import Config
from budaiscaler.domain.algorithms.zero import ZeroRules
from budaiscaler.domain.api.annotations import Annotations, parse_annotations
from budaiscaler.domain.api.behavior import Behavior


def _parsed(**annotations: str) -> Annotations:
    """Of our group, with underscores for hyphens."""
    return parse_annotations(
        {f"scaler.bud.studio/{name.replace('_', '-')}": text for name, text in annotations.items()}
    )


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        pytest.param("panic_threshold", "2.0", "panic_threshold", 2.0, id="threshold-ratio"),
        pytest.param("panic_threshold", "200", "panic_threshold", 2.0, id="threshold-percent"),
        pytest.param("panic_threshold", "200%", "panic_threshold", 2.0, id="threshold-sign"),
        pytest.param("panic_threshold", "110", "panic_threshold", 1.1, id="threshold-lowest"),
        pytest.param("panic_threshold", "9.9", "panic_threshold", 9.9, id="threshold-ratio-high"),
        pytest.param("panic_threshold", "1000", "panic_threshold", 10.0, id="threshold-highest"),
        pytest.param("panic_window", "60", "panic_window_s", 60.0, id="seconds"),
        pytest.param("panic_window", "60s", "panic_window_s", 60.0, id="duration"),
        pytest.param("panic_window", " 1.5m ", "panic_window_s", 90.0, id="duration-of-minutes"),
        pytest.param("stable_window", "180", "stable_window_s", 180.0, id="stable-seconds"),
        pytest.param("stable_window", "3m", "stable_window_s", 180.0, id="stable-duration"),
        pytest.param("stable_window", "1h", "stable_window_s", 3600.0, id="stable-longest"),
        pytest.param("max_scale_up_rate", "2.0", "max_scale_up_rate", 2.0, id="up"),
        pytest.param("scale_up_rate", "3", "max_scale_up_rate", 3.0, id="up-of-the-sample"),
        pytest.param("max_scale_down_rate", "0.5", "scale_down_to", 0.5, id="down-as-a-factor"),
        pytest.param("max_scale_down_rate", "2.0", "scale_down_to", 0.5, id="down-as-knative"),
        pytest.param("max_scale_down_rate", "1", "scale_down_to", 1.0, id="down-not-at-all"),
        pytest.param("max_scale_down_rate", "0", "scale_down_to", 0.0, id="down-without-limit"),
        pytest.param("scale_down_rate", "0.25", "scale_down_to", 0.25, id="down-of-the-sample"),
        pytest.param("scale_up_tolerance", "0.1", "tolerance_up", 0.1, id="tolerance-ratio"),
        pytest.param("scale_up_tolerance", "10", "tolerance_up", 0.1, id="tolerance-percent"),
        pytest.param("scale_up_tolerance", "1", "tolerance_up", 0.01, id="one-percent"),
        pytest.param("scale_up_tolerance", "0.5%", "tolerance_up", 0.005, id="half-a-percent"),
        pytest.param("scale_down_tolerance", "0", "tolerance_down", 0.0, id="no-tolerance"),
        pytest.param("tolerance", "10", "tolerance_up", 0.1, id="both-up"),
        pytest.param("tolerance", "10", "tolerance_down", 0.1, id="both-down"),
        pytest.param("scale_up_cooldown", "0s", "scale_up_window_s", 0.0, id="cooldown-up"),
        pytest.param("scale_down_cooldown", "5m", "scale_down_window_s", 300.0, id="cooldown"),
        pytest.param("scale_down_cooldown", "300", "scale_down_window_s", 300.0, id="unitless"),
        pytest.param("activation_scale", "2", "activation_scale", 2, id="activation"),
        pytest.param("initial_scale", "0", "initial_scale", 0, id="initial"),
        pytest.param("scale_down_delay", "15m", "scale_down_delay_s", 900.0, id="delay"),
        pytest.param("scale_to_zero", "true", "scale_to_zero", True, id="zero"),
        pytest.param("scale_to_zero", "False", "scale_to_zero", False, id="no-zero"),
        pytest.param(
            "scale_to_zero_grace_period", "40s", "scale_to_zero_grace_s", 40.0, id="grace"
        ),
        pytest.param(
            "scale_to_zero_pod_retention_period",
            "1m5s",
            "scale_to_zero_retention_s",
            65.0,
            id="retention",
        ),
        pytest.param(
            "gpu_preferred_type", "nvidia-a100", "gpu_preferred_type", "nvidia-a100", id="gpu"
        ),
        pytest.param("gpu_topology_aware", "true", "gpu_topology_aware", True, id="topology"),
        pytest.param("cost_max_hourly", "100.50", "cost_max_hourly", 100.5, id="hourly"),
        pytest.param("cost_max_daily", "1000", "cost_max_daily", 1000.0, id="daily"),
        pytest.param("cost_prefer_spot", "true", "cost_prefer_spot", True, id="spot"),
    ],
)
def test_every_form_is_read(name: str, text: str, field: str, value: object) -> None:
    """Ratio or percent, duration or seconds, factor or divisor: as the size of it tells."""
    parsed = _parsed(**{name: text})
    assert getattr(parsed, field) == value
    assert (parsed.problems, parsed.unknown) == ((), ())


def test_targets_are_read_by_the_name_of_their_metric() -> None:
    """As quantities, and names may have hyphens of their own."""
    parsed = parse_annotations(
        {
            "scaler.bud.studio/target-cpu": "500m",
            "scaler.bud.studio/target-gpu_cache-usage": "70",
        }
    )
    assert parsed.targets == {"cpu": 0.5, "gpu_cache-usage": 70.0}


def test_proper_names_win_over_those_of_the_sample() -> None:
    """Whatever order they stand in."""
    parsed = _parsed(
        max_scale_up_rate="4", scale_up_rate="2", scale_up_tolerance="0.2", tolerance="10"
    )
    assert parsed.max_scale_up_rate == 4
    assert (parsed.tolerance_up, parsed.tolerance_down) == (0.2, 0.1)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        pytest.param("panic_threshold", "abc", "'abc' is no number of 0 or more", id="no-number"),
        pytest.param("panic_threshold", "-2", "'-2' is no number of 0 or more", id="negative"),
        pytest.param("panic_threshold", "NaN", "'NaN' is no number of 0 or more", id="nan"),
        pytest.param("panic_threshold", "%", "'' is no number of 0 or more", id="sign-only"),
        pytest.param("panic_threshold", "1.0", "panic while all is well", id="always-panic"),
        pytest.param("panic_threshold", "50", "panic while all is well", id="half-percent"),
        pytest.param("panic_window", "abc", "no duration from 1 s to 1 h", id="no-duration"),
        pytest.param("panic_window", "0", "no duration from 1 s to 1 h", id="no-window"),
        pytest.param("panic_window", "", "no duration from 1 s to 1 h", id="empty"),
        pytest.param("panic_window", ".", "no duration from 1 s to 1 h", id="a-dot"),
        pytest.param("stable_window", "5s", "no duration from 6 s to 1 h", id="too-short"),
        pytest.param("stable_window", "2h", "no duration from 6 s to 1 h", id="too-long"),
        pytest.param("stable_window", "9" * 400, "no duration from 6 s", id="endless"),
        pytest.param("max_scale_up_rate", "0.5", "would make growth shrink", id="shrinking"),
        pytest.param("max_scale_down_rate", "fast", "is no number of 0 or more", id="fast"),
        pytest.param("tolerance", "500", "more than 100 percent", id="too-tolerant"),
        pytest.param("activation_scale", "0", "no count of 1 or more", id="no-activation"),
        pytest.param("activation_scale", "1.5", "no count of 1 or more", id="no-whole"),
        pytest.param("activation_scale", "9" * 5000, "no count of 1 or more", id="too-many"),
        pytest.param("initial_scale", "0" * 11 + "9" * 5000, "no count of 0 or more", id="zeros"),
        pytest.param("scale_to_zero", "yes", "neither", id="no-flag"),
        pytest.param("cost_max_hourly", "0", "is not above 0", id="no-budget"),
        pytest.param("gpu_preferred_type", "", "it is empty", id="no-type"),
        pytest.param("target_cpu", "0", "is not above 0", id="no-target"),
    ],
)
def test_what_cannot_be_read_is_told_and_ignored(name: str, text: str, says: str) -> None:
    """The message names the annotation, and nothing else of it is lost."""
    parsed = _parsed(**{name: text}, scale_up_cooldown="7")
    (problem,) = parsed.problems
    assert problem.startswith(f"metadata.annotations[scaler.bud.studio/{name.replace('_', '-')}]: ")
    assert says in problem
    assert problem.endswith("; it is ignored")
    assert parsed == Annotations(scale_up_window_s=7.0, problems=parsed.problems)


@pytest.mark.parametrize(
    ("annotations", "panic_s"),
    [
        pytest.param({"panic_window": "200"}, 180.0, id="than-the-default"),
        pytest.param({"panic_window": "200", "stable_window": "100"}, 100.0, id="than-a-given-one"),
    ],
)
def test_a_panic_window_is_no_longer_than_the_stable_one(
    annotations: dict[str, str], panic_s: float
) -> None:
    """Else the stable one is taken for it, and that is told."""
    parsed = _parsed(**annotations)
    assert parsed.panic_window_s == panic_s
    assert "is longer than the stable window" in parsed.problems[0]


def test_annotations_of_others_are_left_alone() -> None:
    """Other groups are not looked at; what of ours nobody knows is named."""
    parsed = parse_annotations(
        {
            "autoscaling.knative.dev/window": "60s",
            "scaler.bud.studio/adopt-hpa": "chat",
            "scaler.bud.studio/panic-treshold": "2",
            "scaler.bud.studio/target-": "2",
        },
        others=("scaler.bud.studio/adopt-hpa",),
    )
    assert parsed == Annotations(
        unknown=("scaler.bud.studio/panic-treshold", "scaler.bud.studio/target-")
    )


@given(
    st.dictionaries(
        st.sampled_from(
            ["panic-threshold", "panic-window", "tolerance", "activation-scale", "target-x", "y"]
        ),
        st.text(max_size=20) | st.floats().map(str) | st.integers().map(str),
    )
)
def test_no_text_is_an_error(annotations: dict[str, str]) -> None:
    """Whatever somebody writes, the rest of the scaler goes on."""
    given = {f"scaler.bud.studio/{name}": text for name, text in annotations.items()}
    parsed = parse_annotations(given)
    config = kpa_settings.config(None, parsed, target=1)
    assert config.panic_threshold > 1
    assert 0 < config.panic_window_s <= config.stable_window_s


def _behavior(**rules: dict[str, Any]) -> Behavior:
    return Behavior.model_validate(rules)


def test_the_defaults_are_the_originals() -> None:
    """Windows of 180 and 60 s, panic at twice the supply, rates 2.0 and 0.5, no dead band."""
    config = kpa_settings.config(None, Annotations(), target=100)
    assert config == Config(
        target=100,
        stable_window_s=180,
        panic_window_s=60,
        panic_threshold=2,
        max_scale_up_rate=2,
        max_scale_up_rate_in_panic=1000,
        scale_down_to=0.5,
        activation_scale=1,
        scale_down_delay_s=0,
    )
    assert kpa_settings.tolerances(None, Annotations()) == (0, 0)


def test_the_behavior_comes_before_the_defaults() -> None:
    """Its rates in either form, and its tolerances."""
    behavior = _behavior(
        scaleUp={"maxScaleRate": "3", "tolerance": "0.2"},
        scaleDown={"maxScaleRate": "4", "tolerance": "0.3"},
    )
    config = kpa_settings.config(behavior, Annotations(), target=1)
    assert (config.max_scale_up_rate, config.scale_down_to) == (3, 0.25)
    assert kpa_settings.tolerances(behavior, Annotations()) == (0.2, 0.3)


def test_annotations_come_before_the_behavior() -> None:
    """As in the original: built-in, then behavior, then annotations."""
    behavior = _behavior(
        scaleUp={"maxScaleRate": "3", "tolerance": "0.2"},
        scaleDown={"maxScaleRate": "0.1", "tolerance": "0.3"},
    )
    given = _parsed(max_scale_up_rate="5", max_scale_down_rate="0.9", scale_up_tolerance="0")
    config = kpa_settings.config(behavior, given, target=1)
    assert (config.max_scale_up_rate, config.scale_down_to) == (5, 0.9)
    assert kpa_settings.tolerances(behavior, given) == (0, 0.3)


def test_a_limit_of_growth_is_no_order_to_shrink() -> None:
    """A rate below 1 in the behavior means no growth at once."""
    config = kpa_settings.config(
        _behavior(scaleUp={"maxScaleRate": "0.5"}), Annotations(), target=1
    )
    assert config.max_scale_up_rate == 1


def test_the_originals_sample_means_its_defaults() -> None:
    """Percent and windows without a unit, as its KPA sample has them."""
    sample = _parsed(panic_threshold="200", panic_window="60", stable_window="180")
    assert kpa_settings.config(None, sample, target=100) == kpa_settings.config(
        None, Annotations(), target=100
    )


@pytest.mark.parametrize(
    ("annotations", "can_be_zero", "rules"),
    [
        pytest.param(
            {}, True, ZeroRules(can_be_zero=True, initial_scale=0), id="as-the-bounds-allow"
        ),
        pytest.param({}, False, ZeroRules(can_be_zero=False, initial_scale=0), id="as-they-forbid"),
        pytest.param(
            {"scale_to_zero": "false"},
            True,
            ZeroRules(can_be_zero=False, initial_scale=0),
            id="forbidden",
        ),
        pytest.param(
            {"scale_to_zero": "true"},
            False,
            ZeroRules(can_be_zero=False, initial_scale=0),
            id="bounds-stay",
        ),
        pytest.param(
            {
                "initial_scale": "3",
                "stable_window": "60",
                "scale_to_zero_grace_period": "0",
                "scale_to_zero_pod_retention_period": "5m",
            },
            True,
            ZeroRules(
                can_be_zero=True, initial_scale=3, stable_window_s=60, grace_s=0, retention_s=300
            ),
            id="tuned",
        ),
    ],
)
def test_rules_of_the_last_replica(
    annotations: dict[str, str],
    can_be_zero: bool,  # noqa: FBT001 - a column
    rules: ZeroRules,
) -> None:
    """The annotation may forbid 0, and does not override minReplicas."""
    assert kpa_settings.zero_rules(_parsed(**annotations), can_be_zero=can_be_zero) == rules
