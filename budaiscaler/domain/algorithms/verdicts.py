"""The conditions that a decision is worth, and the decision of a workload that is switched off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from budaiscaler.domain import capacity, conditions, contests
from budaiscaler.domain.algorithms import gpu, needs, tuning
from budaiscaler.domain.algorithms.gathering import Gathered
from budaiscaler.domain.api import effects, promql
from budaiscaler.domain.api.budaiscaler import Mode, ScalerSpec
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decision import Code, Decision, Observation, Rung, Stage
from budaiscaler.domain.readings import NoData

_RELEASED = frozenset({Code.FALLBACK, Code.OPTIONAL_LEFT_OUT})
"""Rungs of sources that are without data for so long that they hold nothing any more."""

_LIMITS = {Code.MAX_REPLICAS: "TooManyReplicas", Code.CAPACITY_LIMITED: "NoCapacity"}


def of_decision(
    spec: ScalerSpec,
    observation: Observation,
    gathered: Gathered,
    bounds_rung: Rung | None,
    now: datetime,
) -> Iterator[Condition]:
    """Tell whether the load could be computed, what limits it, and which units were guessed."""
    without = [*_missing(spec, observation)] or [*_undecided(gathered)]
    missing = "; ".join(without)
    if gathered.has_data:
        released = sum(rung.code in _RELEASED for rung in gathered.rungs)
        so = ", so holding scale-down" if len(without) > released else ""
        also = f"; without data{so}: {missing}" if missing else ""
        message = f"the load could be computed{also}"
        yield Condition(conditions.SCALING_ACTIVE, "True", "ValidMetricFound", message)
    elif gathered.fallbacks:
        message = f"no source has data, and fallbacks decide: {missing}"
        yield Condition(conditions.SCALING_ACTIVE, "True", "Fallback", message)
    else:
        message = f"no source has data: {missing}"
        yield Condition(conditions.SCALING_ACTIVE, "False", "NoData", message)
    if gathered.fallbacks:
        message = "; ".join(gathered.fallbacks)
        yield Condition(conditions.FALLBACK, "True", "SourceWithoutData", message)
    if gathered.partial:
        message = f"a part is not taken for low load: {'; '.join(gathered.partial)}"
        yield Condition(conditions.PARTIAL_DATA, "True", "NotAllAnswered", message)
    if bounds_rung is None:
        message = "the load is within the bounds"
        yield Condition(conditions.SCALING_LIMITED, "False", "DesiredWithinRange", message)
    else:
        reason = _LIMITS.get(bounds_rung.code, "TooFewReplicas")
        yield Condition(conditions.SCALING_LIMITED, "True", reason, bounds_rung.message)
    replicas = observation.replicas
    if replicas.are_counted:
        yield capacity.condition(observation.shortage, replicas.unplaced, replicas.current, now)
    assumed = [
        f"{source.key}: set targetType: {kind}"
        for source in spec.metrics_sources
        for kind, guessed in (promql.target_type(source),)
        if guessed
    ]
    if assumed:
        message = f"the unit was read from the PromQL; to fix it, {'; '.join(assumed)}"
        yield Condition(conditions.UNIT_ASSUMED, "True", "TargetTypeNotSet", message)
    yield from _of_others(spec, observation)
    yield from of_effects(spec, observation.annotations)


def of_effects(spec: ScalerSpec, annotations: Mapping[str, str]) -> Iterator[Condition]:
    """Name what was set and does nothing, if there is any."""
    found = effects.find(spec, annotations)
    told = [f"without effect: {'; '.join(map(str, found))}"] if found else []
    named = {f"annotation {name}" for name in annotations} & {one.path for one in found}
    problems = [
        problem
        for problem in tuning.given(annotations).problems
        if not any(f"[{path.removeprefix('annotation ')}]" in problem for path in named)
    ]
    if not told and not problems:
        return
    reason = "NotYetSupported" if any(one.is_planned for one in found) else "NoEffect"
    if problems:
        reason, told = "AnnotationsNotUnderstood", ["; ".join(problems), *told]
    yield Condition(conditions.FIELDS_WITHOUT_EFFECT, "True", reason, "; ".join(told))


def disabled(spec: ScalerSpec, observation: Observation) -> Decision:
    """Leave a workload alone that stands at 0 although its fewest replicas are more."""
    message = (
        "the workload stands at 0 replicas while minReplicas is 1 or more: its owner switched it "
        "off"
    )
    return Decision(
        desired_replicas=0,
        desired_load=0.0,
        bound_by=Stage.GATE,
        rungs=(
            Rung(Stage.GATE, Code.SCALING_DISABLED, 0, 0, message),
            Rung(Stage.FINAL, Code.RESULT, 0, 0, "0 -> 0 replicas"),
        ),
        conditions=(*_of_disabled(message), *_of_others(spec, observation)),
    )


def _of_disabled(message: str) -> Iterator[Condition]:
    yield Condition(conditions.SCALING_ACTIVE, "False", "ScalingDisabled", message)
    yield Condition(
        conditions.SCALING_LIMITED, "False", "DesiredWithinRange", "scaling is disabled"
    )


def _of_others(spec: ScalerSpec, observation: Observation) -> Iterator[Condition]:
    """Tell what people and other tools do about the replicas, whatever was decided."""
    yield observation.paused.condition
    if spec.cost_config is not None and spec.cost_config.enabled:
        message = (
            "costs are not evaluated by this version, so the budget limits nothing: keep "
            "maxReplicas at what you can pay for"
        )
        yield Condition(conditions.WITHIN_BUDGET, "Unknown", "CostNotEvaluated", message)
    if observation.contested_by is not None and spec.mode is Mode.AUTO:
        message = contests.message(observation.contested_by)
        yield Condition(conditions.CONTESTED, "True", "ReplicasWrittenByOthers", message)


def _undecided(gathered: Gathered) -> Iterator[str]:
    """Name what answered, and cannot be decided by yet."""
    return (rung.message for rung in gathered.rungs if rung.code is Code.NO_DATA)


def _missing(spec: ScalerSpec, observation: Observation) -> Iterator[str]:
    for source in spec.metrics_sources:
        found = needs.observed(source, observation)
        if isinstance(found, NoData):
            yield f"{source.key} ({found.reason}): {found.message}"
    for name, nothing in gpu.missing(spec, observation):
        yield f"{name} ({nothing.reason}): {nothing.message}"
