"""What a scaler asks of the KPA strategy: defaults, then `behavior`, then annotations."""

from __future__ import annotations

from budaiscaler.domain.algorithms import zero
from budaiscaler.domain.algorithms.knative import Config
from budaiscaler.domain.algorithms.zero import ZeroRules
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.annotations import (
    PANIC_WINDOW_S,
    STABLE_WINDOW_S,
    Annotations,
    scale_down_to,
)
from budaiscaler.domain.api.behavior import Behavior, ScalingRules

PANIC_THRESHOLD = 2.0
MAX_SCALE_UP_RATE = 2.0
MAX_SCALE_UP_RATE_IN_PANIC = 1000.0
SCALE_DOWN_TO = 0.5


def config(behavior: Behavior | None, given: Annotations, *, target: float) -> Config:
    """Make the configuration of one source's decider.

    Args:
        behavior: of the spec.
        given: annotations of the scaler.
        target: of the source; above 0.
    """
    up = given.max_scale_up_rate
    if up is None:
        up = _rate(behavior.scale_up if behavior else None)
    down = given.scale_down_to
    if down is None:
        rate = _rate(behavior.scale_down if behavior else None)
        down = SCALE_DOWN_TO if rate is None else scale_down_to(rate)
    stable_s = given.stable_window_s or STABLE_WINDOW_S
    return Config(
        target=target,
        stable_window_s=stable_s,
        panic_window_s=min(given.panic_window_s or PANIC_WINDOW_S, stable_s),
        panic_threshold=given.panic_threshold or PANIC_THRESHOLD,
        # Below 1 a limit of growth would be an order to shrink.
        max_scale_up_rate=MAX_SCALE_UP_RATE if up is None else max(1.0, up),
        max_scale_up_rate_in_panic=MAX_SCALE_UP_RATE_IN_PANIC,
        scale_down_to=down,
        activation_scale=given.activation_scale or 1,
        scale_down_delay_s=given.scale_down_delay_s or 0.0,
    )


def zero_rules(given: Annotations, *, can_be_zero: bool) -> ZeroRules:
    """Make the rules of the first and the last replica.

    Args:
        given: annotations of the scaler.
        can_be_zero: whether minReplicas is 0 and a source outside of the pods gives a total.
    """
    grace_s = given.scale_to_zero_grace_s
    return ZeroRules(
        can_be_zero=can_be_zero and given.scale_to_zero is not False,
        # Knative's is 1, of a new revision. Ours would wake a workload that stands at 0 for a new
        # scaler's sake, or for a new leader's.
        initial_scale=given.initial_scale or 0,
        stable_window_s=given.stable_window_s or STABLE_WINDOW_S,
        grace_s=zero.GRACE_S if grace_s is None else grace_s,
        retention_s=given.scale_to_zero_retention_s or 0.0,
    )


def tolerances(behavior: Behavior | None, given: Annotations) -> tuple[float, float]:
    """Give the dead bands up and down; KPA has none unless it is asked for."""
    up, down = given.tolerance_up, given.tolerance_down
    if up is None:
        up = _tolerance(behavior.scale_up if behavior else None)
    if down is None:
        down = _tolerance(behavior.scale_down if behavior else None)
    return up, down


def _rate(rules: ScalingRules | None) -> float | None:
    if rules is None or rules.max_scale_rate is None:
        return None
    return quantity.parse(rules.max_scale_rate)


def _tolerance(rules: ScalingRules | None) -> float:
    if rules is None or rules.tolerance is None:
        return 0.0
    return quantity.parse(rules.tolerance)
