"""A decision with everything that explains it, for people and for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from budaiscaler.domain import conditions, times
from budaiscaler.domain.conditions import Condition
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, State
from budaiscaler.domain.explaining import observations, steady
from budaiscaler.domain.explaining.observations import Factor, ObservationGiven
from budaiscaler.domain.explaining.subjects import Subject


@dataclass(frozen=True, slots=True)
class Explanation:
    """One decision.

    Attributes:
        given: the observation as it was written.
        observation: the same as the decision saw it.
        state: that it was decided with.
    """

    subject: Subject
    given: ObservationGiven
    observation: Observation
    state: State
    decision: Decision
    now: datetime

    @property
    def desired_load(self) -> float | None:
        """What is published; None where the HPA reads every source itself."""
        return self.decision.desired_load if self.decision.publishes else None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those of the decision, and what of the observation does not decide yet."""
        found = self.decision.conditions
        if not self.given.without_effect:
            return found
        told = "; ".join(f"observation: {name}" for name in self.given.without_effect)
        kind, reason = conditions.FIELDS_WITHOUT_EFFECT, "NotYetSupported"
        before = next((one for one in found if one.type == kind), None)
        message = f"without effect: {told}" if before is None else f"{before.message}; {told}"
        others = tuple(one for one in found if one.type != kind)
        return (*others, Condition(kind, "True", reason, message))


def explain(
    subject: Subject, given: ObservationGiven, now: datetime, factor: Factor
) -> Explanation:
    """Decide once, as if the world had been like this for long.

    Args:
        subject: the scaler.
        given: what is seen.
        now: time of the decision.
        factor: of each source's unit.
    """
    given = given.model_copy(update={"now": now})
    seen = observations.observation(given, subject, now, factor)
    state = steady.state(subject.spec, seen.replicas.current, now, given.last_scale_time)
    decision, _ = decide(subject.spec, seen, state, now)
    return Explanation(subject, given, seen, state, decision, now)


def to_json(explanation: Explanation) -> dict[str, Any]:
    """Render as `-o json` does; codes are in `docs/codes.md`."""
    decision = explanation.decision
    following = decision.next_change
    return {
        "desiredReplicas": decision.desired_replicas,
        "desiredLoad": explanation.desired_load,
        "boundBy": str(decision.bound_by),
        "reasons": [
            {
                "stage": str(rung.stage),
                "code": str(rung.code),
                "from": rung.before,
                "to": rung.after,
                "message": rung.message,
            }
            for rung in decision.rungs
        ],
        "conditions": [
            {
                "type": one.type,
                "status": one.status,
                "reason": one.reason,
                "message": one.message,
            }
            for one in explanation.conditions
        ],
        "next": None
        if following is None
        else {"time": times.rfc3339(following.at), "message": following.message},
        "inputs": _finite(observations.to_json(explanation.given)),
    }


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; null is no data, too."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
