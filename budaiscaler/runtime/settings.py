"""Flags that both servers have; each is also an environment variable."""

from __future__ import annotations

import socket
from typing import Annotated, Self, TypeVar
from uuid import uuid4

from pydantic import Field, PlainValidator, ValidationError, model_validator
from pydantic_settings import BaseSettings, CliApp, NoDecode, SettingsConfigDict

from budaiscaler.domain.errors import ConfigurationError
from budaiscaler.runtime import clock, flags
from budaiscaler.runtime.clock import REAL, Clock
from budaiscaler.runtime.durations import Seconds

LOG_LEVELS = ("debug", "info", "warning", "error")


class ServerSettings(BaseSettings):
    """What a server needs to run beside its copies."""

    model_config = SettingsConfigDict(
        env_prefix="BUDAISCALER_",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        frozen=True,
        extra="ignore",
    )

    kubeconfig: Annotated[
        str | None,
        Field(description="Kubeconfig file; left out, the pod's own service account is used."),
    ] = None
    namespace: Annotated[
        str, Field(description="Namespace we run in; our Lease and Secret lie there.")
    ] = "budaiscaler-system"
    identity: Annotated[
        str,
        Field(
            default_factory=lambda: f"{socket.gethostname()}_{uuid4().hex[:8]}",
            description="Name of this copy in the Lease, unique among the copies; left out, the "
            "host's with something random.",
        ),
    ]
    log_level: Annotated[str, Field(description=f"One of {', '.join(LOG_LEVELS)}.")] = "info"
    lease_duration: Annotated[
        Seconds, Field(gt=0, description="After so long without a renewal another copy takes over.")
    ] = 15.0
    lease_renew_deadline: Annotated[
        Seconds, Field(gt=0, description="After so long without a renewal the leader stops.")
    ] = 10.0
    lease_retry_period: Annotated[
        Seconds, Field(gt=0, description="Between two attempts to take or renew the Lease.")
    ] = 2.0

    playground_clock: Annotated[
        Clock,
        NoDecode,
        PlainValidator(clock.parse),
        Field(
            description="Only for `budaiscaler demo`, which sets it: a clock that runs at another "
            "speed. Never set it in a cluster."
        ),
    ] = REAL

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.log_level not in LOG_LEVELS:
            raise ValueError(f"log-level must be one of {', '.join(LOG_LEVELS)}")
        if not self.lease_retry_period < self.lease_renew_deadline < self.lease_duration:
            raise ValueError(
                "the lease needs retry-period < renew-deadline < duration, or two copies could lead"
            )
        return self


S = TypeVar("S", bound=ServerSettings)


def read(kind: type[S], arguments: list[str] | None = None) -> S:
    """Read settings from flags and the environment; flags win.

    Raises:
        ConfigurationError: naming each value that cannot be used.
        SystemExit: for `--help` and unknown flags, after printing why.
    """
    try:
        return CliApp.run(kind, cli_args=arguments, cli_settings_source=flags.source(kind))
    except ValidationError as error:
        problems = (
            " ".join(
                (
                    *(f"--{part}:".replace("_", "-") for part in detail["loc"]),
                    detail["msg"].removeprefix("Value error, "),
                )
            )
            for detail in error.errors(include_url=False, include_context=False)
        )
        raise ConfigurationError("; ".join(problems)) from error
