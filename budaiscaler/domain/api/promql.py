"""What a PromQL expression yields: a total over all replicas, or a level.

The parser is a library and pure; an expression that it cannot read (a newer function, say) is left
to the Prometheus server to judge, so a failure here is no error.
"""

from __future__ import annotations

from functools import lru_cache

import promql_parser

from budaiscaler.domain.api.budaiscaler import MetricsSource, SourceType, TargetType

_TOTALS = frozenset({"sum", "count"})


def target_type(source: MetricsSource) -> tuple[TargetType, bool]:
    """Give how a source's number relates to the replicas, and whether that was guessed."""
    if source.target_type is not None:
        return source.target_type, False
    if source.source_type is not SourceType.PROMETHEUS or source.prom_ql is None:
        return TargetType.VALUE, False
    return (TargetType.AVERAGE_VALUE if is_total(source.prom_ql) else TargetType.VALUE), True


@lru_cache(maxsize=8192)
def is_total(expression: str) -> bool:
    """Tell whether the whole expression is one `sum` or `count`.

    Around it may stand parentheses, multiplication or division by a number, and `or vector(0)`.
    `sum(a) / sum(b)` is a ratio, so a level: the same 0.8 holds for one replica and for fifty.
    """
    try:
        return _is_total(promql_parser.parse(expression))
    except ValueError:
        return False


def _is_total(node: object) -> bool:
    if isinstance(node, promql_parser.ParenExpr):
        return _is_total(node.expr)
    if isinstance(node, promql_parser.AggregateExpr):
        return str(node.op) in _TOTALS
    if isinstance(node, promql_parser.BinaryExpr):
        operator = str(node.op)
        if operator in {"*", "/"} and _is_number(node.rhs):
            return _is_total(node.lhs)
        if operator == "*" and _is_number(node.lhs):
            return _is_total(node.rhs)
        if operator == "or" and _is_vector_of_number(node.rhs):
            return _is_total(node.lhs)
    return False


def _is_number(node: object) -> bool:
    if isinstance(node, promql_parser.ParenExpr | promql_parser.UnaryExpr):
        return _is_number(node.expr)
    return isinstance(node, promql_parser.NumberLiteral)


def _is_vector_of_number(node: object) -> bool:
    if isinstance(node, promql_parser.ParenExpr):
        return _is_vector_of_number(node.expr)
    return (
        isinstance(node, promql_parser.Call)
        and node.func.name == "vector"
        and all(map(_is_number, node.args))
    )
