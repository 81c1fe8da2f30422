"""`decide()`: the one function that every server, tool and test asks."""

from __future__ import annotations

from datetime import datetime

from budaiscaler.domain.algorithms import budscaler, hpa, kpa
from budaiscaler.domain.api.budaiscaler import ScalerSpec, Strategy
from budaiscaler.domain.decision import Decision, Observation, State


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
    """
    match spec.scaling_strategy:
        case Strategy.HPA:
            return hpa.decide(spec, observation, state, now)
        case Strategy.KPA:
            return kpa.decide(spec, observation, state, now)
        case Strategy.BUD_SCALER:  # pragma: no branch - there are no more
            return budscaler.decide(spec, observation, state, now)
