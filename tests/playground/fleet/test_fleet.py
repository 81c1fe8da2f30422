"""Servers of one workload: they share what comes, and what one leaves behind is not lost."""

from __future__ import annotations

import math

import pytest

from budaiscaler.playground.fleet.fleet import Account, Fleet


def test_requests_are_shared_evenly() -> None:
    """Each of three servers gets a third."""
    fleet = Fleet()
    fleet.follow(["a", "b", "c"])
    fleet.step(9.0, 1.0)

    assert {round(one.running, 6) for one in fleet.engines.values()} == {
        round(fleet.in_flight / 3, 6)
    }


def test_what_a_lost_server_had_comes_again() -> None:
    """Its requests are sent anew to those that are left."""
    fleet = Fleet()
    fleet.follow(["a", "b"])
    fleet.settle(8.0)
    before = fleet.in_flight
    fleet.follow(["b"])

    assert fleet.in_flight == pytest.approx(before)
    fleet.step(0.0, 1.0)
    assert fleet.at_the_door == 0


def test_without_a_server_requests_wait_at_the_door() -> None:
    """Nobody is served, so that the wait has no end, until a server is there."""
    fleet = Fleet()
    missed = [fleet.is_over_target]
    fleet.step(5.0, 1.0)
    missed.append(fleet.is_over_target)

    assert (fleet.in_flight, fleet.first_token_s) == (5.0, math.inf)
    fleet.follow(["a"])
    fleet.step(0.0, 1.0)
    assert [*missed, fleet.is_over_target] == [False, True, False]


def test_too_few_servers_miss_the_target() -> None:
    """Two are enough for eight requests a second, and one is not."""
    enough, few = Fleet(), Fleet()
    enough.follow(["a", "b"])
    few.follow(["a"])
    enough.settle(8.0)
    few.settle(8.0)

    assert not enough.is_over_target
    assert few.is_over_target


def test_an_account_adds_up_what_is_paid_for() -> None:
    """Pods that start cost as much as others; replicas are those that were asked for."""
    account = Account()
    account.note(asked=2, paid=2, is_over=False, for_s=1800)
    account.note(asked=4, paid=3, is_over=True, for_s=60)
    account.note(asked=3, paid=4, is_over=False, for_s=1800)

    assert account.replica_hours == pytest.approx(1 + 0.05 + 2)
    assert account.cost(12.0) == pytest.approx(36.6)
    assert account.over_target_minutes == 1
    assert (account.replicas_min, account.replicas_max, account.replicas_last) == (2, 4, 3)


def test_a_server_that_starts_is_there_and_gets_nothing() -> None:
    """It answers whoever asks for its page, and is the same one when it is ready."""
    fleet = Fleet()
    fleet.follow(["a"], ["b"])
    fleet.step(5.0, 1.0)
    starting = fleet.engine("b")
    fleet.follow(["a", "b"])

    assert starting is not None
    assert starting.running == 0
    assert fleet.engine("b") is starting
    assert fleet.engine("c") is None
