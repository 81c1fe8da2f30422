"""Rules on the spec as a whole and on its target."""

from __future__ import annotations

from collections.abc import Iterator

from budaiscaler.domain.api.behavior import ScalingPolicy
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef, Strategy
from budaiscaler.domain.api.rules.base import API_VERSION, KIND, Rule, matches
from budaiscaler.domain.api.rules.sources import CEL_KEY


def _cel_without_zero(direction: str) -> str:
    rules = f"self.behavior.{direction}"
    return f"!has({rules}) || !has({rules}.policies) || {rules}.policies.all(p, p.value > 0)"


SPEC: tuple[Rule[ScalerSpec], ...] = (
    Rule(
        cel="self.minReplicas <= self.maxReplicas",
        message="minReplicas must not be above maxReplicas: lower minReplicas or raise maxReplicas",
        holds=lambda spec: spec.min_replicas <= spec.max_replicas,
    ),
    Rule(
        cel="size(self.metricsSources) > 0",
        message="metricsSources must have at least one source: add one with targetMetric and "
        "targetValue",
        holds=lambda spec: len(spec.metrics_sources) > 0,
    ),
    Rule(
        cel=(
            "self.metricsSources.all(a, self.metricsSources.exists_one(b, "
            f"{CEL_KEY.format('b')} == {CEL_KEY.format('a')}))"
        ),
        message="metricsSources must have different names: set name on sources with the same "
        "targetMetric",
        holds=lambda spec: (
            len({source.key.lower() for source in spec.metrics_sources})
            == len(spec.metrics_sources)
        ),
    ),
    Rule(
        cel=(
            "!has(self.scheduleHints) || self.scheduleHints.all(a, "
            "self.scheduleHints.exists_one(b, b.name == a.name))"
        ),
        message="scheduleHints must have different names: rename one of them",
        holds=lambda spec: (
            len({hint.name for hint in spec.schedule_hints or ()}) == len(spec.schedule_hints or ())
        ),
    ),
    Rule(
        cel=(
            f"self.scalingStrategy != '{Strategy.HPA}' || !has(self.behavior) || "
            f"(({_cel_without_zero('scaleUp')}) && ({_cel_without_zero('scaleDown')}))"
        ),
        message="a policy of the HPA strategy must have a value above 0: to allow no change, set "
        "selectPolicy: Disabled",
        holds=lambda spec: (
            spec.scaling_strategy is not Strategy.HPA
            or all(policy.value > 0 for policy in _policies(spec))
        ),
    ),
)

TARGET: tuple[Rule[ScaleTargetRef], ...] = (
    Rule(
        cel="self.name != ''",
        message="scaleTargetRef.name must be set: name the workload to scale",
        holds=lambda ref: ref.name != "",
    ),
    # They become part of a path that is asked for with our rights, not with the author's.
    Rule(
        cel=f"self.apiVersion.matches('^{API_VERSION}$')",
        message='scaleTargetRef.apiVersion must be group/version, for example "apps/v1"',
        holds=lambda ref: matches(API_VERSION, ref.api_version),
    ),
    Rule(
        cel=f"self.kind.matches('^{KIND}$')",
        message='scaleTargetRef.kind must be a kind, for example "Deployment"',
        holds=lambda ref: matches(KIND, ref.kind),
    ),
)


def _policies(spec: ScalerSpec) -> Iterator[ScalingPolicy]:
    if spec.behavior is not None:
        for rules in (spec.behavior.scale_up, spec.behavior.scale_down):
            yield from (rules.policies or ()) if rules is not None else ()
