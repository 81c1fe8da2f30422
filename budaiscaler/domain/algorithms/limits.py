"""What stands between a need and the answer: the dead band, a pause, capacity, and the bounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from budaiscaler.domain.algorithms.needs import ceil
from budaiscaler.domain.api.behavior import DEFAULT_TOLERANCE
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec
from budaiscaler.domain.capacity import is_out
from budaiscaler.domain.decision import Code, NextChange, Observation, Rung, Stage
from budaiscaler.domain.pausing import Pausing

SLACK = 1e-9
"""Of a ratio: 1.1 computed as 1.1000000000000001 is still inside a dead band of 0.1."""

ZERO_TOLERANCE_UP = 1.02
ZERO_TOLERANCE_DOWN = 0.98
"""With tolerance 0 an exact 10 -> 11 acts, and two percent of noise does not."""


def tolerance(
    spec: ScalerSpec, load: float, current: int, *, exact: bool
) -> tuple[float, Rung | None]:
    """Answer the current replicas while the load is inside the dead band.

    Args:
        spec: has the band.
        load: in replicas.
        current: the replicas that stand.
        exact: see `Observation.exact`.
    """
    if current in (0, load):
        return load, None
    band = spec.tolerance_up() if load > current else spec.tolerance_down()
    if band > 0:
        held = abs(load / current - 1) <= band + SLACK
        where = f"within {band:.3g} of {current}"
    elif load > current:
        held = load <= ZERO_TOLERANCE_UP * current + SLACK
        where = f"not above {ZERO_TOLERANCE_UP:g} x {current}"
    else:
        # Nothing at all is no noise: without this, one replica would never become none.
        held = load > 0 and load >= ZERO_TOLERANCE_DOWN * (current - 1) - SLACK
        where = f"not below {ZERO_TOLERANCE_DOWN:g} x {current - 1}"
    if held:
        message = f"a load of {load:.4g} is {where}"
        rung = Rung(Stage.TOLERANCE, Code.WITHIN_TOLERANCE, ceil(load), current, message)
        return float(current), rung
    if not exact and spec.hpa.manage is Manage.AUTO:
        return past_dead_band(load, current)
    return load, None


def past_dead_band(load: float, current: int) -> tuple[float, Rung | None]:
    """Make a step up that our HPA would not take the smallest one that it does."""
    if not current < load <= (1 + DEFAULT_TOLERANCE + SLACK) * current:
        return load, None
    step = 11 * current // 10 + 1
    message = (
        f"the API server drops an HPA's tolerance, and its own of {DEFAULT_TOLERANCE:g} would not "
        f"let {current} rise to a load of {load:.4g}: {step} is the least that acts"
    )
    return float(step), Rung(Stage.TOLERANCE, Code.PAST_DEAD_BAND, ceil(load), step, message)


def pause(paused: Pausing, load: float, current: int) -> tuple[float, Rung | None]:
    """Answer the current replicas where the load leads a way that is paused."""
    if load > current and paused.up:
        way = f"a load of {load:.4g} would need more than {current}"
    elif load < current and paused.down:
        way = f"a load of {load:.4g} would need fewer than {current}"
    else:
        return load, None
    message = f"{way}, but {paused.message}"
    return float(current), Rung(Stage.GATE, Code.PAUSED, ceil(load), current, message)


def pause_ends(paused: Pausing, rung: Rung | None) -> NextChange | None:
    """Tell when a pause that holds ends by itself."""
    if rung is None or paused.until is None:
        return None
    return NextChange(paused.until, "the pause ends")


def not_below(floor: int, answer: int, held: Rung | None) -> tuple[int, Rung | None]:
    """Let a floor through what holds growth back."""
    if held is None or answer >= floor:
        return answer, held
    if floor >= held.before:
        return floor, None
    message = f"{held.message}; a schedule's floor of {floor} is not held back"
    return floor, replace(held, after=floor, message=message)


def only_placed(placed: int, answer: int, held: Rung | None) -> tuple[int, Rung | None]:
    """Let replicas go that never had a place, whatever holds the others."""
    if held is None or held.code is Code.DISABLED or answer <= max(placed, held.before):
        return answer, held
    if placed <= held.before:
        return held.before, None
    message = f"{held.message}; {answer - placed} that never had a place go at once"
    return placed, replace(held, after=placed, message=message)


def capacity(observation: Observation, load: float, now: datetime) -> tuple[float, Rung | None]:
    """Ask for no more where what was asked for has had no place for minutes."""
    replicas = observation.replicas
    current, unplaced = replicas.current, replicas.unplaced
    if load <= current or not is_out(observation.shortage, unplaced, now):
        return load, None
    message = f"{ceil(load)} are wanted, and {unplaced} of {current} have had no place for long"
    return float(current), Rung(Stage.BOUNDS, Code.CAPACITY_LIMITED, ceil(load), current, message)


def bounds(load: float, low: int, high: int) -> tuple[float, Rung | None]:
    """Keep the load between the fewest and the most replicas."""
    if load > high:
        message = f"a load of {load:.4g} is above maxReplicas {high}"
        return float(high), Rung(Stage.BOUNDS, Code.MAX_REPLICAS, ceil(load), high, message)
    if load < low:
        message = f"a load of {load:.4g} is below the fewest replicas, {low}"
        return float(low), Rung(Stage.BOUNDS, Code.MIN_REPLICAS, ceil(load), low, message)
    return load, None
