"""One table of rules: the CRD carries them as CEL, and the same ones hold at run time.

An object can reach us past admission (stored before a rule existed, or from a server without CEL),
so each rule is written twice in one row, and a test on a real API server holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from budaiscaler.domain.api import naming, quantity
from budaiscaler.domain.api.behavior import ScalingRules
from budaiscaler.domain.api.budaiscaler import ScalerSpec, ScaleTargetRef
from budaiscaler.domain.api.sources import DescribedObject, MetricsSource, SourceType
from budaiscaler.domain.errors import InvalidSpecError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """A rule on one type of the spec.

    Attributes:
        cel: the rule for the API server; `self` is the object.
        message: what is wrong and what to write instead; names the field.
        holds: the same rule on the parsed type.
    """

    cel: str
    message: str
    holds: Callable[[T], bool]


URL = (
    r"^([hH][tT][tT][pP][sS]?://)?([^/?#\s@]*@)?(\[[0-9a-fA-F:.]+\]|[^/?#\s:@\[\]]+)"
    r"(:[0-9]{1,5})?([/?#]\S*)?$"
)
HEADER_NAME = r"^[-!#$%&*+.^_`|~0-9A-Za-z]{1,256}$"
HEADER_VALUE = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"
HEADERS_OF_OURS = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
"""They would change how an answer is framed, and so what of it we read."""

_API_VERSION = "([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[0-9][a-z0-9]*"
_KIND = "[A-Za-z][A-Za-z0-9]*"
_CEL_KEY = "(has({0}.name) ? {0}.name : {0}.targetMetric).lowerAscii()"

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
            f"{_CEL_KEY.format('b')} == {_CEL_KEY.format('a')}))"
        ),
        message="metricsSources must have different names: set name on sources with the same "
        "targetMetric",
        holds=lambda spec: (
            len({source.key.lower() for source in spec.metrics_sources})
            == len(spec.metrics_sources)
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
        cel=f"self.apiVersion.matches('^{_API_VERSION}$')",
        message='scaleTargetRef.apiVersion must be group/version, for example "apps/v1"',
        holds=lambda ref: re.fullmatch(_API_VERSION, ref.api_version) is not None,
    ),
    Rule(
        cel=f"self.kind.matches('^{_KIND}$')",
        message='scaleTargetRef.kind must be a kind, for example "Deployment"',
        holds=lambda ref: re.fullmatch(_KIND, ref.kind) is not None,
    ),
)

DESCRIBED: tuple[Rule[DescribedObject], ...] = (
    # The same path is at stake.
    Rule(
        cel=f"self.apiVersion.matches('^{_API_VERSION}$')",
        message='describedObject.apiVersion must be group/version, for example "v1"',
        holds=lambda ref: re.fullmatch(_API_VERSION, ref.api_version) is not None,
    ),
    Rule(
        cel=f"self.kind.matches('^{_KIND}$')",
        message='describedObject.kind must be a kind, for example "Ingress"',
        holds=lambda ref: re.fullmatch(_KIND, ref.kind) is not None,
    ),
    Rule(
        cel="self.name != ''",
        message="describedObject.name must be set: name the object that the metric is about",
        holds=lambda ref: ref.name != "",
    ),
)

SOURCE: tuple[Rule[MetricsSource], ...] = (
    Rule(
        cel=f"!({_CEL_KEY.format('self')} in ['', '{naming.DESIRED_LOAD}'])",
        message="targetMetric must be set, and neither it nor name may be "
        f"{naming.DESIRED_LOAD}, which is the name of the decision",
        holds=lambda source: source.key.lower() not in ("", naming.DESIRED_LOAD),
    ),
    Rule(
        cel=f"self.targetValue.matches('{quantity.PATTERN}') && "
        "quantity(self.targetValue).isGreaterThan(quantity('0'))",
        message='targetValue must be a number or quantity above 0, for example "5" or "500m"',
        holds=lambda source: _at_least(source.target_value, 0, inclusive=False),
    ),
    Rule(
        cel=(
            "!has(self.metricSourceType) || self.metricSourceType != 'prometheus' || "
            "(has(self.promQL) && self.promQL != '')"
        ),
        message="promQL must be set for a source of type prometheus",
        holds=lambda source: (
            source.source_type is not SourceType.PROMETHEUS or bool(source.prom_ql)
        ),
    ),
    Rule(
        cel=(
            "!has(self.metricSourceType) || self.metricSourceType != 'external' || "
            f"!has(self.endpoint) || self.endpoint == '' || self.endpoint.matches(r'{URL}')"
        ),
        message="endpoint must be an http or https URL for a source of type external, for example "
        "http://queue.default:8080/load",
        holds=lambda source: (
            source.source_type is not SourceType.EXTERNAL
            or not source.endpoint
            or re.fullmatch(URL, source.endpoint, re.ASCII) is not None
        ),
    ),
    Rule(
        cel=(
            "!has(self.headers) || self.headers.all(name, "
            f"name.matches(r'{HEADER_NAME}') && self.headers[name].matches(r'{HEADER_VALUE}') && "
            f"!(name.lowerAscii() in {list(HEADERS_OF_OURS)}))"
        ),
        message="headers must have plain names and values on one line, and not be those that "
        f"belong to the connection: {', '.join(HEADERS_OF_OURS)}",
        holds=lambda source: all(
            re.fullmatch(HEADER_NAME, name)
            and re.fullmatch(HEADER_VALUE, value)
            and name.lower() not in HEADERS_OF_OURS
            for name, value in (source.headers or {}).items()
        ),
    ),
)

RULES: tuple[Rule[ScalingRules], ...] = (
    Rule(
        cel=(
            f"!has(self.tolerance) || (self.tolerance.matches('{quantity.PATTERN}') && "
            "!quantity(self.tolerance).isLessThan(quantity('0')))"
        ),
        message='tolerance must be a ratio of 0 or more, for example "0.1"',
        holds=lambda rules: (
            rules.tolerance is None or _at_least(rules.tolerance, 0, inclusive=True)
        ),
    ),
)

BY_TYPE: Mapping[type, tuple[Rule[Any], ...]] = {
    ScalerSpec: SPEC,
    ScaleTargetRef: TARGET,
    DescribedObject: DESCRIBED,
    MetricsSource: SOURCE,
    ScalingRules: RULES,
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
    broken = list(_broken(spec))
    if broken:
        raise InvalidSpecError("; ".join(broken))
    return spec


def _broken(spec: ScalerSpec) -> Iterable[str]:
    yield from _check("spec", SPEC, spec)
    yield from _collisions(spec)
    yield from _check("spec.scaleTargetRef", TARGET, spec.scale_target_ref)
    for index, source in enumerate(spec.metrics_sources):
        yield from _check(f"spec.metricsSources[{index}]", SOURCE, source)
        if source.described_object is not None:
            path = f"spec.metricsSources[{index}].describedObject"
            yield from _check(path, DESCRIBED, source.described_object)
    if spec.behavior is not None:
        for name, rules in (
            ("scaleUp", spec.behavior.scale_up),
            ("scaleDown", spec.behavior.scale_down),
        ):
            if rules is not None:
                yield from _check(f"spec.behavior.{name}", RULES, rules)


def _collisions(spec: ScalerSpec) -> Iterable[str]:
    """Names that differ only in what a path cannot carry; CEL has no way to say that."""
    keys = {source.key.lower() for source in spec.metrics_sources}
    published = [naming.published_metric(key) for key in keys]
    for name in sorted({name for name in published if published.count(name) > 1}):
        yield f"spec: two of metricsSources would be published as {name}: set name on one of them"


def _check(path: str, rules: Iterable[Rule[T]], value: T) -> Iterable[str]:
    return (f"{path}: {rule.message}" for rule in rules if not rule.holds(value))


def _sentences(error: ValidationError) -> Iterable[str]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        path = "spec" + "".join(
            f"[{part}]" if isinstance(part, int) else f".{part}" for part in detail["loc"]
        )
        yield f"{path}: {detail['msg']}"


def _at_least(text: str, bound: float, *, inclusive: bool) -> bool:
    try:
        value = quantity.parse(text)
    except InvalidSpecError:
        return False
    return value >= bound if inclusive else value > bound
