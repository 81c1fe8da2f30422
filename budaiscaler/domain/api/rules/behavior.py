"""Rules on `behavior`."""

from __future__ import annotations

from budaiscaler.domain.api.behavior import ScalingRules, StartingPods
from budaiscaler.domain.api.rules.base import (
    Rule,
    cel_number,
    is_above_zero,
    is_at_least_zero,
    number,
)

RULES: tuple[Rule[ScalingRules], ...] = (
    Rule(
        cel=f"!has(self.tolerance) || ({cel_number('tolerance', '0', inclusive=True)})",
        message='tolerance must be a ratio of 0 or more, for example "0.1"',
        holds=lambda rules: rules.tolerance is None or is_at_least_zero(rules.tolerance),
    ),
    Rule(
        cel=f"!has(self.maxScaleRate) || ({cel_number('maxScaleRate', '0', inclusive=False)})",
        message='maxScaleRate must be a factor above 0, for example "2.0"',
        holds=lambda rules: rules.max_scale_rate is None or is_above_zero(rules.max_scale_rate),
    ),
)

STARTING_PODS: tuple[Rule[StartingPods], ...] = (
    Rule(
        cel=(
            "!has(self.startingPodWeight) || "
            f"({cel_number('startingPodWeight', '0', inclusive=True)} && "
            "!quantity(self.startingPodWeight).isGreaterThan(quantity('1')))"
        ),
        message='startingPodWeight must be a share from "0" to "1", for example "0.5"',
        holds=lambda pods: pods.starting_pod_weight is None or _is_share(pods.starting_pod_weight),
    ),
)


def _is_share(text: str) -> bool:
    value = number(text)
    return value is not None and 0 <= value <= 1
