"""PromQL read into a tree, and a tree written as PromQL again, in one form only.

The parser is a library and pure, but it is recursive and not in Python, and it compiles each
regular expression: those that fit into one spec take half a minute. So it is given a bounded text
in which every string is a placeholder, and strings are decoded and written here.

What is written is ours to the last character. A text that our parser and that of Prometheus read
differently can therefore mean something else than its author thought, but nothing that was not in
the tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser

_NESTS = re.compile(r"[-+*/%^=<>!~([]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_MAX_NESTING = 128
"""Some thousand levels overflow the process's stack, and each copies what stands inside of it."""
_LONGEST = 4096
"""Characters without the contents of strings; longer, a query of machines costs too much a look."""

_SIGNED_TIME = re.compile(r"@\s*[-+]")
"""A time before 1970: the library panics, which is an exception that nobody handles."""
_SELECTOR = re.compile(r"\{[^{}]*\}")
_LITERAL = re.compile(r"""#[^\n]*|(?:"(?:[^"\\\n]|\\.)*+|'(?:[^'\\\n]|\\.)*+|`[^`]*+)(["'`]?)""")
"""A comment, or a string with the quote that ends it if one does. It matches wherever it begins, so
no character is looked at twice."""
_PLACEHOLDER = re.compile(r"#([0-9]+)")
"""What no identifier can be."""

_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"} | {
    character: character for character in "\\'\""
}
_LARGEST_BYTE = 0x7F
"""Above it, an escaped byte is a part of a character at best."""

_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_OPERATOR = re.compile(r"[-+*/%^]|==|!=|>=|<=|>|<|and|or|unless|atan2")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# Pairs, since the library's enumerations cannot be hashed.
_MATCH = (
    (promql_parser.MatchOp.Equal, "="),
    (promql_parser.MatchOp.NotEqual, "!="),
    (promql_parser.MatchOp.Re, "=~"),
    (promql_parser.MatchOp.NotRe, "!~"),
)
_SIDES = (
    (promql_parser.VectorMatchCardinality.ManyToOne, "group_left"),
    (promql_parser.VectorMatchCardinality.OneToMany, "group_right"),
)


class UnwritableError(ValueError):
    """A tree with something in it that is not written, since nobody vouches for what it reads."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression as a tree.

    Attributes:
        root: of the library's types; its strings are placeholders, or empty.
        literals: what the placeholders stand for, as written, with their quotes.
    """

    root: Any
    literals: tuple[str, ...]

    def text(self, text: str) -> str:
        """Decode a string of the tree; anything but a placeholder stands for itself."""
        placeholder = _PLACEHOLDER.fullmatch(text)
        return _decode(self.literals[int(placeholder[1])]) if placeholder else text


def parse(expression: str) -> Parsed | None:
    """Read an expression; None when that cannot be done, or only at too high a cost."""
    literals: list[str] = []

    def replace(literal: re.Match[str]) -> str:
        text, end = literal[0], literal[1]
        if text.startswith("#"):
            return ""
        if not end or text == end * 2:
            return text  # without an end it does not parse; an empty one selects differently
        literals.append(text)
        return f'"#{len(literals) - 1}"'

    structure = _LITERAL.sub(replace, expression)
    nesting = len(_NESTS.findall(_SELECTOR.sub("", structure)))
    if len(structure) > _LONGEST or nesting > _MAX_NESTING:
        return None
    if _SIGNED_TIME.search(structure):
        return None
    try:
        return Parsed(promql_parser.parse(structure), tuple(literals))
    except (ValueError, OverflowError):
        return None
    except BaseException as error:
        # What a panic in Rust becomes, for `a offset 1e30`; its class cannot be imported.
        if type(error).__name__ == "PanicException":
            return None
        raise  # pragma: no cover - somebody interrupts us


def quote(text: str) -> str:
    """Write a string so that nothing in it can end it."""
    return '"' + "".join(map(_escape, text)) + '"'


