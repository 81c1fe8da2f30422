"""The twin: what a plain HPA makes of the same traffic, in simulated time."""

from __future__ import annotations

from budaiscaler.domain.algorithms import hpa_controller_spec
from budaiscaler.playground import manifests
from budaiscaler.playground.cluster.starts import Starts
from budaiscaler.playground.fleet.fleet import Fleet
from budaiscaler.playground.traffic import rates
from budaiscaler.playground.traffic.arrivals import Arrivals
from budaiscaler.playground.twin import Twin

MINUTE_S = 60


def twin(replicas: int = 3, requests_per_s: float = 8.0) -> Twin:
    spec = hpa_controller_spec.read(manifests.plain_hpa())
    found = Twin(spec, Starts(60, 1), Fleet(), replicas)
    found.settle(requests_per_s)
    return found


def run(found: Twin, minutes: float, requests_per_s: float) -> Twin:
    for _ in range(int(minutes * MINUTE_S)):
        found.step(requests_per_s, 1.0)
    return found


def test_it_grows_under_load() -> None:
    """Four times the requests need more replicas, and after they started all is well again."""
    found = run(twin(), 15, 30.0)

    assert found.asked > 5
    assert found.ready == found.asked
    assert not found.fleet.is_over_target
    assert found.account.over_target_minutes > 0


def test_it_shrinks_after_its_window() -> None:
    """Five minutes after the load went, and not before."""
    found = run(twin(8, 30.0), 12, 30.0)
    run(found, 4, 4.0)
    assert found.asked >= 6
    run(found, 4, 4.0)
    assert found.asked <= 2


def test_without_metrics_it_freezes() -> None:
    """Neither up nor down, however much comes, until they are back."""
    found = twin()
    found.is_broken = True
    run(found, 1, 8.0)
    before = found.asked
    run(found, 20, 30.0)
    assert found.asked == before
    found.is_broken = False
    run(found, 5, 30.0)
    assert found.asked > before


def test_pods_that_are_lost_come_again() -> None:
    """And start as slowly as any; meanwhile those that are left have all of the load."""
    found = run(twin(6, 25.0), 1, 25.0)
    found.lose(3)
    run(found, 0.1, 25.0)
    assert found.ready == 3
    run(found, 6, 25.0)
    assert found.ready >= 6


def test_a_rollout_leaves_enough_ready() -> None:
    """At no time fewer than three quarters of what is asked for."""
    found = run(twin(8, 25.0), 1, 25.0)
    found.roll_out()
    fewest = min(run(found, 1 / MINUTE_S, 25.0).ready for _ in range(15 * MINUTE_S))
    assert fewest >= 4
    assert found.ready == found.asked


def test_the_same_seed_gives_the_same_story() -> None:
    """To the cent: nothing in it goes by a clock of its own."""

    def story() -> Twin:
        arrivals = Arrivals(rates.bursts(8.0, every_s=900, height=24, seed=5), 5)
        found = twin()
        for _ in range(30 * MINUTE_S):
            found.step(arrivals.next(), 1.0)
        return found

    one, other = story(), story()
    assert one.account == other.account
    assert one.rescales == other.rescales > 2
