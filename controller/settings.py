"""The controller's flags."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from budaiscaler.evaluator import cadence
from budaiscaler.evaluator.settings import EvaluatorSettings
from budaiscaler.runtime.durations import Seconds


class ControllerSettings(EvaluatorSettings):
    """Controller of BudAIScaler: owns HPAs, and scales where no HPA does."""

    model_config = SettingsConfigDict(cli_prog_name="budaiscaler-controller")

    bind_address: Annotated[
        str | None, Field(description="Address of the probes; left out, all of them.")
    ] = None
    probe_port: Annotated[
        int, Field(ge=1, le=65535, description="Port of probes and metrics, plain HTTP.")
    ] = 8080
    kpa_interval: Annotated[
        Seconds, Field(ge=0.1, description="Between two evaluations of a scaler of strategy KPA.")
    ] = cadence.KPA.decision_s
    kpa_sample_interval: Annotated[
        Seconds, Field(ge=0.1, description="Between two queries of a source of one, at least.")
    ] = cadence.KPA.sample_s
    workers: Annotated[int, Field(ge=1, le=64, description="Scalers reconciled at a time.")] = 8
    resync_interval: Annotated[
        Seconds, Field(ge=1, description="Between two looks for autoscalers of other tools.")
    ] = 60.0
