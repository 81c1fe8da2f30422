"""KPA and BudScaler: what holds for every spec, every observation and every memory."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import replace
from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from budaiscaler.domain.algorithms import sleeping, tuning
from budaiscaler.domain.api.budaiscaler import Mode
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Code, Decision, Observation, Stage, State
from budaiscaler.domain.readings import NoData
from tests import strategies
from tests.conftest import NOON
from tests.strategies import World


def _decided(world: World) -> Decision:
    return decide(world.spec, world.observation, world.state, NOON)[0]


def _is_switched_off(world: World) -> bool:
    return world.observation.replicas.current == 0 and world.spec.min_replicas >= 1


@given(strategies.acting_worlds())
def test_a_decision_lies_within_the_bounds(world: World) -> None:
    """For any input: fewest <= desired <= most, and 0 only where something would wake it."""
    decision = _decided(world)
    if _is_switched_off(world):
        assert decision.desired_replicas == 0
        return
    fewest = sleeping.fewest(world.spec, tuning.given(world.observation.annotations))
    assert fewest <= decision.desired_replicas <= world.spec.max_replicas
    assert decision.desired_load == decision.desired_replicas


@given(strategies.acting_worlds(says=strategies.good), st.data())
def test_more_of_any_source_never_asks_for_less(world: World, data: st.DataObject) -> None:
    """Monotone in each reading, whatever the others say; but nothing at all may wait for a wake-up.

    One that was woken for a load that is gone is not sent back while it starts.
    """
    assume(world.observation.replicas.ready > 0)
    source = data.draw(st.sampled_from(world.spec.metrics_sources))
    world = data.draw(st.sampled_from([world, world.calm()]))
    less, more = data.draw(strategies.two_values(source))
    below, above = _decided(world.told(source, less)), _decided(world.told(source, more))
    assert above.desired_replicas >= below.desired_replicas


@given(strategies.acting_worlds(), st.randoms())
def test_the_order_of_the_sources_makes_no_difference(world: World, random: Random) -> None:
    """Replicas and cause are the same however the list is written."""
    sources = list(world.spec.metrics_sources)
    random.shuffle(sources)
    spec = world.spec.model_copy(update={"metrics_sources": tuple(sources)})
    one, other = _decided(world), _decided(replace(world, spec=spec))
    assert (one.desired_replicas, one.bound_by) == (other.desired_replicas, other.bound_by)


@given(strategies.acting_worlds())
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


@given(strategies.acting_worlds())
def test_a_decision_replays_from_json(world: World) -> None:
    """What a log line has of observation and state gives the same decision and state again."""
    once = decide(world.spec, world.observation, world.state, NOON)
    observation, state = (
        json.loads(json.dumps(dataclasses.asdict(part), default=str))
        for part in (world.observation, world.state)
    )
    again = decide(
        world.spec,
        TypeAdapter(Observation).validate_python(observation),
        TypeAdapter(State).validate_python(state),
        NOON,
    )
    assert again == once


@given(strategies.acting_worlds())
def test_the_ladder_is_in_order_and_ends_in_the_result(world: World) -> None:
    """No rung stands above one of an earlier stage, and each begins where the last one ended."""
    decision = _decided(world)
    order = list(Stage)
    stages = [order.index(rung.stage) for rung in decision.rungs]
    assert stages == sorted(stages)
    assert decision.rungs[-1].after == decision.desired_replicas
    chained = [rung for rung in decision.rungs[:-1] if rung.stage is not Stage.SOURCE]
    for before, after in itertools.pairwise(chained):
        # A hold is of what was recommended; at least what stands is what comes of it.
        assert after.before == before.after or before.code is Code.HOLD


@given(strategies.acting_worlds())
def test_what_is_paused_does_not_move_but_for_the_bounds(world: World) -> None:
    """Neither panic nor an initial scale gets past a pause."""
    assume(not _is_switched_off(world))
    paused = replace(world.observation.paused, up=True, down=True)
    decision = _decided(replace(world, observation=replace(world.observation, paused=paused)))
    current = world.observation.replicas.current
    fewest = sleeping.fewest(world.spec, tuning.given(world.observation.annotations))
    assert decision.desired_replicas == min(max(current, fewest), world.spec.max_replicas)


@given(strategies.acting_worlds())
def test_when_it_would_change_by_itself_lies_ahead(world: World) -> None:
    """A time that has passed is no announcement."""
    next_change = _decided(world).next_change
    assert next_change is None or next_change.at > NOON


@given(strategies.acting_worlds())
def test_what_was_asked_for_is_remembered(world: World) -> None:
    """Where we act, the next decision knows it; and nothing of sources that are gone is kept."""
    assume(not _is_switched_off(world))
    decision, state = decide(world.spec, world.observation, world.state, NOON)
    assert world.spec.mode is Mode.AUTO
    assert state.asked == decision.desired_replicas
    assert set(state.kpa) <= {source.key for source in world.spec.metrics_sources}


@given(strategies.acting_worlds())
def test_a_second_look_at_once_changes_nothing(world: World) -> None:
    """Inside a window, and everywhere else: who decides twice on the same, decides the same."""
    first, state = decide(world.spec, world.observation, world.state, NOON)
    second, after = decide(world.spec, world.observation, state, NOON)
    assert second.desired_replicas == first.desired_replicas
    third, again = decide(world.spec, world.observation, after, NOON)
    assert (third, again) == (second, after)
