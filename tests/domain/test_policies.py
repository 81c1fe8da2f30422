"""Policies: how much may change within a period, as Kubernetes counts it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from budaiscaler.domain.algorithms import policies
from budaiscaler.domain.algorithms.policies import Changes
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.decision import Code
from tests.conftest import NOON

PODS, PERCENT = "Pods", "Percent"


def _rules(*allowed: tuple[str, int, int], select: str | None = None) -> ScalingRules:
    listed = [{"type": kind, "value": value, "periodSeconds": s} for kind, value, s in allowed]
    return ScalingRules.model_validate({"policies": listed or None, "selectPolicy": select})


def _changes(*entries: tuple[int, int]) -> Changes:
    """How replicas changed, by seconds ago."""
    return tuple((NOON - timedelta(seconds=ago), by) for ago, by in entries)


@pytest.mark.parametrize(
    ("current", "wanted", "rules", "allowed"),
    [
        pytest.param(4, 20, _rules((PODS, 2, 60), (PERCENT, 100, 60)), 8, id="T01-max"),
        pytest.param(4, 20, _rules((PODS, 2, 60), (PERCENT, 100, 60), select="Min"), 6, id="min"),
        pytest.param(2, 10, _rules((PODS, 4, 60)), 6, id="T03-pods"),
        pytest.param(10, 30, _rules((PERCENT, 100, 60)), 20, id="T03-percent"),
        pytest.param(1, 9, _rules((PERCENT, 50, 60)), 2, id="T03-at-least-one"),
        pytest.param(10, 30, _rules((PERCENT, 10, 60)), 11, id="ten-percent-of-ten-is-one"),
        pytest.param(4, 5, _rules((PODS, 2, 60)), 5, id="less-than-allowed"),
        pytest.param(4, 20, _rules(), 20, id="no-policy-no-limit"),
        pytest.param(4, 20, _rules(select="Disabled"), 4, id="disabled-without-policies"),
        pytest.param(4, 20, None, 20, id="no-rules"),
    ],
)
def test_growing(current: int, wanted: int, rules: ScalingRules | None, allowed: int) -> None:
    """The policies of the way up, and nothing changed before."""
    got, rung = policies.limit(current, wanted, (), up=rules, down=None, now=NOON)
    assert got == allowed
    assert (rung is None) == (got == wanted)


@pytest.mark.parametrize(
    ("current", "wanted", "rules", "allowed"),
    [
        pytest.param(10, 1, _rules((PODS, 2, 60)), 8, id="pods"),
        pytest.param(10, 1, _rules((PERCENT, 50, 60)), 5, id="percent"),
        pytest.param(3, 1, _rules((PERCENT, 10, 60)), 2, id="at-least-one"),
        pytest.param(10, 1, _rules((PODS, 2, 60), (PERCENT, 50, 60)), 5, id="max-is-most-change"),
        pytest.param(10, 1, _rules((PODS, 2, 60), (PERCENT, 50, 60), select="Min"), 8, id="min"),
        pytest.param(10, 1, _rules((PERCENT, 10, 60), select="Disabled"), 10, id="disabled"),
        pytest.param(10, 9, _rules((PODS, 2, 60)), 9, id="less-than-allowed"),
    ],
)
def test_shrinking(current: int, wanted: int, rules: ScalingRules, allowed: int) -> None:
    """The policies of the way down, and nothing changed before."""
    got, _ = policies.limit(current, wanted, (), up=None, down=rules, now=NOON)
    assert got == allowed


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        pytest.param(_changes((30, 2)), 10, id="used-up"),
        pytest.param(_changes((30, 1)), 11, id="half-used"),
        pytest.param(_changes((60, 2)), 12, id="a-period-ago"),
        pytest.param(_changes((30, -3)), 15, id="what-was-removed-may-come-back"),
        pytest.param(_changes((50, 2), (30, 2)), 10, id="more-than-allowed-takes-nothing-away"),
    ],
)
def test_a_period_is_measured_from_its_start(changes: Changes, allowed: int) -> None:
    """Two pods a minute, counted over everything that changed in the last minute."""
    rules = _rules((PODS, 2, 60))
    got, _ = policies.limit(10, 30, changes, up=rules, down=None, now=NOON)
    assert got == allowed


def test_two_pods_a_minute_are_no_two_a_decision() -> None:
    """Case T41: with a decision each ten seconds and endless demand, two are four after 60 s."""
    rules, changes, current = _rules((PODS, 2, 60)), (), 2
    seen: Changes = changes
    before: int | None = None
    for second in range(0, 60, 10):
        now = NOON + timedelta(seconds=second)
        seen = policies.remember(seen, before, current, now)
        before = current
        current, _ = policies.limit(current, 1000, seen, up=rules, down=None, now=now)
    assert current == 4


def test_what_a_disabled_direction_says() -> None:
    """The rung names the field."""
    rules = _rules(select="Disabled")
    _, rung = policies.limit(4, 20, (), up=rules, down=None, now=NOON)
    assert rung is not None
    assert rung.code is Code.DISABLED
    assert "selectPolicy" in rung.message


def test_a_change_that_was_not_made_is_forgotten() -> None:
    """Two more were asked for and refused, so the next minute may have two and no four."""
    asked = policies.remember((), 4, 6, NOON)
    assert policies.remember(asked, 6, 4, NOON) == ()
    assert policies.remember(asked, 6, 5, NOON) == ((NOON, 2), (NOON, -1))


def test_when_a_period_ends_is_known() -> None:
    """The first of two changes leaves its minute in ten seconds."""
    at = policies.frees_at(10, 30, _changes((50, 1), (20, 1)), _rules((PODS, 2, 60)), NOON)
    assert at == NOON + timedelta(seconds=10)
