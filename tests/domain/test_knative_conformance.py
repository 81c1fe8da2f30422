"""Knative's decider, by the cases of Knative's own tests.

Unless told: target 10, rates 10 both ways, panic at twice the supply, a stable window of 60 s, and
a decider that begins outside of panic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from budaiscaler.domain.algorithms import knative
from budaiscaler.domain.algorithms.knative import Averages, Config, Verdict, What
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import Memory
from tests.conftest import NOON

UTILISATION = 0.75
"""Share of a replica's capacity that Knative's tests take as its target."""


def _config(target: float = 10, **fields: Any) -> Config:
    rates = {"max_scale_up_rate": 10.0, "scale_down_to": 1 / 10, "stable_window_s": 60.0}
    return Config(target, **{**rates, **fields})


def _at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass(slots=True)
class Decider:
    """Remembers between the decisions."""

    config: Config
    memory: Memory = field(default_factory=Memory)

    def decide(self, ready: int, stable: float, panic: float, *, at_s: float = 0) -> Verdict:
        verdict, self.memory = knative.decide(
            self.config, self.memory, Averages(stable, panic), Replicas(ready, ready), _at(at_s)
        )
        return verdict

    def desired(self, ready: int, stable: float, panic: float, *, at_s: float = 0) -> int:
        return self.decide(ready, stable, panic, at_s=at_s).desired


Looks = Sequence[tuple[int, float, float, int]]
"""Ready replicas, stable and panic average, and what is desired; all at one time."""


@pytest.mark.parametrize(
    ("config", "looks"),
    [
        pytest.param(_config(), [(1, 50, 10, 5), (1, 100, 10, 10)], id="1-up-by-the-stable"),
        pytest.param(_config(), [(8, 100, 100, 10), (8, 50, 50, 5)], id="4-up-and-down"),
        pytest.param(_config(), [(1, 1, 0, 1), (1, 0, 0, 0)], id="5-one-and-none"),
        pytest.param(_config(activation_scale=2), [(1, 0, 0, 0)], id="6-none-is-not-activated"),
        pytest.param(_config(activation_scale=2), [(1, 1, 0, 2)], id="6-one-is-made-two"),
        pytest.param(
            _config(1),
            [
                (1, 6, 6, 6),
                (6, 36, 36, 36),
                (36, 216, 216, 216),
                (216, 1296, 1296, 1296),
                (1296, 1296, 1296, 1296),
            ],
            id="7-geometric-growth",
        ),
        pytest.param(
            _config(), [(1, 1000, 1001, 10), (10, 1000, 1001, 100)], id="8-limited-upwards"
        ),
        pytest.param(_config(), [(100, 1, 1, 10), (10, 1, 1, 1)], id="9-limited-downwards"),
        pytest.param(_config(1, max_scale_up_rate=1.1), [(2, 3, 3.1, 3)], id="10-a-small-rate-up"),
        pytest.param(_config(scale_down_to=1 / 1.1), [(100, 1, 1, 90)], id="11-a-small-rate-down"),
        pytest.param(
            _config(scale_down_to=1 / 1.1, is_reachable=False),
            [(100, 1, 1, 1)],
            id="11-nobody-can-reach-it",
        ),
        pytest.param(_config(181), [(1, 21, 26, 1)], id="14-one-is-plenty"),
        pytest.param(_config(), [(1, 50, 49, 5)], id="14-no-reserve"),
        pytest.param(_config(), [(0, 1000, 888, 10)], id="15-from-none-the-rate-is-of-one"),
    ],
)
def test_replicas_are_knatives(config: Config, looks: Looks) -> None:
    """Rows 1 and 4 to 15: averages, limits of both directions, activation."""
    decider = Decider(config)
    desired = [decider.desired(ready, stable, panic) for ready, stable, panic, _ in looks]
    assert desired == [expected for *_, expected in looks]


def test_panic_begins_lasts_and_ends() -> None:
    """Row 2: over twice the supply begins it, and a stable window later it is over."""
    decider = Decider(_config(1))
    assert decider.desired(10, 11, 25) == 25
    assert decider.memory.over_at == NOON
    assert decider.desired(40, 30, 41, at_s=30) == 41
    assert decider.memory.over_at == NOON
    assert decider.decide(55, 50, 56, at_s=62).panic_since is None
    assert decider.desired(55, 50, 56, at_s=62) == 50
    assert decider.memory.over_at is None


def test_panic_is_extended() -> None:
    """Row 3: over the threshold again it lasts a stable window from then."""
    decider = Decider(_config(1))
    assert decider.desired(10, 11, 25) == 25
    verdict = decider.decide(40, 30, 80, at_s=30)
    assert (verdict.desired, verdict.panic_since) == (80, NOON)
    assert decider.memory.over_at == _at(30)
    assert decider.decide(80, 30, 30, at_s=90).panic_since == NOON
    assert decider.decide(80, 30, 30, at_s=90.001).panic_since is None


def test_nothing_falls_in_panic() -> None:
    """Row 12: not before a stable window without any need over the threshold."""
    decider = Decider(_config())
    assert decider.desired(1, 100, 100) == 10
    assert decider.desired(10, 100, 1000) == 100
    assert decider.desired(10, 1, 1, at_s=30) == 100
    assert decider.desired(10, 1, 1, at_s=61) == 1


def test_a_new_decider_of_several_replicas_begins_in_panic() -> None:
    """Row 13: it has no history, so it keeps what it finds, and the panic average counts."""
    begun = knative.start(Replicas(5, 5), NOON)
    assert (begun.panic_since, begun.peak) == (NOON, 5)
    assert Decider(_config(1), begun).desired(5, 50, 30, at_s=5) == 50
    assert Decider(_config(1), begun).desired(5, 20, 30) == 30
    assert Decider(_config(1), begun).desired(5, 1, 1) == 5


@pytest.mark.parametrize("ready", [0, 1])
def test_a_new_decider_of_one_or_none_begins_calmly(ready: int) -> None:
    """There is nothing to keep."""
    assert knative.start(Replicas(ready, ready), NOON) == Memory()


def test_scale_down_is_delayed() -> None:
    """Row 16: the largest answer of five minutes stands, in buckets of two seconds."""
    patient = _config(panic_threshold=100, scale_down_delay_s=300)
    decider = Decider(patient)
    looks = [
        (2, 40, 4),
        (300, 0, 4),
        (302, 0, 0),
        (9 * 60, 40, 4),
        (10 * 60, 30, 4),
        (11 * 60, 0, 4),
        (14 * 60, 0, 3),
        (15 * 60, 0, 0),
    ]
    desired = [decider.desired(0, average, average, at_s=at_s) for at_s, average, _ in looks]
    assert desired == [expected for *_, expected in looks]


def test_nobody_waits_for_what_cannot_be_reached() -> None:
    """Row 16: the delay counts only while somebody may send requests."""
    decider = Decider(_config(panic_threshold=100, scale_down_delay_s=300))
    assert decider.desired(0, 40, 40) == 4
    decider.config = _config(panic_threshold=100, scale_down_delay_s=300, is_reachable=False)
    assert decider.desired(0, 0, 0, at_s=2) == 0


def test_a_spec_may_change_between_decisions() -> None:
    """Row 17: another target counts from the next one on, in panic or not."""
    decider = Decider(_config())
    assert decider.desired(1, 100, 101) == 10
    decider.config = _config(1)
    assert decider.desired(10, 100, 101) == 100


def test_without_a_delay_the_last_answer_counts() -> None:
    """Row 18: a window of one bucket would keep the larger of two that fall into it."""
    decider = Decider(_config(panic_threshold=100))
    assert decider.desired(1, 40, 40) == 4
    assert decider.desired(1, 20, 20, at_s=0.5) == 2


@pytest.mark.parametrize(
    ("target", "reserve", "ready", "panic", "left"),
    [
        pytest.param(10, 101, 1, 10, -98, id="1"),
        pytest.param(1, 98, 10, 25, -110, id="2"),
        pytest.param(1, 98, 40, 41, -86, id="2-after-30s"),
        pytest.param(1, 98, 55, 56, -81, id="2-after-62s"),
        pytest.param(10, 98, 8, 100, -92, id="4"),
        pytest.param(10, 98, 8, 50, -42, id="4-later"),
        pytest.param(10, 75, 1, 0, -62, id="5"),
        pytest.param(1, 1982, 2, 3.1, -1983, id="10"),
        pytest.param(10, 1982, 100, 1, -650, id="11"),
        pytest.param(1, 100, 5, 30, -124, id="13"),
        pytest.param(181, -1, 1, 26, -1, id="14-never-enough"),
        pytest.param(10, 0, 1, 49, 0, id="14-none-wanted"),
        pytest.param(10, 81, 0, 888, -969, id="15-none-ready-counts-as-none"),
    ],
)
def test_excess_burst_capacity_is_knatives(
    target: float, reserve: float, ready: int, panic: float, left: float
) -> None:
    """What is left of the ready capacity, within one as in Knative's tests."""
    capacity = target / UTILISATION
    found = knative.excess_burst_capacity(ready, capacity, reserve, panic)
    assert found == pytest.approx(left, abs=1)


