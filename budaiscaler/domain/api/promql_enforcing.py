"""Limits a tenant's PromQL to series that carry a label of the tenant's.

Every selector is written anew with the matcher, in place of any other on that label. The result is
then read again and each selector in it looked at: what cannot be shown to be limited is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import promql_parser

from budaiscaler.domain.api import promql_syntax
from budaiscaler.domain.api.promql_syntax import Parsed, Writer


@lru_cache(maxsize=4096)
def enforce(expression: str, label: str, value: str) -> str | None:
    """Write the expression with `label="value"` in each of its selectors.

    None is for what does not parse, is too long, or has parts that nobody vouches for.
    """
    parsed = promql_syntax.parse(expression)
    if parsed is None:
        return None

    def with_label(
        matchers: Iterable[tuple[str, str, str]],
    ) -> Iterable[tuple[str, str, str]]:
        return ((label, "=", value), *(matcher for matcher in matchers if matcher[0] != label))

    try:
        written = Writer(parsed, with_label).write(parsed.root)
        again = promql_syntax.parse(written)
        is_right = (
            again is not None
            and Writer(again).write(again.root) == written
            and _is_enforced(again, label, value)
        )
    except (ValueError, OverflowError):  # of the library too, for numbers beyond its types
        return None
    return written if is_right else None


def _is_enforced(parsed: Parsed, label: str, value: str) -> bool:
    """Whether each selector that the library finds has the matcher and no other on the label."""
    found = True

    def look(node: Any) -> bool:
        nonlocal found
        if isinstance(node, promql_parser.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql_parser.VectorSelector):
            on_label = [
                (matcher.op, parsed.text(matcher.value))
                for matcher in node.matchers.matchers
                if parsed.text(matcher.name) == label
            ]
            is_limited = on_label == [(promql_parser.MatchOp.Equal, value)]
            found = found and is_limited and not node.matchers.or_matchers
        return True

    promql_parser.walk(parsed.root, look)
    return found
