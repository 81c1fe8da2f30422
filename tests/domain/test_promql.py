"""Whether a PromQL expression gives a total or a level."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import promql
from budaiscaler.domain.api.sources import TargetType
from tests import samples


@pytest.mark.parametrize(
    "expression",
    [
        "sum(vllm:num_requests_waiting)",
        "SUM(queue)",
        "count(up == 1)",
        "sum by (model) (queue)",
        "sum(queue) by (model)",
        "sum without (pod) (rate(requests_total[1m]))",
        "(sum(queue))",
        "sum(queue) * 2",
        "2 * sum(queue)",
        "sum(queue) / 1e3",
        "sum(queue) * -1",
        "(2) * ((sum(queue)))",
        "sum(queue) or vector(0)",
        "(sum(queue) / 60) or (vector(0))",
        "sum(queue) or on() vector(0)",
        "sum(sum_over_time(queue[5m]))",
        "sum(a) * " + "(" * 50 + "2" + ")" * 50,
        "(" * 50 + "sum(queue)" + ")" * 50,
        """sum(queue{a="1",b=~'x|y',c!~`z+`,d!=""})""",
        r"""sum(queue{a="\"} + sum(b) # \\",b='it\'s'})""",
        "sum(queue{path=`C:\\`})",
        'sum( # the queue\'s length, "all" of it\n queue)',
        "sum(queue{" + ",".join(f'l{i}=~"{"x|" * 90}y"' for i in range(50)) + "})",
    ],
)
def test_one_sum_or_count_is_a_total(expression: str) -> None:
    """Brackets, a factor and `or vector(0)` around one aggregation leave it a total."""
    assert promql.is_total(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "queue",
        "avg(queue)",
        "max(queue)",
        "quantile(0.9, queue)",
        "count_values('version', build)",
        "sum_over_time(queue[5m])",
        "max_over_time(sum(queue)[5m:1m])",
        "sum(a) / sum(b)",
        "sum(a) + sum(b)",
        "sum(a) * sum(b)",
        "2 / sum(queue)",
        "sum(queue) % 2",
        "sum(queue) ^ 2",
        "sum(queue) > 0",
        "-sum(queue)",
        "vector(0) or sum(queue)",
        "sum(queue) or other",
        "sum(queue) or vector(time())",
        "sum(queue) * scalar(sum(b))",
        "label_replace(sum(queue), 'a', 'b', 'c', 'd')",
        "1",
        "",
        "sum(queue",
        "not promql at all",
        "brand_new_function(sum(queue))",
        'sum(queue{a="1})',
        "sum(queue{a='1\n'})",
        "sum(queue{a=`1})",
        "sum({a=''})",
        "'sum(queue)'",
        "sum(queue) '",
        "sum(queue)" + " * 2" * 200,
        "sum by (" + "pod," * 2000 + "node) (queue)",
        "# sum(queue)",
    ],
)
def test_anything_else_is_a_level(expression: str) -> None:
    """A ratio of two sums is the same for one replica and for fifty; what does not parse, too."""
    assert not promql.is_total(expression)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"targetType": "Value"}, (TargetType.VALUE, False), id="as-written"),
        pytest.param({"targetType": None}, (TargetType.AVERAGE_VALUE, True), id="guessed-total"),
        pytest.param(
            {"targetType": None, "promQL": "avg(q)"}, (TargetType.VALUE, True), id="guessed-level"
        ),
        pytest.param(
            {"targetType": None, "metricSourceType": "pod"},
            (TargetType.VALUE, False),
            id="pods-give-levels",
        ),
        pytest.param(
            {"targetType": "AverageValue", "metricSourceType": "external"},
            (TargetType.AVERAGE_VALUE, False),
            id="an-external-total",
        ),
    ],
)
def test_a_unit_is_guessed_from_promql_only(
    fields: dict[str, Any], told: tuple[TargetType, bool]
) -> None:
    """What is written counts; other sources are levels by definition, which is no guess."""
    source = samples.spec(samples.total(**fields)).metrics_sources[0]
    assert promql.target_type(source) == told


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("'sum(a)' + '*2' * 8000", id="factors"),
        pytest.param("'abs(' * 4000 + 'a' + ')' * 4000", id="calls"),
        pytest.param("'(' * 8000 + 'a' + ')' * 8000", id="brackets"),
        pytest.param("'a' + ' OR a' * 3000", id="ors"),
        pytest.param("'a' + '^2' * 8000", id="powers"),
        pytest.param("'-' * 16000 + '1'", id="signs"),
    ],
)
def test_no_expression_that_fits_into_a_spec_takes_the_process_down(expression: str) -> None:
    """The parser overflows the stack on deep nesting, which no handler catches: it is not asked."""
    code = f"from budaiscaler.domain.api.promql import is_total; print(is_total({expression}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=25
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False")


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r'"\\pL{200}"', id="a-tenth-of-a-second-each"),
        pytest.param(r"'(((a{100}){100}){100}){100}'", id="too-large"),
        pytest.param("`(`", id="none-at-all"),
    ],
)
@pytest.mark.parametrize("operator", ["=~", "!~"])
def test_no_regular_expression_of_a_user_is_compiled(operator: str, pattern: str) -> None:
    """A spec has room for a minute of it; Prometheus says which are none."""
    matchers = ",".join([f"a{operator}{pattern}"] * 200)
    assert promql.is_total(f"sum(queue{{{matchers}}})")


@pytest.mark.parametrize("quote", ['"', "'", "`", "#", '\\"', '"\n', "'\n`"])
def test_quotes_without_an_end_are_looked_at_once(quote: str) -> None:
    """As many as fit into a spec; from none of them all that follows is searched anew."""
    assert not promql.is_total("sum(queue{a=" + quote * (16_000 // len(quote)))


def test_a_query_is_parsed_once() -> None:
    """Every decision asks again, for every source; what is remembered has a bound."""
    promql.is_total.cache_clear()
    for _ in range(100):
        promql.is_total("sum(queue)")
    assert promql.is_total.cache_info().misses == 1
    assert promql.is_total.cache_info().maxsize


_WORDS = (
    "sum count avg by ( ) [ ] { } 1 -1 5m q or and vector * / + - , = =~ \" ' ` # \\ @ offset : é"
)
_words = st.sampled_from(_WORDS.split())


@given(st.lists(_words, max_size=25).map(" ".join) | st.text(max_size=40))
def test_any_text_has_an_answer(expression: str) -> None:
    """Nonsense is a level; nothing is raised."""
    assert promql.is_total(expression) in (True, False)


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("sum(queue)", "count(queue{})"),
        ("(sum by (model) (rate(q[5m])) / 60) or vector(0)", "count(rate(q{}[300000ms]))"),
        ('2 * sum(queue{a=~"x|y"})', 'count(queue{a=~"x|y"})'),
        ("sum(a * on(x) b)", "count(a{} * on (x) b{})"),
        ("sum(sum by (pod) (a))", "count(sum by (pod) (a{}))"),
        ("sum(a > bool 0)", "count(a{} > bool 0.0)"),
        pytest.param("count(queue)", None, id="is-its-own-load"),
        pytest.param("sum(queue > 0)", None, id="a-filter"),
        pytest.param("sum(a and b)", None, id="a-set"),
        pytest.param("sum(topk(3, a))", None, id="a-choice"),
        pytest.param("avg(queue)", None, id="a-level"),
        pytest.param("sum(a) / sum(b)", None, id="a-ratio"),
        pytest.param("sum(a) or b", None, id="or-something"),
        pytest.param("sum(a", None, id="no-promql"),
        pytest.param("sum(info(a))", None, id="not-understood"),
        pytest.param("sum(a @ -1)", None, id="a-panic"),
        pytest.param("sum(a @ 1e30)", None, id="too-late"),
    ],
)
def test_how_many_series_a_sum_is_made_of(expression: str, count: str | None) -> None:
    """The number is asked for where it says what is missing, not where it is the load itself."""
    assert promql.count_query(expression) == count


@pytest.mark.parametrize("moment", ["offset 1e30", "offset 9999999999999999999", "@ -1", "@ 1e30"])
def test_times_beyond_all_measure(moment: str) -> None:
    """The parser panics on some, which no handler of errors catches; they take nobody down."""
    assert promql.is_total(f"sum(a {moment})") in (True, False)
