"""The floor that schedules ask for, as a step of a decision.

It stands above what metrics, GPUs and forecasts want, and no dead band, damping or rate is applied
to it: who writes down when replicas are needed knows how many.
"""

from __future__ import annotations

from datetime import datetime

from budaiscaler.domain import schedules, times
from budaiscaler.domain.algorithms import limits, needs
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec
from budaiscaler.domain.decision import Code, NextChange, Observation, Rung, Stage, State
from budaiscaler.domain.schedules import Schedule


def of(spec: ScalerSpec, observation: Observation, state: State, now: datetime) -> Schedule:
    """Tell what the hints of a spec ask for."""
    return schedules.effective(spec.schedule_hints, state.begun, observation.startup_p95_s, now)


def raised(schedule: Schedule, count: int) -> tuple[int, tuple[Rung, ...]]:
    """Raise replicas to the floor; what holds is told, needed or not."""
    if schedule.hint is None:
        return count, ()
    after = max(count, schedule.floor)
    return after, (_rung(schedule, count, after),)


def raised_load(
    schedule: Schedule, load: float, spec: ScalerSpec, observation: Observation
) -> tuple[float, Rung | None]:
    """Raise a load to the floor, or past a dead band of the HPA that would swallow the step."""
    if schedule.hint is None:
        return load, None
    before, after = needs.ceil(load), float(schedule.floor)
    if after <= load:
        return load, _rung(schedule, before, before)
    told = _rung(schedule, before, schedule.floor)
    if observation.exact or spec.hpa.manage is Manage.NEVER:
        return after, told
    acting, past = limits.past_dead_band(after, observation.replicas.current)
    if past is None:
        return after, told
    message = f"{told.message}; {past.message}"
    return acting, Rung(Stage.SCHEDULE, past.code, before, past.after, message)


def decides(schedule: Schedule, load: float) -> bool:
    """Whether the floor is as good an answer as what the sources come to, with data or without."""
    return schedule.hint is not None and schedule.floor >= load


def next_change(
    schedule: Schedule, observation: Observation, desired: int, most: int, bound_by: Stage
) -> NextChange | None:
    """Tell when a hint changes the answer by itself.

    Args:
        schedule: as of now.
        observation: has what is paused.
        desired: the answer.
        most: replicas of the bounds.
        bound_by: what determined it.
    """
    found = []
    if not observation.paused.up:
        found += [
            NextChange(start.at, f"schedule hint {start.hint} asks for {start.replicas}")
            for start in schedule.starts
            if min(start.replicas, most) > desired
        ]
    if bound_by is Stage.SCHEDULE and schedule.until is not None:
        found.append(NextChange(schedule.until, f"schedule hint {schedule.hint} ends"))
    return earliest(*found)


def earliest(*changes: NextChange | None) -> NextChange | None:
    """Choose what comes first; of two at once the first one named."""
    return min((change for change in changes if change), key=lambda one: one.at, default=None)


def _rung(schedule: Schedule, before: int, after: int) -> Rung:
    end = f"until {times.rfc3339(schedule.until)}" if schedule.until else "without an end in sight"
    message = f"schedule hint {schedule.hint} asks for at least {schedule.floor} {end}"
    if after == before:
        message = f"{message}; {before} are wanted anyway"
    return Rung(Stage.SCHEDULE, Code.SCHEDULE_FLOOR, before, after, message)
