"""Kubernetes' policies: how much may change within a period.

Source: `calculateScaleUpLimitWithScalingRules` and its sibling in the HPA controller. A period is
measured from what stood at its start: what was added since is taken off and what was removed is put
back. Two pods a minute are two pods a minute, and not two pods a decision (case T41).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from budaiscaler.domain.api.behavior import PolicyType, ScalingPolicy, ScalingRules, SelectPolicy
from budaiscaler.domain.decision import Code, Rung, Stage

LONGEST_PERIOD = timedelta(seconds=1800)
"""That the API accepts."""

Changes = tuple[tuple[datetime, int], ...]
"""See `State.changes`: when replicas changed, and by how many."""


def limit(
    current: int,
    wanted: int,
    changes: Changes,
    *,
    up: ScalingRules | None,
    down: ScalingRules | None,
    now: datetime,
) -> tuple[int, Rung | None]:
    """Keep a step within what the policies of its direction allow.

    Args:
        current: the replicas that stand.
        wanted: what is recommended.
        changes: of the replicas, by whomever.
        up: rules for growing; None, or without policies, for no limit.
        down: the same for shrinking.
        now: time of the decision.
    """
    if wanted == current:
        return wanted, None
    rules, grows = (up, True) if wanted > current else (down, False)
    if rules is None:
        return wanted, None
    if rules.select_policy is SelectPolicy.DISABLED:
        way = "up" if grows else "down"
        message = f"{wanted} are wanted, and scaling {way} is disabled (selectPolicy)"
        return current, Rung(Stage.POLICIES, Code.DISABLED, wanted, current, message)
    if not rules.policies:
        return wanted, None
    select = min if rules.select_policy is SelectPolicy.MIN else max
    if grows:
        most = select(_most(policy, current, changes, now) for policy in rules.policies)
        allowed = max(current, min(wanted, most))
    else:
        # Max is the largest change, so downwards the smallest count.
        other = max if select is min else min
        least = other(_least(policy, current, changes, now) for policy in rules.policies)
        allowed = min(current, max(wanted, least))
    if allowed == wanted:
        return wanted, None
    message = f"{wanted} are wanted, and the policies allow {allowed} now ({_say(rules.policies)})"
    return allowed, Rung(Stage.POLICIES, Code.RATE_LIMITED, wanted, allowed, message)


def remember(changes: Changes, before: int | None, current: int, now: datetime) -> Changes:
    """Note that replicas are others than before, and drop what is long past.

    What takes the last change back says that it was never made: two more that a quota refused, say.
    Noted as two fewer, it would let the next step be twice as large.
    """
    by = 0 if before is None else current - before
    if changes and by == -changes[-1][1]:
        changes, by = changes[:-1], 0
    kept = tuple((at, change) for at, change in changes if now - at < LONGEST_PERIOD)
    return (*kept, (now, by)) if by else kept


def frees_at(
    current: int, wanted: int, changes: Changes, rules: ScalingRules | None, now: datetime
) -> datetime | None:
    """Tell when the first change that uses a policy up leaves its period."""
    if rules is None or not rules.policies:
        return None
    grows = wanted > current
    periods = [timedelta(seconds=policy.period_seconds) for policy in rules.policies]
    ends = [
        at + period
        for period in periods
        for at, by in changes
        if now - at < period and (by > 0) == grows
    ]
    return min(ends, default=None)


def _start(policy: ScalingPolicy, current: int, changes: Changes, now: datetime) -> int:
    """Replicas at the start of the period."""
    period = timedelta(seconds=policy.period_seconds)
    return max(0, current - sum(by for at, by in changes if now - at < period))


def _most(policy: ScalingPolicy, current: int, changes: Changes, now: datetime) -> int:
    start = _start(policy, current, changes, now)
    if policy.type is PolicyType.PODS:
        return start + policy.value
    # In whole numbers, since 1.1 x 10 is more than 11 in floats.
    return -(-start * (100 + policy.value) // 100)


def _least(policy: ScalingPolicy, current: int, changes: Changes, now: datetime) -> int:
    start = _start(policy, current, changes, now)
    if policy.type is PolicyType.PODS:
        return start - policy.value
    return math.floor(start * (100 - policy.value) / 100)


def _say(policies: Sequence[ScalingPolicy]) -> str:
    def one(policy: ScalingPolicy) -> str:
        unit = "%" if policy.type is PolicyType.PERCENT else " pods"
        return f"{policy.value}{unit} in {policy.period_seconds} s"

    return _join(one(policy) for policy in policies)


def _join(parts: Iterable[str]) -> str:
    return ", ".join(parts)
