"""What one decision sees: readings made of samples, and how long the last good one stands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from budaiscaler.domain.api.budaiscaler import ScalerSpec
from budaiscaler.domain.api.sources import SourceType
from budaiscaler.domain.decision import Observation, Replicas
from budaiscaler.domain.errors import NotFoundError
from budaiscaler.domain.readings import NoData, NoDataReason, Observed, Reading
from budaiscaler.evaluator import cadence, observing
from budaiscaler.evaluator.observing import Observer
from budaiscaler.evaluator.scalers import Scaler, project_scaler
from budaiscaler.kube.port import Json
from budaiscaler.kube.workloads import Workload, Workloads
from budaiscaler.sources.base import Sample
from tests import samples
from tests.evaluator.world import Answer, FakeSource, World, loop_s, running, scaler_path

pytestmark = pytest.mark.looptime

DEAD = NoData(NoDataReason.UNREACHABLE, "it is down")


@dataclass(slots=True)
class Lens:
    """An observer with one scaler in front of it."""

    world: World
    observer: Observer
    scaler: Scaler = field(init=False)

    def __post_init__(self) -> None:
        self.scaler = project_scaler(self.world.raw("chat"), None)

    @property
    def spec(self) -> ScalerSpec:
        assert isinstance(self.scaler.spec, ScalerSpec)
        return self.scaler.spec

    async def look(self, says: Answer, *, after_s: float = 0) -> Observation:
        """Observe later, with the source `chat` answering so."""
        await asyncio.sleep(after_s)
        self.world.source.answers["chat"] = says
        return await self.observer.observe(self.scaler, self.spec)

    async def reading(self, says: Answer, *, after_s: float = 0) -> Observed:
        """The reading of the source `chat` in it."""
        return (await self.look(says, after_s=after_s)).readings["chat"]

    def edit(self, **fields: Any) -> None:
        """Edit the spec and see the scaler anew."""
        self.world.edit("chat", **fields)
        self.scaler = project_scaler(self.world.raw("chat"), self.scaler)


@pytest.fixture
async def lens(world: World) -> AsyncIterator[Lens]:
    """A scaler of four ready replicas with one source, `chat`; observed every 15 s."""
    world.add("chat", replicas=4)
    workloads = Workloads(world.kube)
    sources = {SourceType.PROMETHEUS: world.source}
    async with running(workloads.run()):
        await workloads.synced()
        yield Lens(world, Observer(workloads, sources, lambda _: cadence.steady(15), loop_s))


def _source(**fields: Any) -> Json:
    return samples.total(name="chat", **fields)


@pytest.mark.parametrize(
    ("kind", "values", "value"),
    [
        pytest.param("AverageValue", (1.0, 2.0, 6.0), 9.0, id="a-total-adds-up"),
        pytest.param("Value", (1.0, 2.0, 6.0), 3.0, id="a-level-is-the-mean"),
        pytest.param("AverageValue", (0.1,) * 10, 1.0, id="without-float-noise"),
        pytest.param("Value", (0.0,), 0.0, id="zero-is-a-number"),
    ],
)
def test_several_samples_are_made_into_one_number(
    kind: str, values: tuple[float, ...], value: float
) -> None:
    """The unit of the source says how, and how many there were is kept."""
    source = samples.spec(_source(targetType=kind)).metrics_sources[0]
    read = observing.aggregate(source, Sample(values, at_s=7.0), now_s=10.0)
    assert read == Reading(value, age_s=3.0, answered=len(values) if len(values) > 1 else None)


@pytest.mark.parametrize("kind", ["AverageValue", "Value"])
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        pytest.param((1.0, math.nan, 2.0), NoDataReason.NOT_A_NUMBER, id="one-nan"),
        pytest.param((1.0, math.inf), NoDataReason.NOT_A_NUMBER, id="one-infinity"),
        pytest.param((math.inf, -math.inf), NoDataReason.NOT_A_NUMBER, id="both-infinities"),
        pytest.param((1e308, 1e308), NoDataReason.NOT_A_NUMBER, id="a-sum-beyond-all-floats"),
        pytest.param((1.0, -2.0), NoDataReason.NEGATIVE, id="a-negative-sum"),
        pytest.param((), NoDataReason.EMPTY_RESULT, id="nothing"),
    ],
)
def test_samples_that_make_no_load_make_no_data(
    kind: str, values: tuple[float, ...], reason: NoDataReason
) -> None:
    """One bad sample spoils the whole: left out, a sum would be too low and scale down."""
    source = samples.spec(_source(targetType=kind)).metrics_sources[0]
    read = observing.aggregate(source, Sample(values, at_s=0.0), now_s=0.0)
    assert isinstance(read, NoData)
    assert read.reason is reason


@pytest.mark.parametrize(
    ("starts", "p95"),
    [
        pytest.param((), None, id="none-measured"),
        pytest.param((30.0,) * 4, None, id="four-are-too-few"),
        pytest.param((10.0, 20.0, 30.0, 40.0, 50.0), 50.0, id="of-five-the-slowest"),
        pytest.param(tuple(float(i) for i in range(1, 21)), 19.0, id="of-twenty-the-second"),
    ],
)
def test_the_measured_start_is_the_nearest_rank(
    starts: tuple[float, ...], p95: float | None
) -> None:
    """From five starts on, whatever order they came in."""
    assert observing.startup_p95_s(Workload(Replicas(1, 1), starts[::-1])) == p95


async def test_an_observation_has_the_pods_and_every_source(lens: Lens) -> None:
    """All sources are asked at once, so the slowest of them is what an evaluation takes."""
    lens.edit(metricsSources=[_source(), samples.level(name="usage")])
    lens.world.source.answers["usage"] = (0.5, 0.7)
    lens.world.source.takes_s |= {"chat": 3.0, "usage": 4.0}
    started_s = loop_s()
    seen = await lens.look(8.0)
    assert loop_s() - started_s == pytest.approx(4.0)
    assert seen.replicas == Replicas(4, 4)
    assert seen.readings == {
        "chat": Reading(8.0, 1.0),
        "usage": Reading(0.6, 0.0, 2),
    }


@pytest.mark.parametrize(
    ("conditions", "exact"),
    [
        pytest.param([], True, id="nothing-is-told"),
        pytest.param([{"type": "ExactScaling", "status": "False"}], False, id="dropped"),
        pytest.param([{"type": "ExactScaling", "status": "True"}], True, id="kept"),
        pytest.param([{"type": "Ready", "status": "False"}], True, id="something-else"),
    ],
)
async def test_whether_an_hpa_takes_small_steps_is_what_the_controller_told(
    lens: Lens, conditions: list[Json], *, exact: bool
) -> None:
    """It made the HPA, and saw whether the API server dropped its tolerance."""
    raw = lens.world.raw("chat")
    raw["status"] = {"conditions": conditions}
    lens.scaler = project_scaler(raw, lens.scaler)
    assert (await lens.look(8.0)).exact is exact


async def test_a_lost_scrape_is_no_outage(lens: Lens) -> None:
    """The last good sample stands, with its age, for a minute and not a second longer."""
    assert await lens.reading(8.0) == Reading(8.0, 0.0)
    assert await lens.reading(DEAD, after_s=15) == Reading(8.0, 15.0)
    assert await lens.reading((math.nan,), after_s=45) == Reading(8.0, 60.0)
    assert await lens.reading(DEAD, after_s=0.1) == DEAD
    assert await lens.reading(9.0, after_s=1) == Reading(9.0, 0.0)


async def test_with_a_long_interval_it_stands_for_three_of_them(lens: Lens) -> None:
    """Somebody who samples each half minute may lose two samples, too."""
    lens.observer.cadence_of = lambda _: cadence.steady(30)
    await lens.reading(8.0)
    assert await lens.reading(DEAD, after_s=90) == Reading(8.0, 90.0)
    assert await lens.reading(DEAD, after_s=1) == DEAD


@pytest.mark.parametrize(
    "edited",
    [
        pytest.param({"promQL": "sum(something_else)"}, id="another-query"),
        pytest.param({"endpoint": "http://other"}, id="another-server"),
        pytest.param({"targetType": "Value"}, id="another-unit"),
    ],
)
async def test_an_edited_source_has_no_old_sample(lens: Lens, edited: dict[str, str]) -> None:
    """What was read before the edit is not what is asked for now."""
    await lens.reading(8.0)
    lens.edit(metricsSources=[_source(**edited)])
    assert await lens.reading(DEAD, after_s=1) == DEAD


async def test_a_source_that_was_dropped_is_forgotten(lens: Lens) -> None:
    """Renamed again and again by a tool, a scaler does not grow."""
    await lens.reading(8.0)
    lens.world.source.answers["renamed"] = 5.0
    lens.edit(metricsSources=[samples.total(name="renamed")])
    await lens.look(8.0)
    assert list(lens.observer._good[lens.scaler.uid]) == ["renamed"]


async def test_a_source_that_never_ends_is_ended(lens: Lens) -> None:
    """A bug in a source does not stop an evaluation for ever."""
    lens.world.source.takes_s["chat"] = 3600.0
    read = await lens.reading(8.0)
    assert loop_s() == pytest.approx(observing.FETCH_LIMIT_S, abs=1)
    assert isinstance(read, NoData)
    assert read.reason is NoDataReason.TIMEOUT


async def test_a_type_of_source_that_is_not_there_says_so(lens: Lens) -> None:
    """It is the user's to mend, and the message says how."""
    lens.edit(metricsSources=[_source(metricSourceType="custom")])
    read = await lens.reading(8.0)
    assert isinstance(read, NoData)
    assert read.reason.is_users_to_mend
    assert "use type prometheus" in read.message
    assert lens.world.source.asked == []


