"""Annotations over fields: what a scaler is tuned with, in the order default, field, annotation."""

from __future__ import annotations

import math
from collections.abc import Mapping

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.annotations import Annotations, parse_annotations
from budaiscaler.domain.api.behavior import Behavior, ScalingRules
from budaiscaler.domain.api.budaiscaler import ScalerSpec

OTHERS = (naming.ADOPT_ANNOTATION, naming.PAUSED_ANNOTATION)
"""Annotations of our group that tune nothing, and are read elsewhere."""


def given(annotations: Mapping[str, str]) -> Annotations:
    """Read what tunes a scaler of the strategies KPA and BudScaler."""
    return parse_annotations(annotations, others=OTHERS)


def applied(spec: ScalerSpec, given: Annotations) -> ScalerSpec:
    """Put what annotations say of rates, dead bands and windows in the place of the fields."""
    behavior = spec.behavior or Behavior()
    up = _rules(
        behavior.scale_up, given.max_scale_up_rate, given.tolerance_up, given.scale_up_window_s
    )
    down = _rules(
        behavior.scale_down, given.scale_down_to, given.tolerance_down, given.scale_down_window_s
    )
    tuned = behavior.model_copy(update={"scale_up": up, "scale_down": down})
    return spec.model_copy(update={"behavior": tuned})


def _rules(
    rules: ScalingRules | None,
    rate: float | None,
    tolerance: float | None,
    window_s: float | None,
) -> ScalingRules | None:
    said = {
        "max_scale_rate": None if rate is None else repr(rate),
        "tolerance": None if tolerance is None else repr(tolerance),
        "stabilization_window_seconds": None if window_s is None else math.ceil(window_s),
    }
    update = {field: value for field, value in said.items() if value is not None}
    return (rules or ScalingRules()).model_copy(update=update) if update else rules
