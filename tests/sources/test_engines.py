"""Names of engines: what is read for them off the pages of each version, and in what unit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from budaiscaler.domain.api import shares
from budaiscaler.domain.api.sources import EngineType, MetricsSource
from budaiscaler.domain.readings import NoDataReason
from budaiscaler.sources import engines
from budaiscaler.sources.base import Sample
from budaiscaler.sources.measures import Kind, Unit
from tests.sources.pods import Lab, loop_s, pod, refused, url, workload

pytestmark = pytest.mark.looptime

VLLM_V1 = """
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.9
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.7
"""
VLLM_V0 = """
vllm:num_requests_running{model_name="m"} 7.0
vllm:num_requests_waiting{model_name="m"} 2.0
vllm:gpu_cache_usage_perc{model_name="m"} 0.85
"""
TGI = """
tgi_queue_size 3
tgi_batch_current_size 8
tgi_request_count 1234
"""
SGLANG = """
sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="0",dp_rank="0"} 5
sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="1",dp_rank="0"} 5
sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="2",dp_rank="1"} 2
sglang:num_queue_reqs{engine_type="unified",model_name="m",tp_rank="0"} 6
sglang:token_usage{engine_type="unified",model_name="m",tp_rank="0"} 0.28
sglang:gen_throughput{engine_type="unified",model_name="m",tp_rank="0"} 812.5
"""
TRITON = """
nv_inference_pending_request_count{model="a",version="1"} 2
nv_inference_pending_request_count{model="b",version="1"} 3
nv_gpu_utilization{gpu_uuid="GPU-1"} 0.5
nv_gpu_utilization{gpu_uuid="GPU-2"} 0.7
"""
TRT_LLM = """
nv_inference_pending_request_count{model="a",version="1"} 9
nv_trt_llm_request_metrics{model="a",request_type="waiting",version="1"} 4
nv_trt_llm_request_metrics{model="a",request_type="scheduled",version="1"} 6
nv_trt_llm_request_metrics{model="a",request_type="max",version="1"} 512
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="fraction",model="a",version="1"} 0.4
nv_trt_llm_kv_cache_block_metrics{kv_cache_block_type="used",model="a",version="1"} 40
"""


def engine(kind: str, **fields: Any) -> dict[str, Any]:
    return {"inferenceEngineConfig": {"engineType": kind, **fields}}


@pytest.mark.parametrize(
    ("kind", "page", "metric", "value"),
    [
        pytest.param("vllm", VLLM_V1, "num_requests_running", 7.0, id="vllm-running-of-engines"),
        pytest.param("vllm", VLLM_V1, "requests_waiting", 1.0, id="vllm-waiting"),
        pytest.param("vllm", VLLM_V1, "gpu_cache_usage_perc", 0.8, id="vllm-old-alias-new-name"),
        pytest.param("vllm", VLLM_V1, "kv_cache_utilization", 0.8, id="vllm-mean-of-engines"),
        pytest.param("vllm", VLLM_V1, "vllm:gpu_cache_usage_perc", 0.8, id="vllm-renamed-since"),
        pytest.param("vllm", VLLM_V0, "gpu_cache_usage", 0.85, id="vllm-deprecated-name"),
        pytest.param("vllm", VLLM_V0, "vllm:kv_cache_usage_perc", 0.85, id="vllm-renamed-before"),
        pytest.param(
            "vllm", VLLM_V0 + VLLM_V1, "kv_cache_usage", 0.8, id="vllm-both-names-the-newest"
        ),
        pytest.param("vllm", VLLM_V0, "vllm:num_requests_running", 7.0, id="vllm-a-series"),
        pytest.param("vllm", "mine 4\n", "mine", 4.0, id="vllm-a-raw-series"),
        pytest.param("tgi", TGI, "queue_size", 3.0, id="tgi-queue-size"),
        pytest.param("tgi", TGI, "queue_depth", 3.0, id="tgi-queue-depth"),
        pytest.param("tgi", TGI, "batch_size", 8.0, id="tgi-batch-size"),
        pytest.param("tgi", TGI, "requests_running", 8.0, id="tgi-running-and-not-ever-counted"),
        pytest.param("sglang", SGLANG, "requests_running", 7.0, id="sglang-ranks-not-summed"),
        pytest.param("sglang", SGLANG, "queue_depth", 6.0, id="sglang-queue"),
        pytest.param("sglang", SGLANG, "token_usage", 0.28, id="sglang-cache"),
        pytest.param("sglang", SGLANG, "gen_throughput", 812.5, id="sglang-throughput"),
        pytest.param(
            "sglang",
            "sglang:avg_request_queue_latency 1.5",
            "queue_time",
            1.5,
            id="sglang-queue-time-before-there-were-buckets",
        ),
        pytest.param("triton", TRITON, "queue_size", 5.0, id="triton-models-add-up"),
        pytest.param("triton", TRITON, "nv_gpu_utilization", 0.6, id="triton-gpus"),
        pytest.param("triton", TRT_LLM, "queue_size", 4.0, id="trt-llm-waiting"),
        pytest.param("triton", TRT_LLM, "requests_running", 6.0, id="trt-llm-running"),
        pytest.param("triton", TRT_LLM, "kv_cache_usage", 0.4, id="trt-llm-cache"),
    ],
)
async def test_a_name(kind: str, page: str, metric: str, value: float) -> None:
    """A name means the same whatever the version calls it."""
    lab = Lab()
    found = await lab.ask(lab.say(page), targetMetric=metric, **engine(kind))
    assert isinstance(found, Sample)
    assert found.values == pytest.approx((value,))


HISTOGRAM = """
{name}_bucket{{le="0.1"}} {a}
{name}_bucket{{le="1"}} {b}
{name}_bucket{{le="+Inf"}} {b}
{name}_sum {sum}
{name}_count {b}
"""


@pytest.mark.parametrize(
    ("kind", "metric", "before", "now", "value"),
    [
        pytest.param(
            "vllm", "generation_tokens",
            "vllm:generation_tokens_total 1000", "vllm:generation_tokens_total 4000", 200.0,
            id="vllm-tokens-a-second",
        ),
        pytest.param(
            "vllm", "vllm:generation_tokens_total",
            "vllm:generation_tokens_total 1000", "vllm:generation_tokens_total 4000", 200.0,
            id="vllm-a-counter-by-its-name",
        ),
        pytest.param(
            "vllm", "prefix_cache_hit_rate",
            "vllm:prefix_cache_hits_total 10\nvllm:prefix_cache_queries_total 100",
            "vllm:prefix_cache_hits_total 70\nvllm:prefix_cache_queries_total 200", 0.6,
            id="vllm-hit-rate",
        ),
        pytest.param(
            "vllm", "time_to_first_token_p50",
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=5, sum=1),
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=15, sum=7), 0.55,
            id="vllm-p50",
        ),
        pytest.param(
            "vllm", "time_to_first_token_mean",
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=5, sum=1),
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=15, sum=7), 0.6,
            id="vllm-mean",
        ),
        pytest.param(
            "vllm", "vllm:time_to_first_token_seconds",
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=5, sum=1),
            HISTOGRAM.format(name="vllm:time_to_first_token_seconds", a=5, b=15, sum=7), 0.6,
            id="vllm-a-histogram-by-its-name",
        ),
        pytest.param(
            "vllm", "inter_token_latency_p50",
            HISTOGRAM.format(name="vllm:time_per_output_token_seconds", a=0, b=0, sum=0),
            HISTOGRAM.format(name="vllm:time_per_output_token_seconds", a=10, b=10, sum=1), 0.05,
            id="vllm-older-name-of-a-latency",
        ),
        pytest.param(
            "tgi", "requests", "tgi_request_count 100", "tgi_request_count 130", 2.0,
            id="tgi-requests-a-second",
        ),
        pytest.param(
            "vllm", "queue_time",
            "vllm:time_in_queue_requests_sum 4\nvllm:time_in_queue_requests_count 2",
            "vllm:time_in_queue_requests_sum 10\nvllm:time_in_queue_requests_count 5", 2.0,
            id="vllm-queue-time-by-its-old-name",
        ),
        pytest.param(
            "tgi", "queue_time",
            HISTOGRAM.format(name="tgi_request_queue_duration", a=0, b=0, sum=0),
            HISTOGRAM.format(name="tgi_request_queue_duration", a=0, b=10, sum=4), 0.4,
            id="tgi-queue-time",
        ),
        pytest.param(
            "triton", "queue_time",
            "nv_inference_queue_duration_us 0\nnv_inference_request_success 0",
            'nv_inference_queue_duration_us{model="a"} 3000000\nnv_inference_request_success 10',
            0.3, id="triton-queue-time-in-seconds",
        ),
        pytest.param(
            "triton", "time_to_first_token_p50",
            HISTOGRAM.format(name="nv_inference_first_response_histogram_ms", a=0, b=0, sum=0),
            HISTOGRAM.format(name="nv_inference_first_response_histogram_ms", a=0, b=10, sum=5),
            0.00055, id="triton-milliseconds",
        ),
        pytest.param(
            "sglang", "mine_total", "mine_total 1", "mine_total 31", 2.0, id="a-raw-counter"
        ),
    ],
)  # fmt: skip
async def test_what_rises(kind: str, metric: str, before: str, now: str, value: float) -> None:
    """Counters are rates, latencies are of the requests of the last interval."""
    lab = Lab()
    target = lab.say(before)
    fields = engine(kind)
    refused(
        await lab.ask(target, targetMetric=metric, **fields),
        NoDataReason.NOT_YET_READ,
        "this is the first",
    )
    await asyncio.sleep(15)
    lab.say(now)
    found = await lab.ask(target, targetMetric=metric, **fields)
    assert isinstance(found, Sample)
    assert found.values == pytest.approx((value,))


async def test_a_restart_silences_one_pod_once() -> None:
    """The others count on, and at the look after it the pod is back."""
    lab = Lab()
    seen = []
    for counts in ((100, 100), (250, 250), (30, 400), (180, 550)):
        target = lab.say(*(f"vllm:prompt_tokens_total {count}" for count in counts))
        found = await lab.ask(target, targetMetric="prompt_tokens", **engine("vllm"))
        seen.append(found.values if isinstance(found, Sample) else found.reason)
        await asyncio.sleep(15)
    assert seen == [NoDataReason.NOT_YET_READ, (10.0, 10.0), (10.0,), (10.0, 10.0)]


async def test_a_name_that_is_not_there() -> None:
    """The message has the names that would be known."""
    lab = Lab()
    found = await lab.ask(lab.say(TGI), targetMetric="cache", **engine("vllm"))
    refused(found, NoDataReason.METRIC_NOT_FOUND, "its page has no cache: check targetMetric")
    refused(found, NoDataReason.METRIC_NOT_FOUND, "names known for vllm: batch_size")
    found = await lab.ask(lab.say(TGI), targetMetric="kv_cache_usage", **engine("vllm"))
    refused(
        found,
        NoDataReason.METRIC_NOT_FOUND,
        "no vllm:kv_cache_usage_perc nor vllm:gpu_cache_usage_perc",
    )


@pytest.mark.parametrize(
    ("config", "fields", "asked"),
    [
        pytest.param({}, {}, url(1), id="defaults"),
        pytest.param({"metricsPort": 8080}, {"port": "9"}, url(1, 8080), id="its-own-port"),
        pytest.param({}, {"port": "metrics"}, url(1, 9400), id="the-sources-port"),
        pytest.param({"metricsPath": "/m"}, {"path": "/p"}, url(1, path="/m"), id="its-own-path"),
        pytest.param({}, {"path": "/p"}, url(1, path="/p"), id="the-sources-path"),
    ],
)
async def test_where_an_engine_is_asked(
    config: dict[str, Any], fields: dict[str, str], asked: str
) -> None:
    """What stands in the engine's block goes before what stands beside it."""
    lab = Lab()
    await lab.ask(workload([pod(1)]), **engine("vllm", **config), **fields)
    assert lab.fleet.urls() == [asked]