@pytest.mark.parametrize(
    ("config", "look", "what", "says"),
    [
        pytest.param(
            _config(),
            (4, 62, 0),
            What.STABLE_AVERAGE,
            "average of 60 s: 62 / 10 a replica = 6.2 replicas",
            id="stable",
        ),
        pytest.param(
            _config(),
            (4, 62, 71),
            What.PANIC_AVERAGE,
            "in panic: average of 6 s: 71 / 10 a replica = 7.1 replicas, rounded up at least 2 x "
            "the 4 that are ready or start",
            id="panic",
        ),
        pytest.param(
            _config(max_scale_up_rate=1.5, panic_threshold=100),
            (4, 100, 100),
            What.CAPPED_UP,
            "capped at 6: one decision multiplies 4 ready by 1.5 at most",
            id="capped",
        ),
        pytest.param(
            _config(scale_down_to=0.5),
            (4, 0, 0),
            What.CAPPED_DOWN,
            "not below 2: one decision keeps 0.5 of 4 ready",
            id="not-below",
        ),
        pytest.param(
            _config(activation_scale=2),
            (1, 1, 0),
            What.ACTIVATION_SCALE,
            "2 are the fewest while there is any need",
            id="activation",
        ),
    ],
)
def test_a_verdict_explains_itself(
    config: Config, look: tuple[int, float, float], what: What, says: str
) -> None:
    """Each step that changes something says so with its numbers, and the last is the answer."""
    verdict = Decider(config).decide(*look)
    assert {step.what: step.message for step in verdict.steps}[what] == says
    assert verdict.steps[-1].after == verdict.desired


