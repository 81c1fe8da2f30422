"""Rules on a source and what belongs to it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from budaiscaler.domain.api import naming
from budaiscaler.domain.api.rules.base import (
    API_VERSION,
    BASE_URL,
    KIND,
    PORT_NUMBER,
    URL,
    Rule,
    cel_duration,
    cel_number,
    is_above_zero,
    is_duration,
    matches,
)
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
    SourceType,
)

HEADER_NAME = r"^[-!#$%&*+.^_`|~0-9A-Za-z]{1,256}$"
HEADER_VALUE = r"^[\t\x20-\x7e]*$"
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

PATH = r"^[^\s\x00-\x1f\x7f]*$"
PORT = f"^({PORT_NUMBER}|([0-9]+(-[0-9]+)*-?)?[a-z](-?[a-z0-9])*)?$"
"""A number from 1 to 65535, or a name as a container port has it."""
_PORT_NAME_LENGTH = 15
_SECRET_NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"  # noqa: S105 - a pattern
_SECRET_KEY = r"^[-._a-zA-Z0-9]+$"  # noqa: S105 - a pattern
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"

CEL_KEY = "(has({0}.name) ? {0}.name : {0}.targetMetric).lowerAscii()"
_RESOURCES = ("cpu", "memory")


_CEL_IS_PROMETHEUS = (
    f"has(self.metricSourceType) ? self.metricSourceType == '{SourceType.PROMETHEUS}' : "
    "has(self.promQL) && self.promQL != '' && !has(self.inferenceEngineConfig)"
)
"""What `MetricsSource.source_type` tells."""


def _cel_for(kind: SourceType, rule: str) -> str:
    """CEL for sources that are said to be of one type."""
    return f"!has(self.metricSourceType) || self.metricSourceType != '{kind}' || {rule}"


SOURCE: tuple[Rule[MetricsSource], ...] = (
    Rule(
        cel=f"!({CEL_KEY.format('self')} in ['', '{naming.DESIRED_LOAD}'])",
        message="targetMetric must be set, and neither it nor name may be "
        f"{naming.DESIRED_LOAD}, which is the name of the decision",
        holds=lambda source: source.key.lower() not in ("", naming.DESIRED_LOAD),
    ),
    Rule(
        cel=cel_number("targetValue", "0", inclusive=False),
        message='targetValue must be a number or quantity above 0, for example "5" or "500m"',
        holds=lambda source: is_above_zero(source.target_value),
    ),
    Rule(
        cel=_cel_for(SourceType.PROMETHEUS, "(has(self.promQL) && self.promQL != '')"),
        message="promQL must be set for a source of type prometheus",
        holds=lambda source: (
            source.source_type is not SourceType.PROMETHEUS or bool(source.prom_ql)
        ),
    ),
    Rule(
        cel=_cel_for(SourceType.INFERENCE_ENGINE, "has(self.inferenceEngineConfig)"),
        message="inferenceEngineConfig must be set for a source of type inferenceEngine: name the "
        "engine by engineType",
        holds=lambda source: (
            source.source_type is not SourceType.INFERENCE_ENGINE
            or source.inference_engine_config is not None
        ),
    ),
    Rule(
        cel=_cel_for(SourceType.RESOURCE, f"self.targetMetric in {list(_RESOURCES)}"),
        message="targetMetric must be cpu or memory for a source of type resource",
        holds=lambda source: (
            source.source_type is not SourceType.RESOURCE or source.target_metric in _RESOURCES
        ),
    ),
    Rule(
        cel=_cel_for(
            SourceType.EXTERNAL,
            f"!has(self.endpoint) || self.endpoint == '' || self.endpoint.matches(r'{URL}')",
        ),
        message="endpoint must be an http or https URL for a source of type external, for example "
        "http://queue.default:8080/load",
        holds=lambda source: (
            source.source_type is not SourceType.EXTERNAL
            or not source.endpoint
            or matches(URL, source.endpoint)
        ),
    ),
    Rule(
        cel=(
            f"!({_CEL_IS_PROMETHEUS}) || !has(self.endpoint) || self.endpoint == '' || "
            f"self.endpoint.matches(r'{BASE_URL}')"
        ),
        message="the endpoint of a prometheus source must be an http or https URL without a "
        "query, for example http://prometheus.monitoring:9090",
        holds=lambda source: (
            source.source_type is not SourceType.PROMETHEUS
            or not source.endpoint
            or matches(BASE_URL, source.endpoint)
        ),
    ),
    Rule(
        cel=(
            "!has(self.headers) || self.headers.all(name, "
            f"name.matches(r'{HEADER_NAME}') && self.headers[name].matches(r'{HEADER_VALUE}') && "
            f"!(name.lowerAscii() in {list(HEADERS_OF_OURS)}))"
        ),
        message="headers must have plain names and ASCII values on one line, and not be those that "
        f"belong to the connection: {', '.join(HEADERS_OF_OURS)}",
        holds=lambda source: all(
            _is_header(name) and matches(HEADER_VALUE, value)
            for name, value in (source.headers or {}).items()
        ),
    ),
    Rule(
        cel=(
            "!has(self.headersFrom) || self.headersFrom.all(a, "
            "self.headersFrom.exists_one(b, b.name.lowerAscii() == a.name.lowerAscii()) && "
            "(!has(self.headers) || "
            "!self.headers.exists(name, name.lowerAscii() == a.name.lowerAscii())))"
        ),
        message="headers and headersFrom must name each header once: remove the other one",
        holds=lambda source: len(set(_headers(source))) == len(list(_headers(source))),
    ),
    Rule(
        cel=(
            "!has(self.auth) || "
            "(!has(self.headers) || "
            "!self.headers.exists(name, name.lowerAscii() == 'authorization')) && "
            "(!has(self.headersFrom) || "
            "!self.headersFrom.exists(a, a.name.lowerAscii() == 'authorization'))"
        ),
        message="auth must not be set beside a header Authorization: keep one of them",
        holds=lambda source: source.auth is None or "authorization" not in _headers(source),
    ),
    Rule(
        cel=(
            "!has(self.port) || (type(self.port) == int ? "
            "int(self.port) >= 1 && int(self.port) <= 65535 : "
            f"string(self.port).matches('{PORT}'))"
        ),
        message="port must be a number from 1 to 65535 or the name of a container port, for "
        'example "8000" or "metrics"',
        holds=lambda source: source.port is None or _is_port(source.port),
    ),
    Rule(
        cel=f"!has(self.path) || self.path.matches(r'{PATH}')",
        message="path must be a path without spaces, for example /metrics",
        holds=lambda source: source.path is None or matches(PATH, source.path),
    ),
    Rule(
        cel=f"!has(self.scrapeTimeout) || ({cel_duration('scrapeTimeout')})",
        message='scrapeTimeout must be a length of time above 0, for example "2s"',
        holds=lambda source: source.scrape_timeout is None or is_duration(source.scrape_timeout),
    ),
)

ENGINE: tuple[Rule[InferenceEngineConfig], ...] = (
    Rule(
        cel=f"!has(self.metricsPath) || self.metricsPath.matches(r'{PATH}')",
        message="metricsPath must be a path without spaces, for example /metrics",
        holds=lambda engine: engine.metrics_path is None or matches(PATH, engine.metrics_path),
    ),
)

AUTH: tuple[Rule[SourceAuth], ...] = (
    Rule(
        cel="has(self.bearerTokenSecretRef) != has(self.basicSecretRef)",
        message="auth must have exactly one of bearerTokenSecretRef and basicSecretRef",
        holds=lambda auth: (
            (auth.bearer_token_secret_ref is None) != (auth.basic_secret_ref is None)
        ),
    ),
)

# They become part of a path that is asked for with our rights, not with the author's.
SECRET_KEY: tuple[Rule[SecretKeyRef], ...] = (
    Rule(
        cel=f"self.name.matches('{_SECRET_NAME}') && self.key.matches('{_SECRET_KEY}')",
        message="name and key must be those of a Secret, for example name: credentials and "
        "key: token",
        holds=lambda ref: matches(_SECRET_NAME, ref.name) and matches(_SECRET_KEY, ref.key),
    ),
)
BASIC_SECRET: tuple[Rule[BasicSecretRef], ...] = (
    Rule(
        cel=(
            f"self.name.matches('{_SECRET_NAME}') && self.usernameKey.matches('{_SECRET_KEY}') && "
            f"self.passwordKey.matches('{_SECRET_KEY}')"
        ),
        message="name, usernameKey and passwordKey must be those of a Secret, for example "
        "name: credentials",
        holds=lambda ref: (
            matches(_SECRET_NAME, ref.name)
            and matches(_SECRET_KEY, ref.username_key)
            and matches(_SECRET_KEY, ref.password_key)
        ),
    ),
)

HEADER_FROM: tuple[Rule[HeaderFrom], ...] = (
    Rule(
        cel=(
            f"self.name.matches(r'{HEADER_NAME}') && "
            f"!(self.name.lowerAscii() in {list(HEADERS_OF_OURS)})"
        ),
        message="headersFrom must have plain names, and not those that belong to the connection: "
        f"{', '.join(HEADERS_OF_OURS)}",
        holds=lambda header: _is_header(header.name),
    ),
)

TLS: tuple[Rule[SourceTls], ...] = (
    Rule(
        cel=None,
        message="tls.caBundle must be certificates in PEM, base64-encoded",
        holds=lambda tls: tls.ca_bundle is None or _is_pem(tls.ca_bundle),
    ),
)

FALLBACK: tuple[Rule[Fallback], ...] = (
    Rule(
        cel=cel_duration("after"),
        message='fallback.after must be a length of time above 0, for example "5m"',
        holds=lambda fallback: is_duration(fallback.after),
    ),
)


def _headers(source: MetricsSource) -> Iterator[str]:
    """Names of all headers of a source, in lower case."""
    yield from (name.lower() for name in source.headers or {})
    yield from (header.name.lower() for header in source.headers_from or ())


def _is_header(name: str) -> bool:
    return matches(HEADER_NAME, name) and name.lower() not in HEADERS_OF_OURS


def _is_port(port: str) -> bool:
    return matches(PORT, port) and (port.isdigit() or len(port) <= _PORT_NAME_LENGTH)


def _is_pem(text: str) -> bool:
    try:
        return _CERTIFICATE in base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False


DESCRIBED: tuple[Rule[DescribedObject], ...] = (
    # The same path is at stake.
    Rule(
        cel=f"self.apiVersion.matches('^{API_VERSION}$')",
        message='describedObject.apiVersion must be group/version, for example "v1"',
        holds=lambda ref: matches(API_VERSION, ref.api_version),
    ),
    Rule(
        cel=f"self.kind.matches('^{KIND}$')",
        message='describedObject.kind must be a kind, for example "Ingress"',
        holds=lambda ref: matches(KIND, ref.kind),
    ),
    Rule(
        cel="self.name != ''",
        message="describedObject.name must be set: name the object that the metric is about",
        holds=lambda ref: ref.name != "",
    ),
)
