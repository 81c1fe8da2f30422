"""Which series a PromQL expression is about, told from its words alone.

No parser: an expression that is read wrongly here costs a unit or a warning, never a scaling, and
words cannot be nested so deeply that reading them takes long.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST = 4096
"""Characters; longer ones are those of machines."""
_LITERAL = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*+"?|'(?:[^'\\\n]|\\.)*+'?|`[^`]*+`?""")
"""One that does not end goes to the end, or each quote would be looked for an end of its own."""
_ASIDE = re.compile(
    r"\{[^{}]*\}|\[[^\[\]]*\]"
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
    r"|\boffset\s+-?\s*[0-9a-z.]+|@\s*(?:start|end)\s*\(\s*\)|@\s*[0-9.]+"
    r"|\bor\s+vector\s*\(\s*0\s*\)",
    re.IGNORECASE,
)
_WORD = re.compile(r"(?<![0-9a-zA-Z_:.])[a-zA-Z_:][a-zA-Z0-9_:]*")
_CALL = re.compile(r"(?<![0-9a-zA-Z_:.])([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\(?)")
_OPERATOR = re.compile(r"[-+*/%^=<>!~]")
_KEEPS_UNIT = frozenset(
    {
        "sum",
        "avg",
        "min",
        "max",
        "quantile",
        "topk",
        "bottomk",
        "sort",
        "sort_desc",
        "avg_over_time",
        "min_over_time",
        "max_over_time",
        "last_over_time",
        "quantile_over_time",
    }
)
_KEYWORDS = frozenset({"and", "or", "unless", "bool", "inf", "nan", "atan2"})


@lru_cache(maxsize=4096)
def series(expression: str) -> frozenset[str]:
    """The names in it that are of series, as far as they stand before any braces."""
    return frozenset(
        name
        for name, opens in _CALL.findall(_bare(expression))
        if not opens and name.lower() not in _KEYWORDS and name not in _KEEPS_UNIT
    )


@lru_cache(maxsize=4096)
def unit_series(expression: str) -> str | None:
    """The one series whose unit the result has; None if it is counted with or has another one."""
    bare = _bare(expression)
    calls = {name for name, opens in _CALL.findall(bare) if opens}
    names = series(expression)
    if _OPERATOR.search(bare) or not calls <= _KEEPS_UNIT or len(names) != 1:
        return None
    if _KEYWORDS & {word.lower() for word in _WORD.findall(bare)}:
        return None
    return next(iter(names))


def _bare(expression: str) -> str:
    """The expression without what only selects: labels, ranges, groupings, offsets, texts."""
    if len(expression) > _LONGEST:
        return ""
    return _ASIDE.sub(" ", _LITERAL.sub(" ", expression))
