"""Flags of whoever evaluates: where sources are, and what they may do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from budaiscaler.runtime.durations import Seconds
from budaiscaler.runtime.lists import LABEL, Headers, Texts
from budaiscaler.runtime.ranges import Ranges
from budaiscaler.runtime.settings import ServerSettings
from budaiscaler.sources.catalogue import SourceOptions
from budaiscaler.sources.gpu import exporters
from budaiscaler.sources.gpu.exporters import SELECTORS
from budaiscaler.sources.gpu.readers import GpuOptions
from budaiscaler.sources.operator_credentials import OperatorAccess


class EvaluatorSettings(ServerSettings):
    """What a server needs to evaluate scalers."""

    prometheus_url: Annotated[
        str | None, Field(description="Prometheus of sources that name no endpoint.")
    ] = None
    prometheus_bearer_token_file: Annotated[
        Path | None,
        Field(description="Token for the Prometheus of --prometheus-url; read again when rotated."),
    ] = None
    prometheus_basic_auth_file: Annotated[
        Path | None, Field(description="user:password for it, instead of a token.")
    ] = None
    prometheus_ca_file: Annotated[
        Path | None, Field(description="Authorities to check it by, instead of the system's.")
    ] = None
    prometheus_header: Annotated[
        Headers,
        Field(description='Header to send to it, for example "X-Scope-OrgID: ml"; repeatable.'),
    ] = ()
    prometheus_credentials_for: Annotated[
        Texts,
        Field(
            json_schema_extra={"word": "URLS"},
            description="Further base URLs, separated by commas, that all of these go to. Scalers "
            "that ask there cannot send headers or credentials of their own.",
        ),
    ] = ()
    enforce_namespace_label: Annotated[
        str,
        Field(
            pattern=LABEL,
            description="Label that every selector of a scaler's PromQL must carry its namespace "
            "under, at --prometheus-url and --prometheus-credentials-for; empty enforces none. "
            "Have that Prometheus accept nobody without credentials, or scalers ask it by another "
            "name.",
        ),
    ] = ""
    evaluation_interval: Annotated[
        Seconds, Field(ge=0.1, description="Between two evaluations of a scaler.")
    ] = 15.0
    source_timeout: Annotated[
        Seconds, Field(gt=0, le=25, description="Longest time for one query.")
    ] = 10.0
    allow_source_ranges: Annotated[
        Ranges,
        Field(
            description="Addresses that sources may ask though they are denied to them (loopback, "
            "link-local, metadata), as ranges separated by commas."
        ),
    ] = ()
    dcgm_exporter_selector: Annotated[
        str,
        Field(
            description="Pods that are DCGM exporters, as label selectors separated by semicolons; "
            "empty, none are looked for."
        ),
    ] = "; ".join(SELECTORS)
    dcgm_exporter_namespace: Annotated[
        str | None,
        Field(
            description="Namespace of the DCGM exporters; left out, all: whoever may create pods "
            "with their labels could then tell what GPUs do."
        ),
    ] = None
    node_name: Annotated[
        str | None,
        Field(description="Node that we run on, so that NVML is asked for its pods only."),
    ] = None

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.prometheus_bearer_token_file and self.prometheus_basic_auth_file:
            raise ValueError(
                "prometheus-bearer-token-file and prometheus-basic-auth-file exclude each other: "
                "set one"
            )
        return self

    @property
    def source_options(self) -> SourceOptions:
        """What they say of sources."""
        return SourceOptions(
            prometheus=OperatorAccess(
                url=self.prometheus_url,
                bearer_token_file=self.prometheus_bearer_token_file,
                basic_auth_file=self.prometheus_basic_auth_file,
                ca_file=self.prometheus_ca_file,
                headers=self.prometheus_header,
                credentials_for=self.prometheus_credentials_for,
                enforced_label=self.enforce_namespace_label,
            ),
            timeout_s=self.source_timeout,
            allow_ranges=self.allow_source_ranges,
            gpu=GpuOptions(
                exporter_selectors=exporters.parse(self.dcgm_exporter_selector),
                exporter_namespace=self.dcgm_exporter_namespace,
                node=self.node_name,
            ),
        )
