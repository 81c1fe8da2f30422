"""One table of rules: the CRD carries them as CEL, and the same ones hold at run time.

An object can reach us past admission (stored before a rule existed, or from a server without CEL),
so each rule is written twice in one row, and a test on a real API server holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.behavior import ScalingRules, StartingPods
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef
from budaiscaler.domain.api.features import CostConfig, GpuConfig, ScheduleHint
from budaiscaler.domain.api.rules import behavior, features, scaler, sources
from budaiscaler.domain.api.rules.base import Rule
from budaiscaler.domain.api.sources import (
    BasicSecretRef,
    DescribedObject,
    Fallback,
    HeaderFrom,
    InferenceEngineConfig,
    MetricsSource,
    SecretKeyRef,
    SourceAuth,
    SourceTls,
)
from budaiscaler.domain.errors import InvalidSpecError

BY_TYPE: Mapping[type[BaseModel], tuple[Rule[Any], ...]] = {
    ScalerSpec: scaler.SPEC,
    ScaleTargetRef: scaler.TARGET,
    MetricsSource: sources.SOURCE,
    DescribedObject: sources.DESCRIBED,
    InferenceEngineConfig: sources.ENGINE,
    SourceAuth: sources.AUTH,
    SecretKeyRef: sources.SECRET_KEY,
    BasicSecretRef: sources.BASIC_SECRET,
    HeaderFrom: sources.HEADER_FROM,
    SourceTls: sources.TLS,
    Fallback: sources.FALLBACK,
    ScalingRules: behavior.RULES,
    StartingPods: behavior.STARTING_PODS,
    GpuConfig: features.GPU,
    CostConfig: features.COST,
    ScheduleHint: features.HINT,
}
"""For the generator of the CRD: which rules stand on which type."""


def parse_spec(raw: Any) -> ScalerSpec:
    """Read and check the spec of a scaler.

    Raises:
        InvalidSpecError: naming every field that is wrong and what to write instead.
    """
    try:
        spec = ScalerSpec.model_validate(raw)
    except ValidationError as error:
        raise InvalidSpecError("; ".join(_sentences(error))) from error
    broken = [*_broken(spec, "spec"), *_collisions(spec)]
    if broken:
        raise InvalidSpecError("; ".join(broken))
    return spec


def _broken(value: object, path: str) -> Iterator[str]:
    """What is wrong with a value and all that is in it."""
    if isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _broken(item, f"{path}[{index}]")
    if not isinstance(value, BaseModel):
        return
    for rule in BY_TYPE.get(type(value), ()):
        if not rule.holds(value):
            yield f"{path}: {rule.message}"
    for name, field in type(value).model_fields.items():
        yield from _broken(getattr(value, name), f"{path}.{field.alias}")


def _collisions(spec: ScalerSpec) -> Iterator[str]:
    """Names that differ only in what a path cannot carry; CEL has no way to say that."""
    keys = {source.key.lower() for source in spec.metrics_sources}
    published = [naming.published_metric(key) for key in keys]
    for name in sorted({name for name in published if published.count(name) > 1}):
        yield f"spec: two of metricsSources would be published as {name}: set name on one of them"


def _sentences(error: ValidationError) -> Iterable[str]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        path = "spec" + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]
        )
        yield f"{path}: {detail['msg']}"
