"""What PromQL is about, told from its words, and which signals are too weak to be the only one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.sources import expressions, signals
from tests import samples


@pytest.mark.parametrize(
    ("expression", "series", "unit_series"),
    [
        pytest.param("a", {"a"}, "a", id="bare"),
        pytest.param('sum(a:b{x="c", y=~"d|e"})', {"a:b"}, "a:b", id="labels"),
        pytest.param("sum by (pod) (a) ", {"a"}, "a", id="grouped"),
        pytest.param("sum(a) without (pod)", {"a"}, "a", id="grouped-behind"),
        pytest.param("avg_over_time(a[5m] offset 1h)", {"a"}, "a", id="range-and-offset"),
        pytest.param("a @ end() ", {"a"}, "a", id="at"),
        pytest.param("sum(a) or vector(0)", {"a"}, "a", id="or-nothing"),
        pytest.param("quantile(0.9, a) # of b", {"a"}, "a", id="a-parameter-and-a-comment"),
        pytest.param("rate(a_total[5m])", {"a_total"}, None, id="rate"),
        pytest.param("a / b", {"a", "b"}, None, id="ratio"),
        pytest.param("a * 1e2", {"a"}, None, id="scaled"),
        pytest.param("1 - a", {"a"}, None, id="the-rest"),
        pytest.param("count(a)", {"a"}, None, id="count"),
        pytest.param("a and b", {"a", "b"}, None, id="both"),
        pytest.param("a or a", {"a"}, None, id="or"),
        pytest.param("a > bool 1", {"a"}, None, id="comparison"),
        pytest.param("sum((a))", {"a"}, "a", id="parentheses"),
        pytest.param("a``b", {"a", "b"}, None, id="a-text-between"),
        pytest.param("label_replace(a, 'x', 'b', 'y', '(.*)')", {"a"}, None, id="texts"),
        pytest.param('a + "c d e', {"a"}, None, id="a-text-without-an-end"),
        pytest.param("", set(), None, id="nothing"),
        pytest.param("a" * 5000, set(), None, id="too-long"),
    ],
)
def test_words_of_an_expression(expression: str, series: set[str], unit_series: str | None) -> None:
    """Labels, ranges and texts are no series, and only what keeps the unit has one."""
    assert expressions.series(expression) == series
    assert expressions.unit_series(expression) == unit_series


@given(st.text('ab:{}[]()"`#\\,=~ +\n1.', max_size=60))
def test_any_expression_is_read(expression: str) -> None:
    """Whatever stands there, the answer is a word of it or none."""
    found = expressions.unit_series(expression)
    assert found is None or found in expression


def engine(metric: str, kind: str = "vllm") -> dict[str, Any]:
    return {
        "metricSourceType": "inferenceEngine",
        "targetMetric": metric,
        "targetValue": "5",
        "inferenceEngineConfig": {"engineType": kind},
    }


WAITING = samples.total(promQL="sum(vllm:num_requests_waiting)")
GPU = samples.level(promQL='avg(DCGM_FI_DEV_GPU_UTIL{pod=~"chat-.*"})')


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        pytest.param([WAITING], "is a waiting queue, which", id="promql"),
        pytest.param([engine("queue_size", "tgi")], "is a waiting queue, which", id="tgi"),
        pytest.param([engine("sglang:num_queue_reqs", "sglang")], "a waiting queue", id="series"),
        pytest.param([engine("queue_size", "triton")], "a waiting queue", id="triton"),
        pytest.param([GPU], "is GPU utilisation, which", id="gpu"),
        pytest.param([engine("nv_gpu_utilization", "triton")], "GPU utilisation", id="triton-gpu"),
        pytest.param(
            [WAITING, GPU], "is GPU utilisation and a waiting queue, which", id="both-of-them"
        ),
        pytest.param(
            [{"targetMetric": "vllm:num_requests_waiting", "targetValue": "5"}],
            "is a waiting queue, which",
            id="pod",
        ),
    ],
)
def test_a_weak_signal(sources: list[dict[str, Any]], words: str) -> None:
    """Alone it is warned of, and the warning says what to add."""
    warning = signals.lint(samples.spec(*sources))
    assert warning is not None
    assert words in warning
    assert "add a source" in warning


@pytest.mark.parametrize(
    "sources",
    [
        pytest.param([WAITING, engine("requests_running")], id="with-what-runs"),
        pytest.param([engine("kv_cache_usage")], id="cache"),
        pytest.param(
            [samples.total(promQL="sum(vllm:num_requests_waiting + vllm:num_requests_running)")],
            id="a-sum-of-both",
        ),
        pytest.param([samples.total(promQL="sum(queue)")], id="a-queue-of-ones-own"),
        pytest.param(
            [samples.total(name="queue_depth", metricSourceType="external", endpoint="http://q")],
            id="an-endpoint-of-ones-own",
        ),
        pytest.param([samples.total(promQL="vector(1)")], id="no-series"),
    ],
)
def test_no_weak_signal(sources: list[dict[str, Any]]) -> None:
    """Who looks at anything else besides, or at what nobody knows, is left in peace."""
    assert signals.lint(samples.spec(*sources)) is None
