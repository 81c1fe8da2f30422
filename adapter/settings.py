"""The adapter's flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from budaiscaler.evaluator.settings import EvaluatorSettings
from budaiscaler.runtime.durations import Seconds


class AdapterSettings(EvaluatorSettings):
    """Adapter of BudAIScaler: publishes the load of scalers on external.metrics.k8s.io."""

    model_config = SettingsConfigDict(cli_prog_name="budaiscaler-adapter")

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
        return self
