"""One input of the decision: where a number comes from, and what it means for the replicas."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.base import (
    NUMBER_LENGTH,
    ApiModel,
    DurationText,
    IntOrString,
    Name,
)

MAX_HEADERS = 16
_PLAIN = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", re.ASCII)
HeaderValue = Annotated[str, Field(max_length=4096)]


def _absolute(path: str | None) -> str | None:
    """The original put path behind port, so users wrote it with and without a slash."""
    if not path:
        return None
    return path if path.startswith("/") else f"/{path}"


class SourceType(StrEnum):
    """Where a source's number comes from."""

    POD = "pod"
    RESOURCE = "resource"
    CUSTOM = "custom"
    EXTERNAL = "external"
    PROMETHEUS = "prometheus"
    INFERENCE_ENGINE = "inferenceEngine"


class TargetType(StrEnum):
    """How a source's number relates to the replicas."""

    VALUE = "Value"
    AVERAGE_VALUE = "AverageValue"


class Protocol(StrEnum):
    """How a pod is asked."""

    HTTP = "http"
    HTTPS = "https"


class EngineType(StrEnum):
    """Inference engines whose series are known."""

    VLLM = "vllm"
    TGI = "tgi"
    SGLANG = "sglang"
    TRITON = "triton"


class FallbackBehavior(StrEnum):
    """What a fallback answers."""

    STATIC = "Static"
    CURRENT_REPLICAS = "CurrentReplicas"
    CURRENT_REPLICAS_IF_HIGHER = "CurrentReplicasIfHigher"
    CURRENT_REPLICAS_IF_LOWER = "CurrentReplicasIfLower"


class SecretKeyRef(ApiModel):
    """One key of a Secret in the scaler's namespace."""

    name: Annotated[Name, Field(description="Name of the Secret. Required.")]
    key: Annotated[Name, Field(description="Key in it. Required.")]


class BasicSecretRef(ApiModel):
    """User and password in one Secret, as kubernetes.io/basic-auth has them."""

    name: Annotated[Name, Field(description="Name of the Secret. Required.")]
    username_key: Annotated[Name, Field(description="Key of the user. Default: username.")] = (
        "username"
    )
    password_key: Annotated[Name, Field(description="Key of the password. Default: password.")] = (
        "password"  # noqa: S105 - a key
    )


class SourceAuth(ApiModel):
    """Credentials of a source, from Secrets of the scaler's namespace."""

    bearer_token_secret_ref: Annotated[
        SecretKeyRef | None,
        Field(description="Token to send as Authorization: Bearer. Default: none."),
    ] = None
    basic_secret_ref: Annotated[
        BasicSecretRef | None,
        Field(description="User and password to send as Authorization: Basic. Default: none."),
    ] = None


class HeaderFrom(ApiModel):
    """A header whose value stands in a Secret."""

    name: Annotated[str, Field(max_length=256, description="Name of the header. Required.")]
    secret_key_ref: Annotated[SecretKeyRef, Field(description="Where its value stands. Required.")]


class SourceTls(ApiModel):
    """How the certificate of an https endpoint is checked."""

    ca_bundle: Annotated[
        str | None,
        Field(
            max_length=131072,
            json_schema_extra={"format": "byte"},
            description="Certificates of the authorities to trust instead of the system's: PEM, "
            "base64-encoded. Default: the system's.",
        ),
    ] = None
    server_name: Annotated[
        Name | None,
        Field(
            description="Name to expect in the certificate; for pods, which are asked at their "
            "address. Default: the host of the endpoint."
        ),
    ] = None
    insecure_skip_verify: Annotated[
        bool,
        Field(description="Whether any certificate will do. Default: false.", strict=True),
    ] = False


class Fallback(ApiModel):
    """What to ask for while a source has had no data for long."""

    after: Annotated[
        DurationText,
        Field(
            description="How long a source may be without data before this applies, for example "
            "5m. Default: 3m."
        ),
    ] = "3m"
    replicas: Annotated[
        int,
        Field(ge=0, le=2**31 - 1, strict=True, description="Replicas to ask for. Required."),
    ]
    behavior: Annotated[
        FallbackBehavior,
        Field(
            description="Static: replicas. CurrentReplicas: as many as stand. "
            "CurrentReplicasIfHigher: as many as stand if those are more than replicas, else "
            "replicas. CurrentReplicasIfLower: the fewer of the two. Default: Static."
        ),
    ] = FallbackBehavior.STATIC


class DescribedObject(ApiModel):
    """The object that a metric of custom.metrics.k8s.io is about, in the scaler's namespace."""

    api_version: Annotated[
        str,
        Field(
            max_length=253,
            description='API version of the object, for example "networking.k8s.io/v1". Required.',
        ),
    ]
    kind: Annotated[
        str,
        Field(max_length=63, description='Kind of the object, for example "Ingress". Required.'),
    ]
    name: Annotated[Name, Field(description="Name of the object. Required.")]


class InferenceEngineConfig(ApiModel):
    """The inference engine that the pods run."""

    engine_type: Annotated[
        EngineType,
        Field(description="Engine: vllm, tgi, sglang or triton. Required."),
    ]
    metrics_port: Annotated[
        int | None,
        Field(
            ge=0,
            le=65535,
            strict=True,
            description="Port of its metrics; 0 is as if left out. Default: port, else 8000.",
        ),
        AfterValidator(lambda port: port or None),
    ] = None
    metrics_path: Annotated[
        str | None,
        Field(max_length=2048, description="Path of its metrics. Default: path, else /metrics."),
        AfterValidator(_absolute),
    ] = None


