"""KPA for one source: BudAIScaler's defaults on windows of samples, as stories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from budaiscaler.domain.algorithms import kpa_settings, kpa_source
from budaiscaler.domain.algorithms.knative import Config, Verdict, What
from budaiscaler.domain.algorithms.kpa_source import NoVerdict, Sample
from budaiscaler.domain.api.annotations import parse_annotations
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.memories import KpaState
from tests.conftest import NOON


def _config(target: float = 1, **annotations: str) -> Config:
    given = parse_annotations(
        {f"scaler.bud.studio/{name.replace('_', '-')}": text for name, text in annotations.items()}
    )
    assert not given.problems
    return kpa_settings.config(None, given, target=target)


@dataclass(slots=True)
class Story:
    """What happens to one source, sample by sample."""

    config: Config = field(default_factory=_config)
    state: KpaState = field(default_factory=KpaState)
    passed_s: float = 0

    def look(
        self,
        total: float | None,
        current: int,
        *,
        ready: int | None = None,
        unschedulable: int = 0,
        after_s: float = 5,
    ) -> Verdict | NoVerdict:
        """Decide `after_s` later; all replicas are ready unless told."""
        self.passed_s += after_s
        now = NOON + timedelta(seconds=self.passed_s)
        replicas = Replicas(current, current if ready is None else ready, unschedulable)
        sample = None if total is None else Sample(total, now)
        found, self.state = kpa_source.step(self.config, self.state, sample, replicas, now)
        return found

    def verdict(self, total: float | None, current: int, **fields: Any) -> Verdict:
        found = self.look(total, current, **fields)
        assert isinstance(found, Verdict)
        return found

    def desired(self, total: float | None, current: int, **fields: Any) -> int:
        return self.verdict(total, current, **fields).desired

    def last(self, total: float, current: int, *, for_s: float, **fields: Any) -> Verdict:
        """The verdict after that many seconds of the same samples."""
        found = None
        for _ in range(int(for_s // 5)):
            found = self.verdict(total, current, **fields)
        assert found is not None
        return found


def _steps(verdict: Verdict) -> list[What]:
    return [step.what for step in verdict.steps]


@pytest.mark.parametrize(
    ("current", "level", "desired", "panics"),
    [
        pytest.param(4, 150, 6, False, id="half-more"),
        pytest.param(4, 170, 7, False, id="not-quite-twice"),
        pytest.param(4, 190, 8, True, id="rounded-up-to-twice"),
        pytest.param(4, 500, 20, True, id="in-panic-no-rate-caps"),
        pytest.param(10, 10, 5, False, id="at-most-to-the-half"),
    ],
)
def test_one_look_takes_its_reading_as_steady(
    current: int, level: float, desired: int, *, panics: bool
) -> None:
    """As `explain` sees it: 100 a replica, and the threshold of the original's sample."""
    story = Story(_config(100, panic_threshold="200"))
    verdict = story.verdict(current * level, current)
    assert (verdict.desired, verdict.panic_since is not None) == (desired, panics)


def test_a_rate_down_in_knatives_form_never_grows() -> None:
    """Written as 2.0 it halves; taken as a factor it would double on the way down."""
    assert Story(_config(100, max_scale_down_rate="2.0")).desired(4 * 50, 4) == 2


def test_growth_is_capped_at_twice_the_ready_outside_of_panic() -> None:
    """A high threshold keeps it calm; the rate is the default of the original."""
    verdict = Story(_config(panic_threshold="1000")).verdict(20, 4)
    assert (verdict.desired, verdict.panic_since) == (8, None)
    assert _steps(verdict) == [What.STABLE_AVERAGE, What.CAPPED_UP]


def test_a_spike_waits_for_its_window() -> None:
    """One sample among thirty-six moves the stable average little, and the panic average more."""
    story = Story()
    story.last(4, 4, for_s=180)
    assert story.desired(16, 4) == 5
    assert story.desired(16, 4) == 5
    panics = story.last(16, 4, for_s=15)
    assert (panics.desired, panics.panic_since is not None) == (9, True)


def test_a_slow_model_load_neither_compounds_nor_shrinks() -> None:
    """Four ready at twice their target ask for eight for all six minutes that the others load."""
    story = Story()
    assert story.desired(8, 4) == 8
    for _ in range(72):
        assert story.desired(8, 8, ready=4) == 8
    assert story.desired(8, 8) == 8


