"""What a PromQL expression yields: a total over all replicas, or a level.

The parser is a library and pure; an expression that it cannot read (a newer function, say) is left
to the Prometheus server to judge, so a failure here is no error. It is asked about the structure
only: it would compile each regular expression, and those that fit into one spec take half a minute.
"""

from __future__ import annotations

import re
from functools import lru_cache

import promql_parser

from budaiscaler.domain.api.sources import MetricsSource, SourceType, TargetType

_TOTALS = frozenset({"sum", "count"})
_NESTS = re.compile(r"[-+*/%^=<>!~([]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_MAX_NESTING = 128
"""The parser is recursive and not in Python: some thousand levels overflow the process's stack, and
each copies what stands inside of it."""
_LONGEST = 4096
"""Characters without the contents of strings; longer, a query of machines costs too much a look."""

_SELECTOR = re.compile(r"\{[^{}]*\}")
_LITERAL = re.compile(r"""#[^\n]*|(?:"(?:[^"\\\n]|\\.)*+|'(?:[^'\\\n]|\\.)*+|`[^`]*+)(["'`]?)""")
"""A comment, or a string with the quote that ends it if one does. It matches wherever it begins, so
no character is looked at twice."""


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
    structure = _LITERAL.sub(_blank, expression)
    nesting = len(_NESTS.findall(_SELECTOR.sub("", structure)))
    if len(structure) > _LONGEST or nesting > _MAX_NESTING:
        return False
    try:
        node: object = promql_parser.parse(structure)
    except ValueError:
        return False
    while not isinstance(node, promql_parser.AggregateExpr):
        node = _inside(node)
        if node is None:
            return False
    return str(node.op) in _TOTALS


def _blank(literal: re.Match[str]) -> str:
    """Drop a comment, and what a string says; an empty one stays, since it selects differently."""
    text, end = literal[0], literal[1]
    if text.startswith("#"):
        return ""
    return f"{end}{'x' if text[1:-1] else ''}{end}" if end else text[0]


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
