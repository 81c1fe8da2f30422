"""The metric step of the BudScaler strategy: part of the way to what is needed.

Source of the constants: the original's BudScaler, `x = n (1 + alpha (r - 1))` with 0.8 up and 0.5
down, up rounded up and down rounded to the nearest, then limited to a rate.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from budaiscaler.domain.algorithms.limits import SLACK
from budaiscaler.domain.algorithms.policies import Changes
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decision import Code, Rung, Stage

ALPHA_UP = 0.8
ALPHA_DOWN = 0.5
RATE_UP = 2.0
RATE_DOWN = 0.5
RATE_PERIOD = timedelta(seconds=60)
"""What a rate is measured over where no policy says so. Per decision, doubling each 15 s would be a
factor of sixteen a minute."""


def step(
    spec: ScalerSpec, load: float, current: int, changes: Changes, now: datetime
) -> tuple[int, tuple[Rung, ...]]:
    """Give the replicas to go to for a load.

    Args:
        spec: has tolerance, rates and policies.
        load: in replicas; what all sources together need.
        current: the replicas that stand.
        changes: of the replicas so far.
        now: time of the decision.
    """
    if current == 0:
        return math.ceil(quantity.ceil_to_milli(load)), ()
    ratio = load / current
    band = spec.tolerance_up() if ratio > 1 else spec.tolerance_down()
    if abs(ratio - 1) <= band + SLACK:
        if load == current:
            return current, ()
        message = f"a load of {load:.4g} is within {band:.3g} of {current}"
        aimed = math.ceil(quantity.ceil_to_milli(load))
        return current, (Rung(Stage.TOLERANCE, Code.WITHIN_TOLERANCE, aimed, current, message),)
    count, damped = _damp(load, current, spec.min_replicas)
    return _cap(spec, count, current, changes, now, damped)


def _damp(load: float, current: int, fewest: int) -> tuple[int, Rung]:
    aimed = math.ceil(quantity.ceil_to_milli(load))
    if load <= 0:
        message = f"there is no load at all, so {fewest} will do"
        return fewest, Rung(Stage.COMBINE, Code.DAMPED, aimed, fewest, message)
    alpha = ALPHA_UP if load > current else ALPHA_DOWN
    wanted = current + alpha * (load - current)
    if load > current:
        count = math.ceil(wanted - SLACK)
    else:
        count = math.floor(wanted + 0.5)
        # Rounded back, 2 replicas at half a target each would stay 2 for ever (defect D-48).
        if count == current and load <= current - 1 + SLACK:
            count = current - 1
        count = max(1, count)
    message = f"{alpha:g} of the way from {current} to a load of {load:.4g} is {count}"
    return count, Rung(Stage.COMBINE, Code.DAMPED, aimed, count, message)


def _cap(
    spec: ScalerSpec, count: int, current: int, changes: Changes, now: datetime, damped: Rung
) -> tuple[int, tuple[Rung, ...]]:
    """Limit the step to a rate: of each decision beside policies, else of a minute."""
    rules = spec.behavior.scale_up if spec.behavior else None
    if count < current:
        rules = spec.behavior.scale_down if spec.behavior else None
    base = current
    if rules is None or not rules.policies:
        base -= sum(by for at, by in changes if now - at < RATE_PERIOD)
    if count > current:
        rate = _rate(rules, RATE_UP)
        capped = min(count, max(current, math.ceil(base * rate - SLACK)))
    else:
        rate = _rate(rules, RATE_DOWN)
        rate = 1 / rate if rate > 1 else rate  # 2 means to halve, and never to grow (case T36)
        least = max(min(1, current), math.floor(base * rate + SLACK)) if count > 0 else count
        capped = max(count, min(current, least))
    if capped == count:
        return count, (damped,)
    message = f"at a rate of {rate:g} from {base} replicas, {count} are {capped} for now"
    return capped, (damped, Rung(Stage.COMBINE, Code.RATE_CAPPED, count, capped, message))


def _rate(rules: ScalingRules | None, default: float) -> float:
    if rules is None or rules.max_scale_rate is None:
        return default
    return quantity.parse(rules.max_scale_rate)