Matchers = Callable[[Iterable[tuple[str, str, str]]], Iterable[tuple[str, str, str]]]
"""Gives the matchers of a selector (name, operator, value) that are to be written."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes trees.

    Attributes:
        parsed: whose strings these are.
        matchers: what to write in place of a selector's matchers.
    """

    parsed: Parsed
    matchers: Matchers = tuple

    def write(self, node: Any) -> str:
        """Write a node.

        Raises:
            UnwritableError: something in it is not known here.
        """
        write = _WRITERS.get(type(node))
        if write is None:
            raise UnwritableError(type(node).__name__)
        return write(self, node)

    def _number(self, node: Any) -> str:
        value = float(node.val)
        if value != value:  # noqa: PLR0124 - only NaN is so
            return "NaN"
        return repr(value).replace("inf", "Inf")

    def _string(self, node: Any) -> str:
        return quote(self.parsed.text(node.val))

    def _paren(self, node: Any) -> str:
        return f"({self.write(node.expr)})"

    def _unary(self, node: Any) -> str:
        return f"-{self._operand(node.expr)}"

    def _call(self, node: Any) -> str:
        name = _checked(node.func.name, _IDENTIFIER)
        if name == "info":  # it reads target_info, which no selector of the expression says
            raise UnwritableError(name)
        return f"{name}({', '.join(map(self.write, node.args))})"

    def _aggregate(self, node: Any) -> str:
        grouping = ""
        if node.modifier is not None:
            is_by = node.modifier.type == promql_parser.AggModifierType.By
            grouping = f" {'by' if is_by else 'without'} {self._labels(node.modifier.labels)} "
        inner = self.write(node.expr)
        if node.param is not None:
            inner = f"{self.write(node.param)}, {inner}"
        return f"{_checked(str(node.op), _IDENTIFIER)}{grouping}({inner})"

    def _binary(self, node: Any) -> str:
        words = [_checked(str(node.op), _OPERATOR)]
        if node.modifier is not None:
            words += self._modifier(node.modifier)
        return f"{self._operand(node.lhs)} {' '.join(words)} {self._operand(node.rhs)}"

    def _modifier(self, modifier: Any) -> list[str]:
        fill = modifier.fill_values
        if fill is not None and (fill.lhs is not None or fill.rhs is not None):
            raise UnwritableError("fill")
        words = ["bool"] if modifier.return_bool else []
        if modifier.matching is not None:
            is_on = modifier.matching.type == promql_parser.LabelModifierType.Include
            words.append(
                f"{'on' if is_on else 'ignoring'} {self._labels(modifier.matching.labels)}"
            )
        for card, side in _SIDES:
            if modifier.card == card:
                words.append(f"{side} {self._labels(modifier.group_labels or ())}")
        return words

    def _operand(self, node: Any) -> str:
        text = self.write(node)
        compound = isinstance(node, promql_parser.BinaryExpr | promql_parser.UnaryExpr)
        return f"({text})" if compound or text.startswith("-") else text

    def _selector(self, node: Any) -> str:
        return f"{self._bare_selector(node)}{_moment(node)}"

    def _matrix(self, node: Any) -> str:
        selector = node.vector_selector
        span = _duration(node.range)
        return f"{self._bare_selector(selector)}[{span}]{_moment(selector)}"

    def _subquery(self, node: Any) -> str:
        step = _duration(node.step) if node.step is not None else ""
        return f"{self._operand(node.expr)}[{_duration(node.range)}:{step}]{_moment(node)}"

    def _bare_selector(self, node: Any) -> str:
        if node.matchers.or_matchers:  # of other servers than Prometheus
            raise UnwritableError("or")
        name = "" if node.name is None else _checked(node.name, _METRIC)
        given = (
            (self.parsed.text(matcher.name), _match(matcher.op), self.parsed.text(matcher.value))
            for matcher in node.matchers.matchers
        )
        written = (f"{label(name)}{op}{quote(value)}" for name, op, value in self.matchers(given))
        return f"{name}{{{','.join(written)}}}"

    def _labels(self, names: Iterable[str]) -> str:
        return f"({', '.join(label(self.parsed.text(name)) for name in names)})"


_WRITERS: dict[type, Callable[[Writer, Any], str]] = {
    promql_parser.NumberLiteral: Writer._number,  # noqa: SLF001 - a table of its own methods
    promql_parser.StringLiteral: Writer._string,  # noqa: SLF001
    promql_parser.ParenExpr: Writer._paren,  # noqa: SLF001
    promql_parser.UnaryExpr: Writer._unary,  # noqa: SLF001
    promql_parser.Call: Writer._call,  # noqa: SLF001
    promql_parser.AggregateExpr: Writer._aggregate,  # noqa: SLF001
    promql_parser.BinaryExpr: Writer._binary,  # noqa: SLF001
    promql_parser.VectorSelector: Writer._selector,  # noqa: SLF001
    promql_parser.MatrixSelector: Writer._matrix,  # noqa: SLF001
    promql_parser.SubqueryExpr: Writer._subquery,  # noqa: SLF001
}


def _moment(node: Any) -> str:
    """Write `@` and `offset`."""
    words = ""
    if node.at is not None:
        kind = node.at.type
        if kind == promql_parser.AtModifierType.At:
            at_ms = (node.at.at - _EPOCH) // _MILLISECOND
            words += f" @ {'-' if at_ms < 0 else ''}{abs(at_ms) // 1000}.{abs(at_ms) % 1000:03}"
        else:
            words += f" @ {'start' if kind == promql_parser.AtModifierType.Start else 'end'}()"
    if node.offset is not None:
        words += f" offset {_duration(node.offset)}"
    return words


def _duration(span: timedelta) -> str:
    return f"{span // _MILLISECOND}ms"


def _match(op: Any) -> str:
    return next(text for known, text in _MATCH if known == op)


def label(name: str) -> str:
    """Write a name of a label."""
    return name if _IDENTIFIER.fullmatch(name) else quote(name)


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise UnwritableError(text)  # pragma: no cover - no parser of today gives one
    return text


def _escape(character: str) -> str:
    if character in '\\"':
        return f"\\{character}"
    code = ord(character)
    if code < ord(" ") or code == _LARGEST_BYTE:
        return f"\\x{code:02x}"
    return character


def _decode(literal: str) -> str:
    text = literal[1:-1]
    return text if literal[0] == "`" else _ESCAPE.sub(_unescape, text)


def _unescape(escape: re.Match[str]) -> str:
    byte, short, long, octal, single = escape.groups()
    if single is not None:
        if single not in _ESCAPED:
            raise UnwritableError("escape")
        return _ESCAPED[single]
    code = int(octal, 8) if octal is not None else int(byte or short or long, 16)
    if (byte or octal) and code > _LARGEST_BYTE:
        raise UnwritableError("byte")
    try:
        character = chr(code)
        character.encode()
    except (ValueError, OverflowError) as error:
        raise UnwritableError("character") from error
    return character
