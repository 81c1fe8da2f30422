"""Label selectors, as `k8s.io/apimachinery` parses them.

Grammar: requirements joined by commas; `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`,
`k notin (a,b)`, `k>1`, `k<1`. `!=` and `notin` also match an item that lacks the label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_KEY = r"(?P<key>(?:[A-Za-z0-9][-A-Za-z0-9.]*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
_SETS = re.compile(rf"\s*{_KEY}\s+(?P<op>in|notin)\s*\((?P<set>[^()]*)\)\s*")
_COMPARES = re.compile(rf"\s*{_KEY}\s*(?P<op>==|=|!=|>|<)\s*(?P<value>{_VALUE})\s*")
_EXISTS = re.compile(rf"\s*(?:(?P<not>!)\s*)?{_KEY}\s*")
_LEGAL_VALUE = re.compile(_VALUE)
_EQUALITY = frozenset({"=", "=="})

REMEMBERED_LENGTH = 128
"""Enough for those of HPAs; thousands of parsed selectors of 8 KiB would fill the memory."""


class SelectorError(ValueError):
    """A text that is no label selector."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A parsed selector; one without requirements matches everything.

    Attributes:
        tests: all must hold.
        demanded: labels that an equality demands; lets a reader look an item up by one of them.
    """

    tests: tuple[Test, ...] = ()
    demanded: Labels = field(default_factory=dict)

    def matches(self, labels: Labels) -> bool:
        """Tell whether an item with these labels is selected."""
        return all(test(labels) for test in self.tests)


def parse(text: str) -> Selector:
    """Parse a selector.

    Raises:
        SelectorError: naming the place where it stops making sense.
    """
    return _parse_short(text) if len(text) <= REMEMBERED_LENGTH else _parse(text)


def _parse(text: str) -> Selector:
    if not text.strip():
        return Selector()
    tests: list[Test] = []
    demanded: dict[str, str] = {}
    position = -1
    while position < len(text):
        if position >= 0 and text[position] != ",":
            raise _not_parsed(text, position)
        test, position = _requirement(text, position + 1, demanded)
        tests.append(test)
    return Selector(tuple(tests), demanded)


_parse_short = lru_cache(maxsize=4096)(_parse)


def _requirement(text: str, position: int, demanded: dict[str, str]) -> tuple[Test, int]:
    if found := _SETS.match(text, position):
        return _membership(found), found.end()
    if found := _COMPARES.match(text, position):
        if found["op"] in _EQUALITY:
            demanded[found["key"]] = found["value"]
        return _comparison(found), found.end()
    if found := _EXISTS.match(text, position):
        key, wanted = found["key"], not found["not"]
        return (lambda labels: (key in labels) is wanted), found.end()
    raise _not_parsed(text, position)


def _not_parsed(text: str, position: int) -> SelectorError:
    return SelectorError(f"unable to parse label selector at {text[position:][:40]!r}")


def _membership(found: re.Match[str]) -> Test:
    key, values = found["key"], frozenset(value.strip() for value in found["set"].split(","))
    for value in values:
        if not _LEGAL_VALUE.fullmatch(value):
            raise SelectorError(f"unable to parse label selector: {value[:40]!r} is no label value")
    if found["op"] == "in":
        return lambda labels: labels.get(key) in values
    return lambda labels: labels.get(key) not in values


def _comparison(found: re.Match[str]) -> Test:
    key, operator, value = found["key"], found["op"], found["value"]
    if operator in _EQUALITY:
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    if not value.isdecimal():
        raise SelectorError(f"unable to parse label selector: {operator} needs an integer")
    bound = int(value)
    return lambda labels: _compares(labels.get(key, ""), operator, bound)


def _compares(label: str, operator: str, bound: int) -> bool:
    if not label.isdecimal():
        return False
    return int(label) > bound if operator == ">" else int(label) < bound
