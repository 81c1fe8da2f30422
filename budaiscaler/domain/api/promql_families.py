"""Queries that differ in one label's value only, and the one query that answers them all.

`sum(queue{model="a"})` and `sum(queue{model="b"})` are both in `sum by (model)
(queue{model=~"a|b"})`, series by series and so digit by digit. Only shapes of which that is certain
are families: one aggregation without grouping over one selector, or over one function of its range.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import promql_parser

from budaiscaler.domain.api import promql_syntax
from budaiscaler.domain.api.promql_syntax import Parsed, Writer

_AGGREGATIONS = frozenset({"sum", "count", "avg", "max", "min"})
_FUNCTIONS = frozenset(
    {"rate", "increase", "avg_over_time", "max_over_time", "min_over_time", "sum_over_time"}
)
_MARK = "\ue000"
"""Stands in a template for the values; an expression with it is in no family."""
_LONGEST_VALUE = 200
_MOST_LABELS = 4
"""In so many families a query is at most."""
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Family:
    """Queries that differ in the value of one label.

    Attributes:
        label: which one.
        template: the merged query, with a mark for the values.
    """

    label: str
    template: str

    def merged(self, values: Iterable[str]) -> str:
        """Write the query that answers for all of these values, each under its label."""
        pattern = "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values)
        return self.template.replace(f'"{_MARK}"', promql_syntax.quote(pattern))


@lru_cache(maxsize=16384)
def families(expression: str) -> tuple[tuple[Family, str], ...]:
    """Give the families that a query is in, and its value in each."""
    parsed = promql_syntax.parse(expression) if _MARK not in expression else None
    selector = _selector(parsed.root) if parsed is not None else None
    if parsed is None or selector is None:
        return ()
    try:
        written = Writer(parsed).write(parsed.root)
        if _MARK in written:
            return ()
        names = [parsed.text(matcher.name) for matcher in selector.matchers.matchers]
        found = []
        for matcher, name in zip(selector.matchers.matchers, names, strict=True):
            value = parsed.text(matcher.value)
            is_one = matcher.op == promql_parser.MatchOp.Equal and names.count(name) == 1
            if is_one and name != "__name__" and 0 < len(value) <= _LONGEST_VALUE:
                found.append((Family(name, _template(parsed, name)), value))
    except (ValueError, OverflowError):
        return ()
    return tuple(found[:_MOST_LABELS])


def _selector(root: Any) -> Any:
    """The one selector of an expression whose shape is known; None for any other."""
    if not isinstance(root, promql_parser.AggregateExpr):
        return None
    if str(root.op) not in _AGGREGATIONS or root.modifier is not None or root.param is not None:
        return None
    inner: Any = root.expr
    if isinstance(inner, promql_parser.Call):
        if inner.func.name not in _FUNCTIONS or len(inner.args) != 1:
            return None
        inner = inner.args[0]
        return inner.vector_selector if isinstance(inner, promql_parser.MatrixSelector) else None
    return inner if isinstance(inner, promql_parser.VectorSelector) else None


def _template(parsed: Parsed, label: str) -> str:
    def marked(matchers: Iterable[tuple[str, str, str]]) -> Iterable[tuple[str, str, str]]:
        return ((name, "=~", _MARK) if name == label else (name, op, value)
                for name, op, value in matchers)  # fmt: skip

    root: Any = parsed.root
    inner = Writer(parsed, marked).write(root.expr)
    return f"{root.op} by ({promql_syntax.label(label)}) ({inner})"
