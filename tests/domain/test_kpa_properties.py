"""KPA for one source: what holds for every configuration and every history."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.algorithms import kpa_source
from budaiscaler.domain.algorithms.knative import Config, Verdict
from budaiscaler.domain.algorithms.kpa_source import NoVerdict, Sample
from budaiscaler.domain.algorithms.needs import MAX_NEED
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import KpaState
from tests.conftest import NOON


@dataclass(frozen=True, slots=True)
class Look:
    """What is there at one decision."""

    after_s: float
    total: float | None
    replicas: Replicas


@st.composite
def replicas(draw: st.DrawFn) -> Replicas:
    """Pods in any state, a rollout's surge included."""
    current = draw(st.integers(0, 40))
    return Replicas(current, draw(st.integers(0, current + 3)), draw(st.integers(0, 5)))


totals = st.floats(0, 500) | st.sampled_from([0.0, 1e308])

looks = st.builds(
    Look,
    after_s=st.sampled_from([0, 1, 2, 5, 5, 5, 30, 70, 200]),
    total=st.none() | totals,
    replicas=replicas(),
)

configs = st.builds(
    Config,
    target=st.floats(0.1, 100),
    stable_window_s=st.floats(30, 600),
    panic_window_s=st.floats(1, 30),
    panic_threshold=st.floats(1.1, 10),
    max_scale_up_rate=st.floats(1, 10),
    max_scale_up_rate_in_panic=st.none() | st.just(1000.0),
    scale_down_to=st.floats(0, 1),
    activation_scale=st.integers(1, 5),
    scale_down_delay_s=st.sampled_from([0.0, 0.0, 60.0, 3600.0]),
    is_reachable=st.booleans(),
)

Found = Verdict | NoVerdict


def _played(
    config: Config, looks: list[Look], state: KpaState | None = None
) -> tuple[list[Found], KpaState, datetime]:
    state, now, found = state or KpaState(), NOON, []
    for look in looks:
        now += timedelta(seconds=look.after_s)
        sample = None if look.total is None else Sample(look.total, now)
        one, state = kpa_source.step(config, state, sample, look.replicas, now)
        found.append(one)
    return found, state, now


histories = st.lists(looks, max_size=30)


@given(configs, st.lists(looks, min_size=2, max_size=30))
def test_nothing_falls_in_panic(config: Config, history: list[Look]) -> None:
    """From one verdict of a panic to the next, whatever replicas are lost in between.

    But a delay may end in one, and what only it held goes then, as Knative has it.
    """
    found, _, _ = _played(replace(config, scale_down_delay_s=0.0), history)
    verdicts = [one for one in found if isinstance(one, Verdict)]
    for before, after in itertools.pairwise(verdicts):
        if before.panic_since is not None and before.panic_since == after.panic_since:
            assert after.desired >= before.desired


@given(configs, histories, looks)
def test_a_replay_decides_the_same(config: Config, history: list[Look], look: Look) -> None:
    """The same look at the same time gives the same verdict and state."""
    _, state, now = _played(config, history)
    sample = None if look.total is None else Sample(look.total, now)
    first, after = kpa_source.step(config, state, sample, look.replicas, now)
    assert kpa_source.step(config, state, sample, look.replicas, now) == (first, after)


@given(configs, histories, looks)
def test_a_second_look_at_once_changes_nothing(
    config: Config, history: list[Look], look: Look
) -> None:
    """Two decisions on one sample are one: no step is taken twice."""
    _, state, now = _played(config, history)
    sample = None if look.total is None else Sample(look.total, now)
    first, state = kpa_source.step(config, state, sample, look.replicas, now)
    second, after = kpa_source.step(config, state, sample, look.replicas, now)
    assert after == state
    if isinstance(first, Verdict):
        assert isinstance(second, Verdict)
        assert (second.desired, second.averages) == (first.desired, first.averages)


@given(configs, histories, replicas(), totals, st.floats(0, 1e6))
def test_more_load_never_asks_for_less(
    config: Config, history: list[Look], replicas: Replicas, total: float, more: float
) -> None:
    """Monotone in the sample, whatever came before it."""
    _, state, now = _played(config, history)
    less, _ = kpa_source.step(config, state, Sample(total, now), replicas, now)
    higher = Sample(min(total + more, 1e308), now)
    above, _ = kpa_source.step(config, state, higher, replicas, now)
    assert isinstance(less, Verdict)
    assert isinstance(above, Verdict)
    assert above.desired >= less.desired


@given(configs, histories, looks)
def test_a_verdict_is_bounded_by_the_rates(config: Config, history: list[Look], look: Look) -> None:
    """Up by the rate, or what stands, or what panic and delay hold; down by the rate."""
    _, state, now = _played(config, history)
    sample = None if look.total is None else Sample(look.total, now)
    found, _ = kpa_source.step(config, state, sample, look.replicas, now)
    if isinstance(found, NoVerdict):
        return
    ready = max(1, min(look.replicas.ready, look.replicas.current))
    rate = config.max_scale_up_rate
    if found.panic_since is not None or look.replicas.current == 0:
        rate = max(rate, config.max_scale_up_rate_in_panic or 0)
    held = [state.memory.peak, *(int(peak) for _, peak in state.memory.verdicts.buckets)]
    standing = look.replicas.ready + look.replicas.lost_or_starting
    most = max(math.ceil(rate * ready), config.activation_scale, standing, *held)
    least = math.floor(config.scale_down_to * ready) if config.is_reachable else 0
    assert least <= found.desired <= most


@given(configs, histories)
def test_a_verdict_explains_its_replicas(config: Config, history: list[Look]) -> None:
    """The last step ends where the verdict does, each begins where one before it ended."""
    for found in _played(config, history)[0]:
        if isinstance(found, NoVerdict):
            continue
        assert found.steps[-1].after == found.desired
        assert 0 <= found.desired <= MAX_NEED
        assert 0 <= found.load <= MAX_NEED
        averages = [step for step in found.steps if step.what.endswith("Average")]
        limits = found.steps[len(averages) :]
        for before, after in zip(found.steps[len(averages) - 1 :], limits, strict=False):
            assert after.before == before.after


@given(configs, histories, replicas())
def test_missing_data_changes_nothing(
    config: Config, history: list[Look], replicas: Replicas
) -> None:
    """Once a source has been silent for long there is no verdict, and the memory stays."""
    _, state, now = _played(config, history)
    later = now + timedelta(seconds=601)
    found, after = kpa_source.step(config, state, None, replicas, later)
    assert isinstance(found, NoVerdict)
    assert after.memory == state.memory


@given(configs, histories, replicas())
def test_a_new_decider_keeps_what_is_ready(
    config: Config, history: list[Look], replicas: Replicas
) -> None:
    """For a stable window after its start, while more than one replica is."""
    state = kpa_source.start(replicas, NOON)
    ready = min(replicas.ready, replicas.current)
    now = NOON
    for look in history:
        now += timedelta(seconds=look.after_s)
        if now > NOON + timedelta(seconds=config.stable_window_s):
            break
        sample = Sample(look.total or 0, now)
        found, state = kpa_source.step(config, state, sample, replicas, now)
        assert isinstance(found, Verdict)
        assert found.desired >= (ready if ready > 1 else 0)
