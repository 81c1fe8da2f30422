"""The prometheus source against a real Prometheus: limits, counts, and what it says of the past."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from budaiscaler.domain.api import promql, promql_syntax
from budaiscaler.domain.api.promql_enforcing import enforce
from budaiscaler.domain.api.sources import MetricsSource
from budaiscaler.domain.decision import Replicas
from budaiscaler.domain.readings import NoData
from budaiscaler.kube.workloads import Workload
from budaiscaler.sources.addresses import AddressGuard
from budaiscaler.sources.base import Sample, SourceRequest
from budaiscaler.sources.credentials import SourceCredentials
from budaiscaler.sources.instant_queries import PrometheusSource
from budaiscaler.sources.operator_credentials import OperatorAccess, OperatorCredentials
from budaiscaler.sources.prometheus_access import PrometheusAccess
from budaiscaler.sources.secrets import SecretReader
from budaiscaler.sources.trust import TlsContexts
from e2e.cluster.exporter import Exporter
from e2e.cluster.prometheus import RealPrometheus
from e2e.stories import SYNC_S, Story
from tests.fakes.kube import FakeKube

T = TypeVar("T")

MODELS = ("a", "b.c", 'quo"te', "x|y")
TENANTS = {"ours": 1.0, "theirs": 100.0}


def run(
    prometheus: RealPrometheus,
    ask: Callable[[PrometheusSource], Awaitable[T]],
    *,
    label: str = "",
) -> T:
    """Do something with a source that asks this Prometheus, as the operator's own."""

    async def inside() -> T:
        operator = OperatorAccess(url=prometheus.url, enforced_label=label)
        tls = TlsContexts()
        access = PrometheusAccess(
            operator,
            OperatorCredentials(operator, tls),
            SourceCredentials(SecretReader(FakeKube()), tls),
        )
        source = PrometheusSource(access, guard=AddressGuard())
        try:
            return await ask(source)
        finally:
            await source.close()

    # In a thread, so that the loop is not taken for one of the test runner's.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, inside()).result()


def request(expression: str, *, level: bool = False) -> SourceRequest:
    """Ask as a scaler does; of a level no count is asked for."""
    kind = {"targetType": "Value"} if level else {}
    source = MetricsSource.model_validate(
        {"targetMetric": "load", "targetValue": "1", "promQL": expression, **kind}
    )
    return SourceRequest("ours", source, 0.0, Workload(Replicas(1, 1)))


@pytest.fixture
def tenants(prometheus: RealPrometheus, exporter: Exporter) -> None:
    """Two tenants with series of the same name, and copies of ours under another."""
    for number, model in enumerate(MODELS, 1):
        for tenant, factor in TENANTS.items():
            exporter.set("tenant_load", number * factor, tenant=tenant, model=model)
        exporter.set("ours_load", float(number), tenant="ours", model=model)
    for name in ("tenant_load", "ours_load"):
        prometheus.wait_for(f"count({name})", bool)
    prometheus.wait_for_value("count(tenant_load)", len(MODELS) * len(TENANTS))
    prometheus.wait_for_value("count(count_over_time(ours_load[30s]) >= 3)", len(MODELS))


ATTACKS = (
    "sum(LOAD)",
    'sum(LOAD{tenant="theirs"})',
    'sum(LOAD{tenant=~".*"})',
    "sum(LOAD{`tenant`!='ours'})",
    'sum(LOAD{model!=""} or LOAD{tenant="theirs"})',
    'sum({__name__=~"LOAD"})',
    'sum({"LOAD"})',
    "sum(max_over_time(LOAD[10s:1s]))",
    "sum(LOAD offset 1s)",
    "sum(LOAD @ end())",
    'sum(label_replace(LOAD, "tenant", "ours", "", ""))',
    'sum(LOAD * on(model) group_left() LOAD{tenant="theirs"})',
    'sum(LOAD unless on(model) LOAD{tenant="theirs",model="a"})',
    "sum(count_over_time(LOAD[10s] offset 1s)) * 0 + sum(LOAD)",
    'sum(LOAD{model="quo\\"te"}) + sum(LOAD{model=\'quo"te\'})',
    "sum(LOAD{model=`x|y`}) # or sum(LOAD{",
    "-sum(-LOAD ^ 2 * -1)",
    "sum(LOAD > bool 2) + scalar(sum(LOAD))",
    "topk(1, LOAD)",
    "quantile(0.5, LOAD) + avg(LOAD) / 2 - 1",
    "sum(LOAD and on() (sum(LOAD) > 0))",
    'absent(LOAD{tenant="theirs"}) or vector(7)',
)


@pytest.mark.usefixtures("tenants")
def test_a_tenant_sees_its_own_series(prometheus: RealPrometheus) -> None:
    """Whatever is written, the answer is the one over a world in which there are only ours."""
    for attack in ATTACKS:
        expression = attack.replace("LOAD", "tenant_load")
        alone = attack.replace("LOAD", "ours_load").replace("theirs", "ours")
        parsed = promql_syntax.parse(alone.replace("!='ours'", "='ours'"))
        assert parsed is not None
        alone = promql_syntax.Writer(parsed).write(parsed.root)  # for older servers
        enforced = enforce(expression, "tenant", "ours")
        assert enforced is not None, expression
        found = sorted(sample.value for sample in prometheus.query(enforced))
        wanted = sorted(sample.value for sample in prometheus.query(alone))
        assert found == pytest.approx(wanted), (expression, enforced)


