"""A part of a total is no low load, whatever the strategy and whatever else is known."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from budaiscaler.domain.api import promql
from budaiscaler.domain.api.sources import TargetType
from budaiscaler.domain.decide import decide
from budaiscaler.domain.readings import Reading
from tests import strategies
from tests.conftest import NOON
from tests.strategies import World

wild = st.one_of(strategies.worlds(), strategies.acting_worlds())
any_world = wild | wild.map(World.calm)
"""In a wild world much else holds, so that a part seldom matters there."""


@given(any_world, st.data())
def test_a_part_of_a_total_never_scales_down(world: World, data: st.DataObject) -> None:
    """While less than four fifths of any total contribute, what stands stays."""
    totals = [
        source
        for source in world.spec.metrics_sources
        if promql.target_type(source)[0] is TargetType.AVERAGE_VALUE
    ]
    assume(totals)
    source = data.draw(st.sampled_from(totals))
    of = data.draw(st.integers(2, 70))
    part = Reading(
        data.draw(st.floats(0, 1e6)), 0.0, data.draw(st.integers(0, of * 4 // 5 - 1)), of
    )
    said = {**world.observation.readings, source.key: part}
    seen = replace(world.observation, readings=said)
    # What has been a part for a whole bound is no part any more.
    decision, _ = decide(world.spec, seen, replace(world.state, coverage={}), NOON)
    assert decision.desired_replicas >= min(seen.replicas.current, world.spec.max_replicas)


@given(any_world, st.data())
def test_fewer_series_than_before_never_scale_down(world: World, data: st.DataObject) -> None:
    """Nobody tells how many there should be: then as many as there were, with as many replicas."""
    totals = [
        source
        for source in world.spec.metrics_sources
        if promql.target_type(source)[0] is TargetType.AVERAGE_VALUE
    ]
    assume(totals)
    source = data.draw(st.sampled_from(totals))
    before = data.draw(st.integers(2, 70))
    after = data.draw(st.integers(0, before * 4 // 5 - 1))
    load = st.floats(0, 1e6)

    def seen(answered: int) -> World:
        said = {source.key: Reading(data.draw(load), 0.0, answered)}
        readings = {**world.observation.readings, **said}
        return replace(world, observation=replace(world.observation, readings=readings))

    first = seen(before)
    state = replace(world.state, coverage={})
    _, state = decide(world.spec, first.observation, state, NOON)
    decision, _ = decide(world.spec, seen(after).observation, state, NOON)
    current = world.observation.replicas.current
    assert decision.desired_replicas >= min(current, world.spec.max_replicas)