def test_a_surge_does_not_panic_again_at_each_look() -> None:
    """What starts is supply: panic ends a window after the surge began, not after it is ready."""
    story = Story()
    story.desired(16, 4)
    for _ in range(36):
        assert story.verdict(16, 16, ready=4).panic_since is not None
    verdict = story.verdict(16, 16, ready=4)
    assert (verdict.panic_since, verdict.desired) == (None, 16)


@pytest.mark.parametrize(
    ("total", "desired", "capped"),
    [
        pytest.param(12, 12, False, id="the-need-is-between-the-cap-and-what-stands"),
        pytest.param(40, 16, True, id="the-need-is-above-both"),
        pytest.param(3, 3, False, id="the-need-is-below-both"),
    ],
)
def test_a_cap_is_never_below_what_stands(total: float, desired: int, *, capped: bool) -> None:
    """Twice four ready is eight, and sixteen were asked for: the cap is sixteen, and no order."""
    verdict = Story(_config(panic_threshold="1000")).verdict(total, 16, ready=4)
    assert (verdict.desired, What.CAPPED_UP in _steps(verdict)) == (desired, capped)
    if capped:
        assert verdict.steps[-1].message == (
            "capped at 16: as many as are ready or start, and the rate allows no more yet"
        )


def test_replicas_that_no_node_takes_are_no_supply() -> None:
    """Nobody waits for them, so the need is still over what there is."""
    story = Story()
    story.desired(16, 4)
    verdict = story.last(16, 16, ready=4, unschedulable=12, for_s=300)
    assert verdict.panic_since is not None


def test_a_rollouts_surge_changes_nothing() -> None:
    """Five ready of four that were asked for are four."""
    assert Story().verdict(7, 4, ready=5) == Story().verdict(7, 4, ready=4)
    assert Story().verdict(0, 4, ready=5).desired == 2


def test_gaps_carry_no_weight() -> None:
    """Samples that did not come are not zero, neither among others nor at the end."""
    story = Story()
    story.last(8, 8, for_s=60)
    assert story.desired(None, 8) == 8
    assert story.desired(8, 8, after_s=50) == 8
    assert story.verdict(None, 8, after_s=60).averages.stable == 8


def test_an_empty_panic_window_takes_the_stable_average() -> None:
    """What is not known of the last seconds is not taken for calm."""
    story = Story(_config(panic_window="5"))
    story.verdict(8, 8)
    averages = story.verdict(None, 8, after_s=20).averages
    assert (averages.stable, averages.panic) == (8, 8)


@pytest.mark.parametrize(
    ("config", "silent_s", "why"),
    [
        pytest.param(_config(), 61, "the last sample is 61 s old", id="stale"),
        pytest.param(
            _config(), 300, "no sample in the stable window of 180 s", id="out-of-the-window"
        ),
        pytest.param(
            _config(stable_window="30", panic_window="5"),
            35,
            "no sample in the stable window of 30 s",
            id="out-of-a-short-window",
        ),
    ],
)
def test_without_data_there_is_no_verdict(config: Config, silent_s: float, why: str) -> None:
    """Row 19 of Knative's cases: it says so, and leaves the panic that was there as it is."""
    story = Story(config)
    assert story.verdict(16, 4).panic_since is not None
    memory = story.state.memory
    assert story.look(None, 4, after_s=silent_s) == NoVerdict(why)
    assert story.state.memory == memory


def test_a_clock_that_was_set_back_keeps_nothing_for_longer() -> None:
    """Panic of the future ends a stable window from now, and a sample of it is as old as now."""
    story = Story()
    assert story.desired(16, 4, after_s=86_400) == 16
    assert story.desired(4, 16, after_s=-86_000) == 16
    assert story.last(4, 16, for_s=180).panic_since is not None
    assert story.verdict(4, 16).panic_since is None
    story.verdict(8, 8, after_s=1000)
    assert story.look(None, 8, after_s=-1000) == NoVerdict(
        "no sample in the stable window of 180 s"
    )
    assert isinstance(story.look(8, 8, after_s=1), Verdict)
    assert story.look(None, 8, after_s=62) == NoVerdict("the last sample is 62 s old")