async def test_a_share_of_a_group() -> None:
    """Of a replica of two pods counts add up, and shares do not."""
    lab = Lab()
    target = workload(lab.say(VLLM_V0, VLLM_V0).pods, size=2)
    for metric, value in (("requests_running", 14.0), ("kv_cache_usage", 0.85)):
        found = await lab.ask(target, targetMetric=metric, max_age_s=0, **engine("vllm"))
        assert found == Sample((value,), loop_s(), 1, 1)


async def test_a_latency_of_a_group() -> None:
    """The sizes and times of a replica's requests are a mean over its pods, whatever their unit."""
    name = "vllm:request_prompt_tokens"
    lab = Lab()
    found = []
    for count in (0, 10):
        page = HISTOGRAM.format(name=name, a=0, b=count, sum=30 * count)
        target = workload(lab.say(page, page).pods, size=2)
        fields = {"targetMetric": "request_prompt_tokens", **engine("vllm")}
        found.append(await lab.ask(target, **fields))
        await asyncio.sleep(15)
    assert found[1] == Sample((30.0,), 15.0, 1, 1)


def test_the_table_keeps_to_its_rules() -> None:
    """Every way to a name has the same unit, and every share is told to be one."""
    for kind in EngineType:
        for name, measures in engines.ALIASES[kind].items():
            assert len({measure.unit for measure in measures}) == 1, (kind, name)
            for measure in measures:
                if "perc" in measure.series or measure.series.endswith("_usage"):
                    assert measure.unit is Unit.FRACTION, (kind, name)
                if measure.series.endswith("_total"):
                    assert measure.kind in {Kind.RATE, Kind.MEAN}, (kind, name)