async def test_a_target_that_is_not_there_is_told_before_anything_is_fetched(lens: Lens) -> None:
    """No query is sent for a workload that does not exist."""
    lens.edit(scaleTargetRef={"name": "missing"})
    with pytest.raises(NotFoundError, match="Deployment missing does not exist"):
        await lens.look(8.0)
    assert lens.world.source.asked == []


def _reported(lens: Lens, **entry: Any) -> None:
    raw = lens.world.raw("chat")
    sources = [{"name": "chat", "metric": "chat", "value": "8.0", "answered": 2} | entry]
    raw["status"] = {"observedGeneration": raw["metadata"]["generation"], "sources": sources}
    lens.world.kube.put(scaler_path("chat"), raw)
    lens.scaler = project_scaler(lens.world.raw("chat"), lens.scaler)


async def test_what_another_leader_read_stands_in_for_a_lost_scrape(lens: Lens) -> None:
    """For as long as it would have with that leader."""
    _reported(lens)
    lens.observer.restore(lens.scaler, lens.spec, age_s=20.0)
    assert await lens.reading(DEAD, after_s=40) == Reading(8.0, 60.0, 2)
    assert await lens.reading(DEAD, after_s=1) == DEAD


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"noDataSince": "2026-01-05T11:00:00Z"}, id="it-was-held"),
        pytest.param({"value": "NaN"}, id="it-is-no-number"),
        pytest.param({"value": "-8"}, id="it-is-negative"),
        pytest.param({"value": "eight"}, id="it-is-junk"),
        pytest.param({"value": None}, id="there-is-none"),
        pytest.param({"name": "other"}, id="it-is-of-another-source"),
    ],
)
async def test_what_was_no_good_reading_is_not_restored(lens: Lens, entry: Json) -> None:
    """A dead source does not come to life by a change of the leader."""
    _reported(lens, **entry)
    lens.observer.restore(lens.scaler, lens.spec, age_s=1.0)
    assert await lens.reading(DEAD) == DEAD


async def test_what_was_read_for_another_spec_is_not_restored(lens: Lens) -> None:
    """The query was edited while nobody led."""
    _reported(lens)
    lens.edit(metricsSources=[_source(promQL="sum(something_else)")])
    lens.observer.restore(lens.scaler, lens.spec, age_s=1.0)
    assert await lens.reading(DEAD) == DEAD


async def test_what_is_forgotten_does_not_stand_in(lens: Lens) -> None:
    """A scaler made again under its name starts without samples."""
    await lens.reading(8.0)
    lens.observer.forget(lens.scaler.uid)
    assert await lens.reading(DEAD, after_s=1) == DEAD


async def test_a_source_is_told_how_old_an_answer_may_be(lens: Lens) -> None:
    """Half an interval: scalers with the same query share it, and none sees the same twice."""

    class Asked(FakeSource):
        async def fetch(self, request: Any) -> Sample | NoData:
            assert (request.namespace, request.max_age_s) == ("ml", 7.5)
            return Sample((1.0,), loop_s())

    lens.observer.sources = {SourceType.PROMETHEUS: Asked()}
    assert await lens.reading(0.0) == Reading(1.0, 0.0)