@pytest.mark.usefixtures("tenants")
@pytest.mark.parametrize(
    "expression",
    [
        '{__name__=~".+"}',
        '{tenant=~".*",__name__!=""}',
        'tenant_load or {job=~".+"}',
        'tenant_load{tenant="theirs"}',
        "last_over_time({__name__=~`.+`}[10s])",
        "sort_desc(tenant_load or on() up)",
    ],
)
def test_every_series_is_ours(prometheus: RealPrometheus, expression: str) -> None:
    """A real Prometheus gives only series of ours for what it was asked."""
    enforced = enforce(expression, "tenant", "ours")
    assert enforced is not None
    found = prometheus.query(enforced)

    assert found
    assert {sample.labels.get("tenant") for sample in found} == {"ours"}


@pytest.mark.usefixtures("tenants")
def test_readings_of_a_tenant(prometheus: RealPrometheus) -> None:
    """The source limits both the total and the count of its series; off, it limits neither."""
    asked = request('sum(tenant_load{tenant="theirs"})')
    limited = run(prometheus, lambda source: source.fetch(asked), label="tenant")
    free = run(prometheus, lambda source: source.fetch(asked))
    refused = run(
        prometheus, lambda source: source.fetch(request("info(tenant_load)")), label="tenant"
    )

    total = sum(range(1, len(MODELS) + 1))
    assert isinstance(limited, Sample)
    assert (limited.values, limited.answered) == ((total,), len(MODELS))
    assert isinstance(free, Sample)
    assert (free.values, free.answered) == ((total * 100,), len(MODELS))
    assert isinstance(refused, NoData)


@pytest.mark.usefixtures("tenants")
def test_counts(prometheus: RealPrometheus, exporter: Exporter) -> None:
    """The query for the number of series is one that Prometheus takes, and half gone is half."""
    for expression in (
        "sum(ours_load)",
        "(sum by (model) (rate(ours_load[30s])) * 2) or vector(0)",
        'sum(ours_load{model=~"a|b.c|quo\\"te|x.y"} * 2)',
        "2 * sum(max_over_time(ours_load[30s]))",
    ):
        count = promql.count_query(expression)
        assert count is not None
        assert [s.value for s in prometheus.query(count)] == [len(MODELS)], count
    for model in MODELS[:2]:
        exporter.clear("ours_load", model=model)
    prometheus.wait_for_value("count(ours_load)", len(MODELS) - 2)
    found = run(prometheus, lambda source: source.fetch(request("sum(ours_load)")))

    assert isinstance(found, Sample)
    assert found.answered == len(MODELS) - 2


SHAPES = (
    'sum(merged_load{MODEL,tenant="x"})',
    'sum(merged_load{tenant=~"x|y",MODEL})',
    "count(merged_load{MODEL})",
    "avg(merged_load{MODEL} offset 1s)",
    "max(max_over_time(merged_load{MODEL}[30s]))",
    "min(min_over_time(merged_load{MODEL}[30s] @ end()))",
    "sum(rate(merged_load{MODEL}[30s]))",
    'sum({__name__=~"merged_.*",MODEL})',
)
"""Each says the same at any two moments, however late the scrapes in between were."""


def test_merged_queries(prometheus: RealPrometheus, exporter: Exporter) -> None:
    """What is asked for many at once is what each would be told alone, to the last digit."""
    models = (*MODELS, "a|b", "a.c", ".*", "back\\slash", "ü", "(", "$x^")
    for number, model in enumerate(models, 1):
        for pod in range(7):
            for tenant in "xyz":
                exporter.set(
                    "merged_load", number / 7 + pod / 3, model=model, pod=f"{pod}", tenant=tenant
                )
    prometheus.wait_for_value("count(count_over_time(merged_load[30s]) >= 2)", len(models) * 21)
    asked = {
        shape.replace("MODEL", f"model={promql_syntax.quote(model)}"): shape
        for shape in SHAPES
        for model in (*models, "absent")
    }

    async def ask(source: PrometheusSource) -> list[Sample | NoData]:
        found = await asyncio.gather(*(source.fetch(request(one, level=True)) for one in asked))
        assert source.fetches < len(asked) / 3
        return found

    found = dict(zip(asked, run(prometheus, ask), strict=True))
    for expression, answer in found.items():
        alone = tuple(sample.value for sample in prometheus.query(expression))
        assert (answer.values if isinstance(answer, Sample) else ()) == alone, expression
    absent = [one for one in asked if '"absent"' in one]
    assert all(isinstance(found[one], NoData) for one in absent)


def test_endpoints_that_cannot_be_asked(story: Story) -> None:
    """Those that lead to denied addresses are refused, each by what it leads to; nothing scales."""
    bad = {
        "metadata": ("http://169.254.169.254", "DeniedAddress", "cloud metadata"),
        "mapped": ("http://[::ffff:169.254.169.254]:80", "DeniedAddress", "cloud metadata"),
        "loopback-6": ("http://[::1]:9090", "DeniedAddress", "a loopback address"),
        "nobody": ("http://nobody.invalid", "UnknownHost", "check endpoint for a typo"),
    }
    story.deploy("bad", replicas=3)
    with story.replicas("bad") as replicas:
        for name, (url, _, _) in bad.items():
            story.create(
                story.scaler(
                    name,
                    scaleTargetRef={"name": "bad"},
                    metricsSources=[story.source(endpoint=url)],
                    hpa={"manage": "Never"},
                )
            )
        for name, (_, reason, words) in bad.items():
            assert words in story.wait_for_condition("Ready", "False", reason, name=name)
        time.sleep(2 * SYNC_S)

    assert replicas.values == [3]
