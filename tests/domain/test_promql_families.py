"""Families of queries: which are answered by one, and what that one says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budaiscaler.domain.api import promql_syntax
from budaiscaler.domain.api.promql_families import families


@pytest.mark.parametrize(
    ("expression", "merged"),
    [
        ('sum(q{m="a"})', 'sum by (m) (q{m=~"a|x"})'),
        ('count(q{m="a",n!="1"})', 'count by (m) (q{m=~"a|x",n!="1"})'),
        ('max({m="a"})', 'max by (m) ({m=~"a|x"})'),
        ('avg(rate(q{m="a"}[5m]))', 'avg by (m) (rate(q{m=~"a|x"}[300000ms]))'),
        ('sum(q{m="a"} offset 5m)', 'sum by (m) (q{m=~"a|x"} offset 300000ms)'),
        ("sum(q{'m.n'='a'})", 'sum by ("m.n") (q{"m.n"=~"a|x"})'),
    ],
)
def test_what_is_merged(expression: str, merged: str) -> None:
    """One aggregation over one selector, or one function of its range, with one value chosen."""
    ((family, value),) = families(expression)
    assert value == "a"
    assert family.merged(["a", "x"]) == merged


@pytest.mark.parametrize(
    "expression",
    [
        "sum(q)",
        'q{m="a"}',
        'sum(q{m=~"a"})',
        'sum(q{m!="a"})',
        'sum(q{m=""})',
        'sum(q{m="a",m!="b"})',
        'sum(q{m="a",m="a"})',
        'sum({__name__="a"})',
        'sum by (m) (q{m="a"})',
        'sum(q{m="a"}) * 2',
        'sum(q{m="a"}) or vector(0)',
        'sum(q{m="a"} + r{m="a"})',
        'sum(-q{m="a"})',
        'sum(q{m="a"} > 0)',
        'topk(3, q{m="a"})',
        'quantile(0.5, q{m="a"})',
        'stddev(q{m="a"})',
        'sum(absent(q{m="a"}))',
        'sum(histogram_quantile(0.9, q{m="a"}))',
        'sum(label_replace(q{m="a"}, "m", "b", "", ""))',
        'sum(max_over_time(q{m="a"}[5m:1m]))',
        'sum(q{m="a" or m="b"})',
        'sum(q{m="\ue000"})',
        'sum(q{m="\\ue000"})',
        'sum(q{m="a',
        f'sum(q{{m="{"a" * 300}"}})',
    ],
)
def test_what_is_not(expression: str) -> None:
    """Where it is not certain that each would be told the same, each is asked by itself."""
    assert families(expression) == ()


def test_several_labels() -> None:
    """A query is in a family for each label whose value is chosen."""
    found = families('sum(q{m="a",n="b"})')
    assert [(family.label, value) for family, value in found] == [("m", "a"), ("n", "b")]
    assert found[0][0] == families('sum(q{m="other",n="b"})')[0][0]
    assert found[0][0] != families('sum(q{m="a",n="other"})')[0][0]


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), min_size=1))
def test_values_are_taken_as_they_are(values: list[str]) -> None:
    """No value, whatever it looks like, matches anything but itself."""
    family = families('sum(q{m="a"})')[0][0]
    parsed = promql_syntax.parse(family.merged(values))
    assert parsed is not None
    (matcher,) = parsed.root.expr.matchers.matchers
    pattern = re.compile(parsed.text(matcher.value))
    assert all(pattern.fullmatch(value) for value in values)
    for probe in ("", "a", "zz", *(value[1:] for value in values)):
        assert bool(pattern.fullmatch(probe)) is (probe in values)
