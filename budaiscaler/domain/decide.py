"""`decide()`: the one function that every server, tool and test asks."""

from __future__ import annotations

from datetime import datetime

from budaiscaler.domain.algorithms import budscaler, hpa
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.errors import InvalidSpecError


def decide(
    spec: ScalerSpec, observation: Observation, state: State, now: datetime
) -> tuple[Decision, State]:
    """Decide how many replicas a workload needs.

    Args:
        spec: a spec that passed `validation.parse_spec`.
        observation: the world as seen at `now`.
        state: what the previous decision for this scaler returned; `State()` for the first.
        now: aware time of the decision; nothing here reads a clock.

    Returns:
        The decision and the state for the next one.

    Raises:
        InvalidSpecError: for a strategy that this version does not decide.
    """
    if spec.scaling_strategy is Strategy.HPA:
        return hpa.decide(spec, observation, state, now)
    if spec.scaling_strategy is Strategy.BUD_SCALER:
        return budscaler.decide(spec, observation, state, now)
    raise InvalidSpecError(
        f"spec.scalingStrategy: {spec.scaling_strategy} is not decided by this version; use HPA "
        "or BudScaler"
    )