def test_a_verdict_tells_how_long_panic_holds_it() -> None:
    """It names when panic began and ends, and when it may fall."""
    decider = Decider(_config())
    decider.desired(4, 62, 90)
    held = decider.decide(9, 10, 10, at_s=10)
    assert held.steps[-1].message == (
        "in panic since 2026-01-05T12:00:00Z, so not lower than 9; it ends after "
        "2026-01-05T12:01:00Z unless the need is over the threshold again"
    )
    assert (held.desired, held.changes_at) == (9, _at(60))
    assert decider.desired(9, 10, 10, at_s=60) == 9
    free = decider.decide(9, 10, 10, at_s=60.001)
    assert (free.desired, free.changes_at) == (1, None)


def test_a_verdict_tells_how_long_it_is_delayed() -> None:
    """It names the answer that stands, and when that leaves the delay."""
    decider = Decider(_config(scale_down_delay_s=90))
    decider.desired(9, 85, 85)
    delayed = decider.decide(9, 10, 10, at_s=50)
    assert delayed.steps[-1].message == (
        "delayed by 90 s: 9 is the most that was decided in them, until 2026-01-05T12:01:30Z"
    )
    assert (delayed.desired, delayed.changes_at) == (9, _at(90))
    assert decider.desired(9, 10, 10, at_s=89) == 9
    free = decider.decide(9, 10, 10, at_s=90)
    assert (free.desired, free.changes_at) == (1, None)


def test_what_panic_holds_is_delayed_after_it() -> None:
    """Each decision in panic is one of the delay, so it may fall only when both are over."""
    decider = Decider(_config(scale_down_delay_s=90))
    decider.desired(4, 62, 90)
    assert decider.decide(9, 10, 10, at_s=10).changes_at == _at(150)
    assert decider.desired(9, 10, 10, at_s=60) == 9
    assert decider.desired(9, 10, 10, at_s=149) == 9
    assert decider.desired(9, 10, 10, at_s=150) == 1


@pytest.mark.parametrize(
    ("averages", "load", "desired"),
    [
        pytest.param((62, 0), 6.2, 7, id="as-needed"),
        pytest.param((1000, 0), 40, 40, id="capped"),
        pytest.param((0, 0), 0, 0, id="none"),
    ],
)
def test_a_load_comes_with_the_replicas(
    averages: tuple[float, float], load: float, desired: int
) -> None:
    """It is the need before rounding up, unless something else than the need decided."""
    verdict = Decider(_config()).decide(4, *averages)
    assert (verdict.load, verdict.desired) == (load, desired)
