"""HPA strategy: what holds for every spec, every observation and every memory."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from budaiscaler.domain import readings
from budaiscaler.domain.api import quantity
from budaiscaler.domain.api.budaiscaler import Manage, ScalerSpec
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, Replicas, Shortfall, State
from budaiscaler.domain.readings import NoData
from tests import samples, strategies
from tests.conftest import NOON
from tests.strategies import World


def _decided(world: World) -> Decision:
    return decide(world.spec, world.observation, world.state, NOON)[0]


def _is_switched_off(world: World) -> bool:
    return world.observation.replicas.current == 0 and world.spec.min_replicas >= 1


@given(strategies.worlds())
def test_a_decision_lies_within_the_bounds(world: World) -> None:
    """For any input, NaN and int32 extremes included: fewest <= desired <= most, or left at 0."""
    decision = _decided(world)
    if _is_switched_off(world):
        assert decision.desired_replicas == 0
        return
    fewest = world.spec.min_replicas
    if world.spec.hpa.manage is Manage.AUTO:
        fewest = max(1, fewest)
    assert fewest <= decision.desired_replicas <= world.spec.max_replicas


@given(strategies.worlds())
def test_the_published_load_gives_the_decided_replicas(world: World) -> None:
    """HPA, with a target of 1 a replica, arrives where `decide` did."""
    decision = _decided(world)
    published = quantity.parse(quantity.format_milli(decision.desired_load))
    assert math.ceil(published) == decision.desired_replicas


@given(strategies.worlds(says=strategies.good), st.data())
def test_more_of_any_source_never_asks_for_less(world: World, data: st.DataObject) -> None:
    """Monotone in each reading, whatever the others say and whatever is held."""
    source = data.draw(st.sampled_from(world.spec.metrics_sources))
    world = data.draw(st.sampled_from([world, world.calm()]))
    less, more = data.draw(strategies.two_values(source))
    below, above = _decided(world.told(source, less)), _decided(world.told(source, more))
    assert above.desired_replicas >= below.desired_replicas
    if world.observation.exact:
        assert above.desired_load >= below.desired_load


@given(strategies.worlds(), st.randoms())
def test_the_order_of_the_sources_makes_no_difference(world: World, random: Random) -> None:
    """Load and cause are the same however the list is written."""
    sources = list(world.spec.metrics_sources)
    random.shuffle(sources)
    spec = world.spec.model_copy(update={"metrics_sources": tuple(sources)})
    shuffled = replace(world, spec=spec)
    one, other = _decided(world), _decided(shuffled)
    assert (one.desired_load, one.bound_by, one.next_change) == (
        other.desired_load,
        other.bound_by,
        other.next_change,
    )


@given(strategies.worlds())
def test_the_same_inputs_give_the_same_decision_and_state(world: World) -> None:
    """A log line replays to the bit: nothing but the arguments plays a part."""
    once = decide(world.spec, world.observation, world.state, NOON)
    again = decide(world.spec, world.observation, world.state, NOON)
    assert once == again


@given(strategies.worlds())
def test_a_missing_source_never_scales_down(world: World) -> None:
    """With any source absent, the result is at least what stands, as far as the bounds let it."""
    said = world.observation.readings
    assume(
        any(
            isinstance(said.get(source.key), NoData | None) for source in world.spec.metrics_sources
        )
    )
    current = world.observation.replicas.current
    assert _decided(world).desired_replicas >= min(current, world.spec.max_replicas)


@given(strategies.worlds())
def test_a_shortfall_never_lowers_the_recommendation_within_its_bound(world: World) -> None:
    """However few are ready and whatever the sources say: what was asked for, or what stands."""
    replicas, recommended = world.observation.replicas, world.state.recommended_load
    assume(replicas.lost_or_starting and not _is_switched_off(world))
    observation = replace(world.observation, startup_p95_s=None)
    missing = replicas.lost_or_starting
    begins = replace(world.state, shortfall=Shortfall(NOON, NOON, missing, missing, NOON))
    _, state = decide(world.spec, observation, begins, NOON + timedelta(minutes=9))
    assert state.recommended_load is not None
    floor = replicas.current if recommended is None else min(recommended, replicas.current)
    assert state.recommended_load >= floor


@given(strategies.specs(of=(samples.total,)), st.integers(1, 200), st.data())
def test_a_decision_that_was_followed_is_not_changed_again(
    spec: ScalerSpec, current: int, data: st.DataObject
) -> None:
    """With totals only: once the desired replicas stand and are ready, the same load keeps them."""
    said = {
        source.key: readings.reading(data.draw(st.floats(0, 500 * source.target)))
        for source in spec.metrics_sources
    }
    first, state = decide(spec, Observation(Replicas(current, current), said), State(), NOON)
    there = Replicas(first.desired_replicas, first.desired_replicas)
    second, _ = decide(spec, Observation(there, said), state, NOON + timedelta(seconds=15))
    assert second.desired_replicas == first.desired_replicas
