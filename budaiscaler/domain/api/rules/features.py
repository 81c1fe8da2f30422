"""Rules on GPUs, cost and schedules."""

from __future__ import annotations

from budaiscaler.domain.api import cron, quantity, zones
from budaiscaler.domain.api.features import PREWARM_AUTO, CostConfig, GpuConfig, ScheduleHint
from budaiscaler.domain.api.rules.base import (
    URL,
    Rule,
    cel_duration,
    is_at_least_zero,
    is_duration,
    matches,
)
from budaiscaler.domain.errors import InvalidSpecError


def _cel_budget(field: str) -> str:
    """CEL for a budget, which YAML may have as a number or as text."""
    text = f"self.{field}"
    return (
        f"!has({text}) || (type({text}) == int ? int({text}) >= 0 : "
        f"string({text}).matches('{quantity.PATTERN}') && "
        f"!quantity(string({text})).isLessThan(quantity('0')))"
    )


GPU: tuple[Rule[GpuConfig], ...] = (
    Rule(
        cel=(
            "!has(self.dcgmEndpoint) || self.dcgmEndpoint == '' || "
            f"self.dcgmEndpoint.matches(r'{URL}')"
        ),
        message="dcgmEndpoint must be an http or https URL, for example "
        "http://dcgm-exporter:9400/metrics",
        holds=lambda gpu: not gpu.dcgm_endpoint or matches(URL, gpu.dcgm_endpoint),
    ),
)

COST: tuple[Rule[CostConfig], ...] = (
    Rule(
        cel=_cel_budget("budgetPerHour"),
        message='budgetPerHour must be USD of 0 or more, for example "10.00"',
        holds=lambda cost: cost.budget_per_hour is None or is_at_least_zero(cost.budget_per_hour),
    ),
    Rule(
        cel=_cel_budget("budgetPerDay"),
        message='budgetPerDay must be USD of 0 or more, for example "200.00"',
        holds=lambda cost: cost.budget_per_day is None or is_at_least_zero(cost.budget_per_day),
    ),
)

HINT: tuple[Rule[ScheduleHint], ...] = (
    Rule(
        cel=f"self.cronExpression.matches(r'{cron.PATTERN}')",
        message="cronExpression must be five fields of cron that come to pass, with 0 for Sunday "
        'and ranges that go forwards, for example "0 9 * * 1-5"',
        holds=lambda hint: _is_cron(hint.cron_expression),
    ),
    Rule(
        cel=cel_duration("duration", zero=True),
        message='duration must be a length of time, for example "90m", "2h" or "1d"',
        holds=lambda hint: is_duration(hint.duration, zero=True),
    ),
    Rule(
        cel=(
            f"!has(self.prewarm) || self.prewarm == '{PREWARM_AUTO}' || "
            f"{cel_duration('prewarm', zero=True)}"
        ),
        message='prewarm must be "auto" or a length of time, for example "10m"',
        holds=lambda hint: (
            hint.prewarm in {None, PREWARM_AUTO} or is_duration(hint.prewarm, zero=True)
        ),
    ),
    Rule(
        cel=f"!has(self.timeZone) || self.timeZone.matches(r'^{cron.ZONE_PATTERN}$')",
        message="the time zone, in timeZone or in front of cronExpression, must be an IANA name, "
        "for example Europe/Berlin",
        holds=lambda hint: all(map(_is_zone, _zones(hint))),
    ),
    Rule(
        cel="!has(self.timeZone) || !self.cronExpression.contains('TZ=')",
        message="timeZone must not be set when cronExpression begins with TZ=: keep one of them",
        holds=lambda hint: hint.time_zone is None or "TZ=" not in hint.cron_expression,
    ),
)


def _is_cron(expression: str) -> bool:
    try:
        cron.parse(expression)
    except InvalidSpecError:
        return False
    return True


def _zones(hint: ScheduleHint) -> list[str]:
    """The zones that a hint names; that of an expression which is none is not its fault."""
    named = [] if hint.time_zone is None else [hint.time_zone]
    if _is_cron(hint.cron_expression):
        prefix = cron.parse(hint.cron_expression).time_zone
        named += [] if prefix is None else [prefix]
    return named


def _is_zone(name: str) -> bool:
    try:
        zones.find(name)
    except InvalidSpecError:
        return False
    return True