def test_names_of_the_original() -> None:
    """Every alias of the original is known, and Triton has a queue as all have."""
    for kind, names in {
        EngineType.VLLM: (
            "gpu_cache_usage", "gpu_cache_usage_perc", "kv_cache_utilization", "requests_running",
            "num_requests_running", "requests_waiting", "num_requests_waiting",
        ),
        EngineType.TGI: ("requests_running", "queue_depth", "queue_size", "batch_size"),
        EngineType.SGLANG: ("requests_running", "requests_waiting"),
        EngineType.TRITON: ("requests_running", "requests_waiting"),
    }.items():  # fmt: skip
        assert set(names) <= engines.ALIASES[kind].keys()


@pytest.mark.parametrize(
    ("fields", "factor"),
    [
        pytest.param({"targetMetric": "gpu_cache_usage", **engine("vllm")}, 100.0, id="alias"),
        pytest.param({"targetMetric": "vllm:kv_cache_usage_perc"}, 100.0, id="series-of-a-pod"),
        pytest.param(
            {"targetMetric": "token_usage", **engine("sglang")}, 100.0, id="alias-of-one-engine"
        ),
        pytest.param({"targetMetric": "token_usage"}, 1.0, id="elsewhere-it-means-anything"),
        pytest.param({"targetMetric": "requests_running", **engine("vllm")}, 1.0, id="a-count"),
        pytest.param(
            {"targetMetric": "gpu_cache_usage", "targetValue": "0.7", **engine("vllm")},
            1.0,
            id="a-share-as-target",
        ),
        pytest.param(
            {"targetMetric": "gpu_cache_usage", "targetValue": "1", **engine("vllm")},
            1.0,
            id="one-is-all",
        ),
        pytest.param(
            {"targetMetric": "kv_cache_usage", "metricSourceType": "external"}, 100.0, id="external"
        ),
        pytest.param({"targetMetric": "usage", "metricSourceType": "external"}, 1.0, id="unlisted"),
        pytest.param({"targetMetric": "cpu", "metricSourceType": "resource"}, 1.0, id="resource"),
        pytest.param({"targetMetric": "DCGM_FI_PROF_SM_ACTIVE"}, 100.0, id="dcgm-a-share"),
        pytest.param({"targetMetric": "DCGM_FI_DEV_GPU_UTIL"}, 1.0, id="dcgm-percent"),
        pytest.param(
            {"targetMetric": "DCGM_FI_DEV_GPU_UTIL", "targetValue": "0.8"}, 0.01, id="percent-read"
        ),
        pytest.param(
            {"targetMetric": "x", "promQL": 'avg(vllm:gpu_cache_usage_perc{a="b"})'},
            100.0,
            id="promql",
        ),
        pytest.param(
            {"targetMetric": "x", "promQL": "max by (pod) (avg_over_time(sglang:token_usage[1m]))"},
            100.0,
            id="promql-of-a-range",
        ),
        pytest.param(
            {"targetMetric": "gpu_cache_usage", "promQL": "avg(vllm:kv_cache_usage_perc) * 100"},
            1.0,
            id="promql-that-makes-percent",
        ),
        pytest.param(
            {"targetMetric": "x", "promQL": "count(vllm:kv_cache_usage_perc > 0.9)"},
            1.0,
            id="promql-that-counts",
        ),
        pytest.param(
            {"targetMetric": "gpu_cache_usage", "promQL": "avg(recorded)"}, 1.0, id="promql-else"
        ),
    ],
)
def test_percent_or_share(fields: dict[str, Any], factor: float) -> None:
    """A listed share against a target above 1 is read as percent, wherever it comes from."""
    source = MetricsSource.model_validate({"targetValue": "70", **fields})
    assert engines.unit_factor(source) == factor


def test_shares_are_the_same_to_an_hpa() -> None:
    """The domain lists just the names that the table reads as shares, without an engine."""
    told = {
        name: engines.unit_of(name)
        for known in (*engines.ALIASES.values(), *engines.SERIES.values(), engines.OTHER_UNITS)
        for name in known
    }
    assert {name for name, unit in told.items() if unit is Unit.FRACTION} == shares.FRACTIONS
    assert {name for name, unit in told.items() if unit is Unit.PERCENT} == shares.PERCENTS