def test_a_late_sample_makes_none_older() -> None:
    """One that was under way for long is counted, and the newest is still the newest."""
    now = NOON + timedelta(seconds=90)
    eight, state = Replicas(8, 8), KpaState()
    _, state = kpa_source.step(_config(), state, Sample(8, now), eight, now)
    late, state = kpa_source.step(_config(), state, Sample(4, NOON), eight, now)
    assert isinstance(late, Verdict)
    assert (late.averages.stable, state.sampled_at) == (6, now)


def test_before_the_first_sample_there_is_no_verdict() -> None:
    """Nothing was seen, so nothing is said."""
    assert Story().look(None, 4) == NoVerdict("no sample in the stable window of 180 s")


def test_a_new_decider_keeps_what_runs_for_a_stable_window() -> None:
    """A live server that begins over eight replicas with little load does not shrink them yet."""
    begun = kpa_source.start(Replicas(8, 8), NOON)
    story = Story(state=begun)
    assert story.last(2, 8, for_s=180).desired == 8
    assert story.desired(2, 8) == 4


def test_another_target_acts_on_what_was_seen_before_it() -> None:
    """Windows hold loads and not needs."""
    story = Story(_config(1, panic_threshold="1000"))
    story.last(6, 6, for_s=60)
    story.config = _config(2, panic_threshold="1000")
    assert story.desired(None, 6, after_s=2) == 3


def test_from_zero_the_need_is_undamped() -> None:
    """An hour of nothing is no part of the average, no rate limits it, and it lasts."""
    story = Story(_config(panic_threshold="1000"))
    story.last(0, 0, for_s=3600)
    assert story.desired(5, 0) == 5
    assert story.desired(5, 5, ready=0) == 5
    assert story.desired(5, 5, ready=1) == 5


def test_a_delay_of_scale_down_keeps_the_largest_answer() -> None:
    """For its length and no longer: then what was decided since, while the average still fell."""
    story = Story(_config(scale_down_delay="2m", stable_window="6s", panic_window="5s"))
    assert story.desired(6, 4) == 6
    for _ in range(23):
        assert story.desired(3, 6) == 6
    assert [story.desired(3, 6), story.desired(3, 6)] == [5, 3]


@pytest.mark.parametrize("total", [float("nan"), float("inf"), -1.0])
def test_what_is_no_number_is_no_sample(total: float) -> None:
    """Missing data is not given to a window; who tries has an error."""
    with pytest.raises(ValueError, match="finite and not negative"):
        Sample(total, NOON)


def test_absurd_loads_are_bounded() -> None:
    """Hundreds of the largest floats still add up to a need that an API can carry."""
    story = Story(_config(1e-6))
    verdict = story.last(1.7e308, 4, for_s=60)
    assert (verdict.desired, verdict.load) == (4000, 4000)


def test_a_state_stays_small() -> None:
    """An hour of samples each second in the longest windows is some hundreds of numbers."""
    story = Story(_config(stable_window="1h", scale_down_delay="1h"))
    for second in range(3700):
        story.verdict(10_000 - second, 100, after_s=1)
    assert len(story.state.samples.buckets) <= kpa_source.MOST_BUCKETS
    assert len(story.state.memory.verdicts.buckets) <= 300


@pytest.mark.parametrize(
    ("before", "total", "taken"),
    [
        pytest.param([], 3, 3, id="the-first"),
        pytest.param([2, 2], 5, 5, id="more-is-more"),
        pytest.param([4, 8], 1, 6, id="at-the-average"),
        pytest.param([4, 8, 3], 1, 6, id="at-that-of-the-others"),
        pytest.param([2, 2, 9], 1, 9, id="not-below-what-its-bucket-has"),
    ],
)
def test_a_sample_of_a_part(before: list[float], total: float, taken: float) -> None:
    """It lowers no average, however often one bucket, which is the third, is written."""
    story, now = Story(), NOON + timedelta(seconds=10)
    for value in before:
        story.look(value, 1, after_s=5 if story.state.samples.buckets else 0)
    part = kpa_source.at_average(story.config, story.state, Sample(total, now), now)
    assert part == Sample(taken, now)
