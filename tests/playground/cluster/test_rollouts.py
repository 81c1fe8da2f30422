"""Sizes of ReplicaSets while a Deployment rolls out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.playground.cluster import rollouts
from budaiscaler.playground.cluster.rollouts import Part


def test_without_an_older_template_the_size_is_what_is_asked_for() -> None:
    """Up and down at once, whatever is ready."""
    assert rollouts.sizes(8, Part("new", 3, 0), []) == {"new": 8}
    assert rollouts.sizes(2, Part("new", 8, 8), [Part("old", 0, 0)]) == {"new": 2}


def test_a_rollout_adds_a_quarter_and_takes_a_quarter() -> None:
    """Of eight, two more at most are there, and two fewer at most are ready."""
    first = rollouts.sizes(8, Part("new", 0, 0), [Part("old", 8, 8)])

    assert first == {"new": 2, "old": 6}


def test_old_pods_wait_until_new_ones_serve() -> None:
    """New pods that load their model take no old one's place; one that serves does."""
    waiting = rollouts.sizes(8, Part("new", 4, 0), [Part("old", 6, 6)])
    served = rollouts.sizes(8, Part("new", 4, 3), [Part("old", 6, 6)])

    assert waiting["old"] == 6
    assert served["old"] == 3


def test_a_rollout_that_is_overtaken_by_another_ends_with_the_newest() -> None:
    """However often the sizes are followed, only the newest template is left."""
    parts = {"new": [0, 0], "middle": [3, 1], "old": [5, 5]}
    for _ in range(20):
        new, *old = (Part(name, *counts) for name, counts in parts.items())
        wanted = rollouts.sizes(8, new, list(reversed(old)))
        for name, size in wanted.items():
            parts[name] = [size, size]  # and all of them get ready

    assert parts == {"new": [8, 8], "middle": [0, 0], "old": [0, 0]}


@given(
    replicas=st.integers(0, 50),
    new=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    old=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=3),
)
def test_enough_stays_ready(
    replicas: int, new: tuple[int, int], old: list[tuple[int, int]]
) -> None:
    """No step takes more than a quarter of what is asked for out of what is ready already."""
    newest = Part("new", new[0], min(new))
    others = [Part(str(at), one[0], min(one)) for at, one in enumerate(old)]
    wanted = rollouts.sizes(replicas, newest, others)
    if not any(one.size for one in others):
        return

    all_ready = all(one.ready == one.size for one in others)
    left = min(wanted["new"], newest.ready) + sum(
        min(wanted.get(one.name, 0), one.ready) for one in others
    )
    before = newest.ready + sum(one.ready for one in others)
    if all_ready and newest.size <= replicas:
        assert left >= min(before, replicas - replicas // 4)
    assert all(size >= 0 for size in wanted.values())
