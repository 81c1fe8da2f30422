"""The conditions that a decision is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from budaiscaler.domain import conditions
from budaiscaler.domain.algorithms import needs
from budaiscaler.domain.api import effects, promql
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decision import Code, Observation, Rung
from budaiscaler.domain.readings import NoData


def of_decision(
    spec: ScalerSpec, observation: Observation, *, has_data: bool, bounds_rung: Rung | None
) -> Iterator[Condition]:
    """Tell whether the load could be computed, what limits it, and which units were guessed."""
    missing = "; ".join(_missing(spec, observation))
    if has_data:
        also = f"; without data, so holding scale-down: {missing}" if missing else ""
        message = f"the load could be computed{also}"
        yield Condition(conditions.SCALING_ACTIVE, "True", "ValidMetricFound", message)
    else:
        message = f"no source has data: {missing}"
        yield Condition(conditions.SCALING_ACTIVE, "False", "NoData", message)
    if bounds_rung is None:
        message = "the load is within the bounds"
        yield Condition(conditions.SCALING_LIMITED, "False", "DesiredWithinRange", message)
    else:
        reason = "TooManyReplicas" if bounds_rung.code is Code.MAX_REPLICAS else "TooFewReplicas"
        yield Condition(conditions.SCALING_LIMITED, "True", reason, bounds_rung.message)
    assumed = [
        f"{source.key}: set targetType: {kind}"
        for source in spec.metrics_sources
        for kind, guessed in (promql.target_type(source),)
        if guessed
    ]
    if assumed:
        message = f"the unit was read from the PromQL; to fix it, {'; '.join(assumed)}"
        yield Condition(conditions.UNIT_ASSUMED, "True", "TargetTypeNotSet", message)
    yield from of_effects(spec, observation.annotations)


def of_effects(spec: ScalerSpec, annotations: Mapping[str, str]) -> Iterator[Condition]:
    """Name what was set and does nothing, if there is any."""
    found = effects.find(spec, annotations)
    if found:
        reason = "NotYetSupported" if any(one.is_planned for one in found) else "NoEffect"
        message = f"without effect: {'; '.join(map(str, found))}"
        yield Condition(conditions.FIELDS_WITHOUT_EFFECT, "True", reason, message)


def of_disabled(message: str) -> Iterator[Condition]:
    """Tell that scaling is disabled, and why."""
    yield Condition(conditions.SCALING_ACTIVE, "False", "ScalingDisabled", message)
    yield Condition(
        conditions.SCALING_LIMITED, "False", "DesiredWithinRange", "scaling is disabled"
    )


def _missing(spec: ScalerSpec, observation: Observation) -> Iterator[str]:
    for source in spec.metrics_sources:
        found = needs.observed(source, observation)
        if isinstance(found, NoData):
            yield f"{source.key} ({found.reason}): {found.message}"
