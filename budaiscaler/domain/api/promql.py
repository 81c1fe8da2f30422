"""What a PromQL expression yields: a total over all replicas, or a level.

An expression that cannot be read here (a newer function, say) is left to the Prometheus server to
judge, so a failure is no error.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import promql_parser

from budaiscaler.domain.api import promql_syntax
from budaiscaler.domain.api.promql_syntax import Parsed, Writer
from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType

_TOTALS = frozenset({"sum", "count"})
_FILTERS = frozenset({"==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"})
_CHOOSERS = frozenset({"topk", "bottomk", "limitk", "limit_ratio", "count_values"})


def target_type(source: MetricsSource) -> tuple[TargetType, bool]:
    """Give how a source's number relates to the replicas, and whether that was guessed."""
    if source.target_type is not None:
        return source.target_type, False
    if source.source_type is not SourceType.PROMETHEUS or source.prom_ql is None:
        return TargetType.VALUE, False
    return (TargetType.AVERAGE_VALUE if is_total(source.prom_ql) else TargetType.VALUE), True


@lru_cache(maxsize=4096)
def is_total(expression: str) -> bool:
    """Tell whether the whole expression is one `sum` or `count`.

    Around it may stand parentheses, multiplication or division by a number, and `or vector(0)`.
    `sum(a) / sum(b)` is a ratio, so a level: the same 0.8 holds for one replica and for fifty.
    """
    return _aggregation(promql_syntax.parse(expression)) is not None


@lru_cache(maxsize=4096)
def count_query(expression: str) -> str | None:
    """Give the query for the number of series that a sum is made of.

    None where that number says nothing of what is missing: in a count it is the load itself, and
    behind a comparison it rises and falls with the load.
    """
    parsed = promql_syntax.parse(expression)
    total = _aggregation(parsed)
    if parsed is None or total is None or str(total.op) != "sum" or _has_filter(total.expr):
        return None
    try:
        return f"count({Writer(parsed).write(total.expr)})"
    except (ValueError, OverflowError):  # of the library too, for numbers beyond its types
        return None


def _aggregation(parsed: Parsed | None) -> Any:
    """The one `sum` or `count` that the whole expression is; None if it is none."""
    node: Any = parsed.root if parsed is not None else None
    while node is not None and not isinstance(node, promql_parser.AggregateExpr):
        node = _inside(node)
    return node if node is not None and str(node.op) in _TOTALS else None


def _has_filter(node: Any) -> bool:
    """Whether values decide which series there are."""
    found = False

    def look(inner: Any) -> bool:
        nonlocal found
        if isinstance(inner, promql_parser.BinaryExpr):
            is_bool = inner.modifier is not None and inner.modifier.return_bool
            found = found or (str(inner.op) in _FILTERS and not is_bool)
        elif isinstance(inner, promql_parser.AggregateExpr):
            found = found or str(inner.op) in _CHOOSERS
        return True

    promql_parser.walk(node, look)
    return found


def _inside(node: object) -> object | None:
    """What stands inside of something that leaves a total a total; None for anything else."""
    if isinstance(node, promql_parser.ParenExpr):
        return node.expr
    if isinstance(node, promql_parser.BinaryExpr):
        operator = str(node.op)
        if operator in {"*", "/"} and _is_number(node.rhs):
            return node.lhs
        if operator == "*" and _is_number(node.lhs):
            return node.rhs
        if operator == "or" and _is_vector_of_number(node.rhs):
            return node.lhs
    return None


def _is_number(node: object) -> bool:
    while isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        node = node.expr
    return isinstance(node, promql_parser.NumberLiteral)


def _is_vector_of_number(node: object) -> bool:
    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return (
        isinstance(node, promql_parser.Call)
        and node.func.name == "vector"
        and all(map(_is_number, node.args))
    )