class MetricsSource(ApiModel):
    """One input of the decision."""

    name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Name of this source, unique among the sources; its value is published "
            "under it, in lower case, with the characters that a path cannot carry replaced by an "
            "underscore. Default: targetMetric.",
        ),
    ] = None
    metric_source_type: Annotated[
        SourceType | None,
        Field(
            description="Kind of source. Default: inferenceEngine when inferenceEngineConfig is "
            "set, prometheus when promQL is set, else pod."
        ),
    ] = None
    target_metric: Annotated[
        str,
        Field(
            max_length=253,
            description="Name of the metric; of a resource source cpu or memory. Required.",
        ),
    ]
    target_value: Annotated[
        str,
        Field(
            max_length=NUMBER_LENGTH,
            description='Target of one replica, a number or quantity above 0, for example "5" '
            'or "500m". Of a resource source a plain number is percent of what the pods request '
            '("80"), and one with a unit is cores or bytes a pod ("500m", "2Gi"); with targetType '
            "AverageValue a plain number is cores or bytes, too. Required.",
        ),
    ]
    target_type: Annotated[
        TargetType | None,
        Field(
            description="Value: the source gives a level per replica: one sample a pod, or one "
            "mean of all. AverageValue: it gives a total over all replicas. Default for "
            "prometheus: AverageValue when the whole expression is one sum or count, else Value. "
            "Default for all others: Value.",
        ),
    ] = None
    endpoint: Annotated[
        str | None,
        Field(
            max_length=2048,
            description="Of a prometheus source: base URL of the server, for example "
            "http://prometheus.monitoring:9090; default: the operator's --prometheus-url. Of an "
            "external source: URL that answers a number, or JSON with one under value or "
            "targetMetric; it is asked with the query parameters namespace and metric. Default: "
            "targetMetric is looked up on external.metrics.k8s.io in the scaler's namespace.",
        ),
    ] = None
    headers: Annotated[
        dict[str, HeaderValue] | None,
        Field(
            max_length=MAX_HEADERS,
            description="HTTP headers to send, by name; X-Scope-OrgID names the tenant of a "
            "shared Prometheus. Whoever may read the scaler may read them. Default: none.",
        ),
    ] = None
    headers_from: Annotated[
        tuple[HeaderFrom, ...] | None,
        Field(
            max_length=MAX_HEADERS,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
            },
            description="HTTP headers whose values stand in Secrets. Default: none.",
        ),
    ] = None
    auth: Annotated[
        SourceAuth | None,
        Field(description="Credentials to send. Default: none."),
    ] = None
    tls: Annotated[
        SourceTls | None,
        Field(
            description="How an https endpoint is checked. Default: by the system's authorities."
        ),
    ] = None
    protocol_type: Annotated[
        Protocol | None,
        Field(description="Scheme to ask pods by: http or https. Default: http."),
    ] = None
    port: Annotated[
        IntOrString | None,
        Field(
            description="Port of the pods, as a number or as the name of a container's port. "
            "Default: 8000."
        ),
        AfterValidator(lambda port: port or None),
    ] = None
    path: Annotated[
        str | None,
        Field(max_length=2048, description="Path to ask pods for. Default: /metrics."),
        AfterValidator(_absolute),
    ] = None
    described_object: Annotated[
        DescribedObject | None,
        Field(
            description="Of a custom source: the object whose metric is meant, instead of those of "
            "the workload's pods. With targetType Value its number is a level of each replica, "
            "with AverageValue a total over all. Default: the pods."
        ),
    ] = None
    scrape_timeout: Annotated[
        DurationText | None,
        Field(
            description="Longest time for one request, at most the operator's --source-timeout, "
            "for example 2s. Default: that of the operator."
        ),
    ] = None
    inference_engine_config: Annotated[
        InferenceEngineConfig | None,
        Field(description="The engine of an inferenceEngine source; required for that type."),
    ] = None
    optional: Annotated[
        bool,
        Field(
            strict=True,
            description="Whether this source stops holding replicas once it was without data for "
            "fallback.after. Default: false, a source without data keeps replicas from falling.",
        ),
    ] = False
    fallback: Annotated[
        Fallback | None,
        Field(
            description="What this source asks for while it is without data. Default: nothing; it "
            "holds the replicas."
        ),
    ] = None
    prom_ql: Annotated[
        str | None,
        Field(
            alias="promQL",
            max_length=16384,
            description="PromQL expression of a prometheus source, required for that type; an "
            "instant query that gives a vector or a scalar.",
        ),
    ] = None

    @property
    def key(self) -> str:
        """The name readings, rungs, status entries and the published metric carry."""
        return self.target_metric if self.name is None else self.name

    @property
    def source_type(self) -> SourceType:
        """The type, guessed from the block that is present when it is left out."""
        if self.metric_source_type is not None:
            return self.metric_source_type
        if self.inference_engine_config is not None:
            return SourceType.INFERENCE_ENGINE
        return SourceType.PROMETHEUS if self.prom_ql else SourceType.POD

    @property
    def is_utilization(self) -> bool:
        """Whether the target of a resource source is percent of the requests.

        A plain number is, as in the original; one with a unit is an amount, as in a native HPA.
        """
        return (
            self.source_type is SourceType.RESOURCE
            and self.target_type is not TargetType.AVERAGE_VALUE
            and _PLAIN.fullmatch(self.target_value) is not None
        )

    @property
    def target(self) -> float:
        """The target of one replica as a number."""
        return quantity.parse(self.target_value)
