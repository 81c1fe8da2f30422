"""The adapter's flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from budaiscaler.runtime.durations import Seconds
from budaiscaler.runtime.lists import LABEL, Headers, Texts
from budaiscaler.runtime.ranges import Ranges
from budaiscaler.runtime.settings import ServerSettings
from budaiscaler.sources.gpu.exporters import SELECTORS


class AdapterSettings(ServerSettings):
    """Adapter of BudAIScaler: publishes the load of scalers on external.metrics.k8s.io."""

    bind_address: Annotated[
        str | None, Field(description="Address to listen on; left out, all of them.")
    ] = None
    secure_port: Annotated[int, Field(ge=1, le=65535, description="Port of the API, TLS only.")] = (
        6443
    )
    service_name: Annotated[
        str, Field(description="Name of our Service; the certificate is made out to it.")
    ] = "budaiscaler-adapter"
    api_service: Annotated[
        str, Field(description="APIService into which our CA is put; empty puts it nowhere.")
    ] = "v1beta1.external.metrics.k8s.io"
    tls_secret: Annotated[
        str, Field(description="Secret for the CA and certificate that we make ourselves.")
    ] = "budaiscaler-adapter-tls"  # noqa: S105 - a name
    tls_cert_file: Annotated[
        Path | None, Field(description="Certificate to serve instead of our own; reloaded.")
    ] = None
    tls_private_key_file: Annotated[
        Path | None, Field(description="Private key of --tls-cert-file.")
    ] = None
    tls_reload_interval: Annotated[
        Seconds, Field(gt=0, description="Between two looks for a changed certificate.")
    ] = 20.0
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
            description="Further base URLs, separated by commas, that all of these go to. Scalers "
            "that ask there cannot send headers or credentials of their own."
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
    publish_grace: Annotated[
        Seconds, Field(gt=0, description="How long a value stands after its last good data.")
    ] = 300.0
    shutdown_delay: Annotated[
        Seconds, Field(ge=0, description="How long to serve on after the signal to stop.")
    ] = 5.0

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if (self.tls_cert_file is None) != (self.tls_private_key_file is None):
            raise ValueError("tls-cert-file and tls-private-key-file belong together: set both")
        if self.prometheus_bearer_token_file and self.prometheus_basic_auth_file:
            raise ValueError(
                "prometheus-bearer-token-file and prometheus-basic-auth-file exclude each other: "
                "set one"
            )
        return self
