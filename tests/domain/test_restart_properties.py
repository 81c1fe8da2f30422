"""A decider that is restarted anywhere is never lower than one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from budaiscaler.domain import decision_state, windows
from budaiscaler.domain.algorithms import warming
from budaiscaler.domain.algorithms.kpa_source import Sample
from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.decide import decide
from budaiscaler.domain.decision import Decision, Observation, Replicas, State
from budaiscaler.domain.readings import Observed
from budaiscaler.domain.windows import Window
from tests import strategies
from tests.conftest import NOON
from tests.strategies import World

INTERVAL_S = 15.0

Past = Mapping[str, list[tuple[float, float]]]
"""How many seconds ago and what, by source."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen at one decision, and how long after the one before."""

    after_s: float
    seen: Observation


@dataclass(slots=True)
class Run:
    """Decides again and again."""

    spec: ScalerSpec
    state: State
    now: datetime = NOON

    def look(self, look: Look) -> Decision:
        self.now += timedelta(seconds=look.after_s)
        decision, self.state = decide(self.spec, look.seen, self.state, self.now)
        return decision

    def written(self) -> str:
        """What stands in the status after this decision."""
        target = self.spec.scale_target_ref
        return decision_state.to_text(self.state, target, self.now)


def _restarted(run: Run, written: str, next_look: Look, past: Past | None = None) -> Run:
    """Another run of the same, as of the time of `run`, that knows what was written.

    With a `past` it is also told what a server remembers of its totals, whatever that is.
    """
    now = run.now + timedelta(seconds=next_look.after_s)
    state = decision_state.restored(
        written,
        run.spec.scale_target_ref,
        next_look.seen.replicas,
        now,
        interval_s=INTERVAL_S,
    )
    told = {
        source: [Sample(total, now - timedelta(seconds=ago_s)) for ago_s, total in totals]
        for source, totals in (past or {}).items()
    }
    warm = warming.warmed(run.spec, next_look.seen, state, told, now, interval_s=INTERVAL_S)
    return Run(run.spec, warm, run.now)


@st.composite
def looks(
    draw: st.DrawFn, world: World, *, says: st.SearchStrategy[Observed], replicas: Replicas
) -> Look:
    """One look at that many replicas, at any readings, one interval after the last."""
    said = {source.key: draw(says) for source in world.spec.metrics_sources}
    seen = replace(world.observation, readings=said, replicas=replicas)
    return Look(draw(st.floats(0.9, 1.1)) * INTERVAL_S, seen)


past_totals = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 1e6) | st.just(0.0)), max_size=40)

any_world = st.one_of(strategies.worlds(), strategies.acting_worlds())


@given(any_world, st.data())
def test_a_restart_between_two_decisions_changes_nothing(world: World, data: st.DataObject) -> None:
    """Where everything that was seen is in the state, all decisions are those that would be."""
    run = Run(world.spec, world.state)
    first, *others = data.draw(
        st.lists(
            looks(world, says=strategies.observed, replicas=world.observation.replicas),
            min_size=2,
            max_size=6,
        )
    )
    run.look(first)
    again = _restarted(run, run.written(), others[0])
    for look in others:
        assert again.look(look) == run.look(look)


@st.composite
def full_worlds(draw: st.DrawFn) -> World:
    """A world of a strategy that acts, with more of a past than fits."""
    world, random = draw(strategies.acting_worlds()), Random(draw(st.integers(0, 2**32)))
    agos = range(1800, 0, -10)
    kpa = {key: replace(one, samples=_noisy(random)) for key, one in world.state.kpa.items()}
    state = replace(
        world.state,
        recommendations=tuple(
            (NOON - timedelta(seconds=ago), random.randint(0, 60)) for ago in agos
        ),
        changes=tuple((NOON - timedelta(seconds=ago), random.randint(-9, 9) or 1) for ago in agos),
        kpa=kpa,
    )
    return replace(world, state=state)


def _noisy(random: Random) -> Window:
    window = windows.of(180, 5)
    for ago_s in range(180, 0, -5):
        at = NOON - timedelta(seconds=ago_s)
        window = windows.keep_last(window, 100 * random.random(), at, NOON)
    return window


@settings(max_examples=40)  # what is drawn is large
@given(full_worlds(), st.data())
def test_a_state_that_is_thinned_lets_nothing_go(world: World, data: st.DataObject) -> None:
    """What does not fit into a status is left out so that what stands stays, if it would have.

    More than that may be forgotten: a spike that only the samples told of.
    """
    run = Run(world.spec, world.state)
    first, *others = data.draw(
        st.lists(
            looks(world, says=strategies.observed, replicas=world.observation.replicas),
            min_size=2,
            max_size=6,
        )
    )
    run.look(first)
    written = run.written()
    assert len(written) <= decision_state.MAX_BYTES
    again = _restarted(run, written, others[0])
    for look in others:
        kept = min(run.look(look).desired_replicas, look.seen.replicas.current)
        assert again.look(look).desired_replicas >= kept


@given(any_world, st.data())
def test_a_restart_after_a_gap_lets_nothing_go(world: World, data: st.DataObject) -> None:
    """Whatever was seen since, and is remembered of it: what stands, stays, if it would have."""
    run = Run(world.spec, world.state)
    some = st.lists(
        looks(world, says=strategies.observed, replicas=world.observation.replicas),
        min_size=1,
        max_size=6,
    )
    before, missed, after = data.draw(some), data.draw(some), data.draw(some)
    desired = [run.look(look).desired_replicas for look in before][-1]
    written = run.written()
    # Other replicas, wanted or there, are written at once.
    assume(all(run.look(look).desired_replicas == desired for look in missed))
    past = {source.key: data.draw(past_totals) for source in world.spec.metrics_sources}
    again = _restarted(run, written, after[0], past)
    for look in after:
        kept = min(run.look(look).desired_replicas, look.seen.replicas.current)
        assert again.look(look).desired_replicas >= kept
