"""What would change an answer: the nearest value of each reading at which it is another one.

Found by asking `decide()` itself, which is monotone in every reading, and not by turning formulas
round: so it holds with every limit, hold and dead band, and each value told was tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Observation
from budaiscaler.domain.explaining.explanation import Explanation
from budaiscaler.domain.explaining.observations import Factor
from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import Observed, Reading

MOST = 1e12
"""No reading that matters is larger."""

WHOLE_PERCENT = 100.0
_WHOLES = {100.0: 1.0, 0.01: WHOLE_PERCENT}
"""The most of a share, by what makes its unit that of the target: no cache is fuller than full."""

HALVINGS = 60
DIGITS = 9
CLOSE = 0.01
"""How far from the exact value one with fewer digits may be."""

Ask = Callable[[float], int]


@dataclass(frozen=True, slots=True)
class Flip:
    """One change.

    Attributes:
        source: whose reading it takes, all others being as they are.
        value: of it, raw; the nearest one that needs few digits.
        is_up: whether it takes as much or more; else as much or less.
        desired: replicas then.
    """

    source: str
    value: float
    is_up: bool
    desired: int

    def __str__(self) -> str:
        sign = ">=" if self.is_up else "<="
        return f"{self.desired} needs {self.source} {sign} {_plain(self.value)}"


def find(explanation: Explanation, factor: Factor) -> Iterator[Flip]:
    """Find what each reading alone would have to be for one replica more, and for one fewer.

    Args:
        explanation: the decision.
        factor: of each source's unit.
    """
    seen = explanation.observation
    for source in explanation.subject.spec.metrics_sources:
        key, unit = source.key, factor(source)
        found = seen.readings.get(key)

        def with_reading(value: float, key: str = key, unit: float = unit) -> Observation:
            told = _told(seen.readings.get(key), value * unit)
            return replace(seen, readings={**seen.readings, key: told})

        value = found.value / unit if isinstance(found, Reading) else None
        yield from _of_one(explanation, key, value, with_reading, _WHOLES.get(unit, MOST))
    if isinstance(seen.gpu, GpuReading):
        yield from _of_gpus(explanation, seen.gpu)


def _of_gpus(explanation: Explanation, gpu: GpuReading) -> Iterator[Flip]:
    seen = explanation.observation
    if isinstance(gpu.memory, Reading):

        def with_memory(value: float) -> Observation:
            return replace(seen, gpu=replace(gpu, memory=_told(gpu.memory, value)))

        yield from _of_one(explanation, "gpu.memory", gpu.memory.value, with_memory, WHOLE_PERCENT)
    if isinstance(gpu.compute, Reading):

        def with_compute(value: float) -> Observation:
            return replace(seen, gpu=replace(gpu, compute=_told(gpu.compute, value)))

        yield from _of_one(
            explanation, "gpu.compute", gpu.compute.value, with_compute, WHOLE_PERCENT
        )


def _of_one(
    explanation: Explanation,
    name: str,
    value: float | None,
    with_reading: Callable[[float], Observation],
    most: float,
) -> Iterator[Flip]:
    desired = explanation.decision.desired_replicas

    def ask(tried: float) -> int:
        spec, state = explanation.subject.spec, explanation.state
        return decide(spec, with_reading(tried), state, explanation.now)[0].desired_replicas

    start = 0.0 if value is None else value
    up = _up(ask, start, most, desired)
    if up is not None:
        yield Flip(name, up, is_up=True, desired=ask(up))
    down = None if value is None else _down(ask, value, desired)
    if down is not None:
        yield Flip(name, down, is_up=False, desired=ask(down))


def _up(ask: Ask, start: float, most: float, desired: int) -> float | None:
    """The smallest value above which more are asked for."""
    low, high = start, max(1e-6, start)
    while ask(high) <= desired:
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if ask(middle) > desired else (middle, high)
    return _short(high, math.ceil, lambda value: ask(value) > desired)


def _down(ask: Ask, start: float, desired: int) -> float | None:
    """The largest value at which fewer are asked for."""
    if ask(0.0) >= desired:
        return None
    low, high = 0.0, start
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if ask(middle) < desired else (low, middle)
    return _short(low, math.floor, lambda value: ask(value) < desired)


def _short(exact: float, to_whole: Callable[[float], int], holds: Callable[[float], bool]) -> float:
    """Write it with as few digits as it still holds with."""
    for digits in range(DIGITS):
        scale = 10.0**digits
        # What bisection left is noise: 71.0000000001 is 71.
        for candidate in (round(exact * scale) / scale, to_whole(exact * scale) / scale):
            if abs(candidate - exact) <= CLOSE * exact and holds(candidate):
                return candidate
    return exact


def _told(found: Observed | None, value: float) -> Reading:
    """The same reading with another value; one that is missing is answered by everybody."""
    return replace(found, value=value) if isinstance(found, Reading) else Reading(value)


def _plain(value: float) -> str:
    return f"{value:.10g}"
