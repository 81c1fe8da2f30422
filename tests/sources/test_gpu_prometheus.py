"""GPUs from the operator's Prometheus: what is asked, and what is made of the numbers."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

import promql_parser
import pytest

from budaiscaler.domain.gpu import GpuReading
from budaiscaler.domain.readings import NoData, NoDataReason, Reading
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.gpu.prometheus import PODS_A_QUERY, PrometheusGpus, any_of
from tests.sources.gpus import pod, refused, request

EMPTY = NoData(NoDataReason.EMPTY_RESULT, "check the labels in promQL")
DEAD = NoData(NoDataReason.TIMEOUT, "too slow")

Answer = tuple[float, ...] | NoData


@dataclass(slots=True)
class FakePrometheus:
    """Answers by what a query is about: memory or compute, values or the number of pods."""

    answers: dict[tuple[str, str], list[Answer]] = field(default_factory=dict)
    asked: list[SourceRequest] = field(default_factory=list)

    async def fetch(self, request: SourceRequest) -> Sample | NoData:
        self.asked.append(request)
        query = request.source.prom_ql or ""
        about = "memory" if "FB_USED" in query else "compute"
        kind = "pods" if query.startswith("(count(count by") else "values"
        waiting = self.answers[about, kind]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return answer if isinstance(answer, NoData) else Sample(answer, 98.0)

    def queries(self) -> list[str]:
        """PromQL of all."""
        return [request.source.prom_ql or "" for request in self.asked]


def told(
    memory: Answer, pods: Answer, compute: Answer = EMPTY, busy: Answer = (0.0,)
) -> FakePrometheus:
    """One that answers so."""
    return FakePrometheus(
        {
            ("memory", "values"): [memory],
            ("memory", "pods"): [pods],
            ("compute", "values"): [compute],
            ("compute", "pods"): [busy],
        }
    )


async def read(source: FakePrometheus, *names: str) -> GpuReading | NoData:
    """Read the GPUs of these ready pods."""
    gpus = PrometheusGpus(source, clock=lambda: 100.0)
    return await gpus.read(
        request(*(pod(name) for name in names or ("chat-7-a", "chat-7-b")), max_age_s=7)
    )


async def test_means_over_gpus_and_counts_of_pods() -> None:
    """Each number is a GPU; how many pods they are of is asked for, too."""
    found = await read(told((75.0, 50.0), (2.0,), (80.0, 60.0), (1.0,)))
    assert found == GpuReading(Reading(62.5, 2.0, 2, 2), Reading(70.0, 2.0, 1, 2), 2)


async def test_one_quantity_may_be_missing() -> None:
    """The other is still read."""
    found = await read(told((75.0,), (1.0,)))
    assert isinstance(found, GpuReading)
    assert found.memory == Reading(75.0, 2.0, 1, 2)
    refused_compute = found.compute
    assert isinstance(refused_compute, NoData)
    assert "DCGM_FI_DEV_GPU_UTIL" in refused_compute.message


async def test_no_series_of_ours() -> None:
    """An empty answer is no load of 0, and says what to check."""
    refused(
        await read(told(EMPTY, (0.0,))),
        NoDataReason.METRIC_NOT_FOUND,
        "check that it scrapes the DCGM exporters",
    )


async def test_a_failure_is_passed_on() -> None:
    """It says more than that there is nothing."""
    assert await read(told(DEAD, DEAD, DEAD, DEAD)) == DEAD
    assert await read(told((75.0,), DEAD, DEAD, DEAD)) == DEAD


async def test_the_operators_server_is_asked_and_answers_are_shared() -> None:
    """No endpoint is named, and an answer may be as old as of any source."""
    source = told((75.0,), (1.0,))
    await read(source)
    assert {request.source.endpoint for request in source.asked} == {None}
    assert {(request.namespace, request.max_age_s) for request in source.asked} == {("ml", 7)}


async def test_many_pods_are_asked_for_in_parts() -> None:
    """Of which one that fails leaves its pods silent."""
    source = told((50.0,), (float(PODS_A_QUERY),))
    source.answers["memory", "values"] = [(50.0,), DEAD, (80.0,)]
    names = [f"chat-7-{index:04}" for index in range(2 * PODS_A_QUERY + 1)]
    found = await read(source, *names)
    assert isinstance(found, GpuReading)
    assert found.memory == Reading(65.0, 2.0, 2 * PODS_A_QUERY, 2 * PODS_A_QUERY + 1)
    assert len(source.asked) == 4 * 3


async def test_queries_are_promql_and_name_the_pods_in_full() -> None:
    """In whichever form the scrape left their labels, and of our namespace only."""
    source = told((75.0,), (1.0,))
    await read(source, "chat-7-a", "chat-7-b")
    for query in source.queries():
        promql_parser.parse(query)
        for chosen in re.findall(r"\{([^}]*)\}", query):
            honoured = 'namespace="ml",pod=~"chat\\\\-7\\\\-(a|b)",exported_pod=""'
            exported = 'exported_namespace="ml",exported_pod=~"chat\\\\-7\\\\-(a|b)"'
            assert chosen.startswith((honoured, exported))


async def test_queries_are_short() -> None:
    """What names have in common is written once."""
    source = told((75.0,), (1.0,))
    names = [f"a-model-of-many-words-7d9f8b6c5d-{index:05}" for index in range(PODS_A_QUERY)]
    await read(source, *names)
    assert max(map(len, source.queries())) < 10_000


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["chat-7-a", "chat-7-b"], id="of-a-deployment"),
        pytest.param(["chat-0", "chat-1", "chat-10"], id="of-a-stateful-set"),
        pytest.param(["chat-7-a", "chat-8-a", "chat"], id="of-several"),
        pytest.param(["chat.v1-a"], id="with-a-dot"),
    ],
)
def test_an_expression_of_names_fits_no_other(names: list[str]) -> None:
    """Neither a shared prefix, nor a name that differs in one sign."""
    expression = any_of(names).replace("\\\\", "\\")
    fits = re.compile(rf"^(?:{expression})$")
    assert all(fits.fullmatch(name) for name in names)
    for other in ("chat-7-ab", "chat-7", "chat-large-7-a", "chat-100", "chatxv1-a", "chat-7-c"):
        assert not fits.fullmatch(other)


async def test_without_ready_pods_nothing_is_asked() -> None:
    """There is no GPU whose reading would count."""
    source = told((75.0,), (1.0,))
    gpus = PrometheusGpus(source)
    found = await gpus.read(request(pod("a", ready=False)))
    refused(found, NoDataReason.NO_READY_PODS, "")
    assert source.asked == []


async def test_all_is_asked_at_once() -> None:
    """The slowest query is what a reading takes."""
    all_four = asyncio.Barrier(4)

    class Slow(FakePrometheus):
        async def fetch(self, request: SourceRequest) -> Sample | NoData:
            await all_four.wait()
            return Sample((1.0,), 98.0)

    assert isinstance(await read(Slow()), GpuReading)
